//! Script of the ordering side: which readings hold, how long the steps take, what goes wrong.

use std::time::Duration;

use super::readings::Readings;

/// Choices about the ordering side that are made before orders are placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Seed of everything random on the ordering side.
    pub seed: u64,
    /// Reading that is played of each open question.
    pub readings: Readings,
    /// Time that each step of an order takes.
    pub pace: Pace,
    /// Rates of the faults that calls and callbacks meet.
    pub faults: FaultRates,
    /// Maximum size of an uploaded file, in bytes. Invented: Sinch publishes no limit.
    pub upload_max_bytes: usize,
}

impl Script {
    /// Makes a script that chooses a reading of every open question, and in which nothing goes wrong.
    pub fn by_seed(seed: u64) -> Script {
        Script {
            seed,
            readings: Readings::by_seed(seed),
            pace: Pace::brief(),
            faults: FaultRates::none(),
            upload_max_bytes: 5 * 1024 * 1024,
        }
    }

    /// Makes a script that chooses a reading of every open question, and in which every kind of fault occurs.
    pub fn hostile(seed: u64) -> Script {
        Script {
            faults: FaultRates::hostile(),
            ..Script::by_seed(seed)
        }
    }
}

/// Time that each step of an order takes. All invented: Sinch publishes none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time after the submit of an order until its review begins, where the submit leaves the state as it is.
    pub pickup: Duration,
    /// Duration of the review of an order.
    pub review: Duration,
    /// Time after an upload until it is COMPLETED or FAILED, where the upload is not completed at once.
    pub upload: Duration,
    /// Time after the completion of an order until its numbers are active, where they are not active at once.
    pub activation: Duration,
    /// Duration of each step of the provisioning of a number.
    pub provisioning: Duration,
}

impl Pace {
    /// Returns paces at which a person can watch an order go its way within seconds.
    pub fn brief() -> Pace {
        Pace {
            pickup: Duration::from_millis(300),
            review: Duration::from_secs(2),
            upload: Duration::from_millis(700),
            activation: Duration::from_millis(600),
            provisioning: Duration::from_millis(800),
        }
    }
}

/// Rates of faults on the ordering side: probabilities, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRates {
    /// Rate of calls that are not done, and get no answer.
    pub request_lost: f64,
    /// Rate of calls that are done, and get no answer.
    pub answer_lost: f64,
    /// Rate of calls that are done, and get a 5xx.
    pub answer_broken: f64,
    /// Rate of calls that are not done, and get a 5xx.
    pub broken: f64,
    /// Rate of calls that are not done, and get 429.
    pub throttled: f64,
    /// Rate of calls that are not done, and get 401: the token has expired early.
    pub unauthorized: f64,
    /// Rate of callbacks that are never sent.
    pub callback_lost: f64,
    /// Rate of callbacks that are sent twice, with the same bytes.
    pub callback_twice: f64,
    /// Rate of callbacks that are sent late, so that later ones overtake them.
    pub callback_late: f64,
    /// Maximum delay of a callback that is sent late.
    pub late_max: Duration,
    /// Rate of reviews that block an order without a cause in its registration.
    pub blocked: f64,
    /// Rate of reviews that reject an order without a cause in its registration.
    pub rejected: f64,
}

impl FaultRates {
    /// Returns the rates of a Sinch that makes no mistake.
    pub fn none() -> FaultRates {
        FaultRates {
            request_lost: 0.0,
            answer_lost: 0.0,
            answer_broken: 0.0,
            broken: 0.0,
            throttled: 0.0,
            unauthorized: 0.0,
            callback_lost: 0.0,
            callback_twice: 0.0,
            callback_late: 0.0,
            late_max: Duration::ZERO,
            blocked: 0.0,
            rejected: 0.0,
        }
    }

    /// Returns rates at which every kind of fault happens often.
    pub fn hostile() -> FaultRates {
        FaultRates {
            request_lost: 0.05,
            answer_lost: 0.05,
            answer_broken: 0.05,
            broken: 0.05,
            throttled: 0.05,
            unauthorized: 0.05,
            callback_lost: 0.2,
            callback_twice: 0.2,
            callback_late: 0.2,
            late_max: Duration::from_secs(2),
            blocked: 0.15,
            rejected: 0.1,
        }
    }
}
