//! Repeats of calls after a failure that allows it.

use std::cell::Cell;
use std::fmt::Display;
use std::time::Duration;

use number_order::Time;
use sinch_numbers::api::{CallError, Repeat};

use crate::clock;
use crate::commands::operators::ServiceError;
use crate::commands::output::print_error;
use crate::commands::shown;

/// Number of times that a call is made before its failure is believed.
const TRIES: u32 = 6;

/// Number of failures in a row that are not reported yet: so short an outage is over before anybody has read of it.
const UNREPORTED_FAILURES: u32 = 2;

/// Pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Maximum pause, also where Sinch asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Maximum pause during an outage that is outlasted, unless Sinch asks for a longer one.
const OUTAGE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Makes a call, up to [`TRIES`] times while its failure allows a repeat.
pub(super) async fn patiently<T, E: Failing>(call: impl AsyncFn() -> Result<T, E>) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match call().await {
            Err(error) if error.is_passing() => {
                let wait = error.retry_after().unwrap_or(pause);
                tokio::time::sleep(wait.min(PAUSE_MAX)).await;
                pause *= 2;
            }
            done => return done,
        }
    }
    call().await
}

/// Failure of a call, as far as its repetition is concerned.
pub(super) trait Failing: Display {
    /// Returns `true` if the same call may succeed later, and may be repeated.
    fn is_passing(&self) -> bool;

    /// Returns the pause that is asked for before the next call; `None` if none is.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

impl Failing for CallError {
    fn is_passing(&self) -> bool {
        self.repeat() == Repeat::Allowed
    }

    fn retry_after(&self) -> Option<Duration> {
        CallError::retry_after(self)
    }
}

impl Failing for ServiceError {
    fn is_passing(&self) -> bool {
        ServiceError::is_passing(self)
    }
}

/// Outages of a server that a command depends on: Sinch, or the running service. An outage is outlasted, however long
/// it is, if there was an answer before it in the same run: without one, an address of the configuration may be wrong.
pub(super) struct Outages {
    /// Name of the server in a sentence, such as "Sinch".
    name: &'static str,
    /// Maximum number of times that a call is made before the server's first answer.
    first_tries: u32,
    /// Pause after the first failure of a call; each further one is twice as long.
    first_pause: Duration,
    has_answered: Cell<bool>,
    /// Beginning of the present outage; `None`: there is none.
    since: Cell<Option<Time>>,
    failures: Cell<u32>,
    /// Number of outages that are over, also of those that were too short to be reported.
    ended: Cell<u32>,
}

impl Outages {
    /// Returns the record of Sinch's outages: none yet.
    pub fn of_sinch() -> Outages {
        Outages::of("Sinch", TRIES)
    }

    /// Returns the record of the service's outages: none yet.
    pub fn of_the_service() -> Outages {
        Outages::of("the service", 1)
    }

    fn of(name: &'static str, first_tries: u32) -> Outages {
        Outages {
            name,
            first_tries,
            first_pause: FIRST_PAUSE,
            has_answered: Cell::new(false),
            since: Cell::new(None),
            failures: Cell::new(0),
            ended: Cell::new(0),
        }
    }

    /// Returns the number of outages that are over, also of those that were too short to be reported.
    pub fn ended(&self) -> u32 {
        self.ended.get()
    }

    /// Makes a call until it gets an answer, or a failure that does not pass. Reports an outage once, and its end.
    ///
    /// # Errors
    ///
    /// Returns the failure that does not pass; before the first answer, any failure.
    pub async fn outlast<T, E: Failing>(
        &self,
        call: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pause = self.first_pause;
        let mut tries = 0;
        loop {
            tries += 1;
            match call().await {
                Err(error) if error.is_passing() => {
                    if self.has_answered.get() {
                        self.failed(&error);
                    } else if tries >= self.first_tries {
                        return Err(error);
                    }
                    let asked = error.retry_after();
                    let wait =
                        asked.map_or(pause.min(OUTAGE_PAUSE_MAX), |wait| wait.min(PAUSE_MAX));
                    tokio::time::sleep(wait).await;
                    pause = (pause * 2).min(OUTAGE_PAUSE_MAX);
                }
                done => {
                    self.answered();
                    return done;
                }
            }
        }
    }

    fn failed(&self, error: &impl Failing) {
        let since = self.since.get().unwrap_or_else(clock::now);
        self.since.set(Some(since));
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        if failures == UNREPORTED_FAILURES + 1 {
            let said = format!(
                "{} has not answered since {since}; this waits until it does. Last failure: {error}",
                self.name
            );
            print_error(shown::line(&said));
        }
    }

    fn answered(&self) {
        self.has_answered.set(true);
        self.since.set(None);
        let failures = self.failures.replace(0);
        if failures > 0 {
            self.ended.set(self.ended.get() + 1);
        }
        if failures > UNREPORTED_FAILURES {
            print_error(format_args!("{} answers again", self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failed {
        is_passing: bool,
    }

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed")
        }
    }

    impl Failing for Failed {
        fn is_passing(&self) -> bool {
            self.is_passing
        }
    }

    #[tokio::test]
    async fn only_an_outage_after_an_answer_is_outlasted() {
        let outages = Outages {
            first_pause: Duration::ZERO,
            ..Outages::of_the_service()
        };
        let fails = async || Err::<(), _>(Failed { is_passing: true });
        assert_eq!(
            outages.outlast(fails).await,
            Err(Failed { is_passing: true })
        );
        assert_eq!(outages.outlast(async || Ok::<_, Failed>(1)).await, Ok(1));
        let calls = Cell::new(0);
        let late = async || {
            calls.set(calls.get() + 1);
            if calls.get() < 1000 {
                Err(Failed { is_passing: true })
            } else {
                Ok(calls.get())
            }
        };
        assert_eq!(outages.outlast(late).await, Ok(1000));
        assert_eq!(outages.since.get(), None);
        assert_eq!(outages.ended(), 1);
        // A refusal ends at once, whatever was answered before.
        let refuses = async || Err::<(), _>(Failed { is_passing: false });
        assert_eq!(
            outages.outlast(refuses).await,
            Err(Failed { is_passing: false })
        );
    }
}
