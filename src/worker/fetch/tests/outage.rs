//! An API that is down for hours over thousands of orders, and a start after a kill.

use std::time::Duration;

use fastrand::Rng;

use super::simulated::{BEGAN, PER_SECOND, Service, Sinch, Without, busiest, id};
use crate::sinch::FetchError;
use number_order::{Endpoint, Flaw, NoAnswer};
use number_order::{Id, State, Time};

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// Returns one of the ways in which the API fails, at random.
fn failure(rng: &mut Rng) -> (FetchError, Duration) {
    let endpoint = Endpoint::Orders;
    let (reason, retry_after, takes_ms) = match rng.u32(0..6) {
        0 => (NoAnswer::TimedOut { endpoint }, None, 10_000),
        1 => {
            let cause = "reset".to_owned();
            (
                NoAnswer::BrokenOff { endpoint, cause },
                None,
                rng.u64(1..900),
            )
        }
        2 => {
            let wait = Duration::from_secs(rng.u64(1..90));
            let status = 503;
            (NoAnswer::NotNow { endpoint, status }, Some(wait), 200)
        }
        3 => {
            let refused = NoAnswer::KeyRefused {
                endpoint,
                status: 401,
                project: super::simulated::project(),
            };
            (refused, None, 200)
        }
        4 => {
            let unusable = NoAnswer::UnusableAnswer {
                endpoint,
                status: 200,
                flaw: Flaw::NotAnObject,
            };
            (unusable, None, 200)
        }
        _ => {
            let status = 502;
            (NoAnswer::NotNow { endpoint, status }, None, 200)
        }
    };
    let error = FetchError {
        reason,
        retry_after,
    };
    (error, Duration::from_millis(takes_ms))
}

struct Trial {
    seed: u64,
    orders: usize,
    outage: Duration,
    without: Without,
}

/// Outcome of a simulated outage.
struct OutageOutcome {
    /// Claims that do not hold, in words; each begins with the name of the claim.
    faults: Vec<String>,
    /// Figures of the simulation, in words.
    figures: String,
}

impl Trial {
    /// Returns a Sinch whose API is down from an hour on, with orders of which most change while it is down.
    fn sinch(&self, rng: &mut Rng) -> Sinch {
        let over = hours(1) + self.outage;
        let secs = |secs: u64| BEGAN.plus(Duration::from_secs(secs));
        let history = |n: usize| {
            // Sinch often has times in whole seconds.
            let reviewed = secs(rng.u64(0..over.as_secs() / 2));
            let mut history = vec![(BEGAN, State::Created), (reviewed, State::InReview)];
            if rng.f64() < 0.9 {
                let ends = [State::Completed, State::Rejected, State::Blocked];
                let ended = rng.u64(over.as_secs() / 2 + 1..over.as_secs());
                history.push((secs(ended), ends[rng.usize(0..3)]));
            }
            (id(&format!("order-{n}")), history)
        };
        let (down_at, up_at) = (BEGAN.plus(hours(1)), BEGAN.plus(over));
        Sinch {
            orders: (0..self.orders).map(history).collect(),
            fails: Box::new(move |_, now, rng| {
                (down_at <= now && now < up_at).then(|| failure(rng))
            }),
        }
    }

    /// Returns the events, each with the time at which it arrives: one in ten is lost, one in five comes twice, some
    /// come late.
    fn events(sinch: &Sinch, rng: &mut Rng) -> Vec<(Time, Id, Time, State)> {
        let mut events = Vec::new();
        for (order, history) in &sinch.orders {
            for (entered, state) in &history[1..] {
                let copies = match rng.u32(0..10) {
                    0 => 0,
                    1 | 2 => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let late = Duration::from_secs_f64(rng.f64().powi(4) * 3600.0);
                    events.push((entered.plus(late), order.clone(), *entered, *state));
                }
            }
        }
        events.sort();
        events
    }

    async fn run(&self) -> OutageOutcome {
        let mut rng = Rng::with_seed(self.seed);
        let sinch = self.sinch(&mut rng);
        let events = Self::events(&sinch, &mut rng);
        let (down_at, up_at) = (BEGAN.plus(hours(1)), BEGAN.plus(hours(1) + self.outage));
        let killed_at = down_at.plus(self.outage / 2);
        let mut service = Service::start(self.seed, self.without).await;
        // Every tenth order is known from before. The others become known by their events, or by the list below.
        service
            .watch(sinch.orders.keys().step_by(10).cloned())
            .await;
        service.fetch_all(&sinch).await;
        service.now = down_at;

        // The events of the hour before the outage arrive now, along with late ones.
        let mut heard = 0;
        let mut killed = false;
        while service.now < up_at {
            let due = events[heard..]
                .iter()
                .take_while(|(at, ..)| *at <= service.now);
            let due: Vec<_> = due
                .map(|(_, order, said_at, state)| (order.clone(), *said_at, *state))
                .collect();
            heard += due.len();
            service.receive(due).await;
            if !killed && service.now >= killed_at {
                killed = true;
                service.watch(sinch.orders.keys().cloned()).await;
                service = service.kill().await;
            }
            let next = service.now.plus(Duration::from_secs(60)).min(up_at);
            service.play(&sinch, next).await;
        }
        let in_outage = service.sent_at.len();
        let heard_in_outage = heard;

        // The API works again. The last events arrive late, too.
        let implied = Duration::from_secs_f64(self.orders as f64 / PER_SECOND);
        // The deadline allows for the first probe, and for the longest back-off of the orders that the last probes
        // fetched.
        let deadline = up_at.plus(implied + Duration::from_secs(60 + 15));
        let mut settled_at = None;
        while service.now < deadline && settled_at.is_none() {
            // The check is rare at first, since reading all orders costs time.
            let half = up_at.plus(implied * 9 / 10);
            let next = service.now.plus(Duration::from_secs(10)).max(half);
            service.play(&sinch, next).await;
            if service.unsettled(&sinch).await.is_empty() {
                settled_at = Some(service.now);
            }
        }
        self.judge(&mut service, &sinch, in_outage, heard_in_outage, settled_at)
            .await
    }

    async fn judge(
        &self,
        service: &mut Service,
        sinch: &Sinch,
        in_outage: usize,
        heard: usize,
        settled_at: Option<Time>,
    ) -> OutageOutcome {
        let up_at = BEGAN.plus(hours(1) + self.outage);
        let mut faults = Vec::new();
        let (waiting, kept) = service.deliveries().await;
        if (waiting, kept) != (0, heard as i64) {
            faults.push(format!(
                "lost: {kept} of {heard} deliveries are kept, {waiting} wait"
            ));
        }
        let parked = service.parked().await;
        if parked > 0 {
            faults.push(format!("lost: {parked} orders are parked"));
        }
        // Attempts count from the moment at which the circuit had opened for the first time and the fetches in flight
        // had ended.
        let opened_at = service
            .opened
            .first()
            .map_or(BEGAN, |at| at.plus(Duration::from_secs(10)));
        let probes = service.sent_at[..in_outage]
            .iter()
            .filter(|at| **at > opened_at);
        let probes: Vec<Time> = probes.copied().collect();
        let gaps = probes.windows(2).map(|pair| pair[1].since(pair[0]));
        let least = gaps.min().unwrap_or(Duration::MAX);
        if least < Duration::from_secs(30) {
            faults.push(format!(
                "probes: {} of them, two {least:?} apart",
                probes.len()
            ));
        }
        let after = &service.sent_at[in_outage..];
        for secs in [1_u64, 10, 60, 600] {
            let most = (PER_SECOND * secs as f64) as usize + 1;
            let busiest = busiest(after, Duration::from_secs(secs));
            if busiest > most {
                faults.push(format!("rate: {busiest} questions in {secs} s"));
            }
        }
        let took = settled_at.map(|at| at.since(up_at));
        if took.is_none() {
            let open = service.unsettled(sinch).await.len();
            faults.push(format!(
                "time: {open} of {} orders are not settled",
                self.orders
            ));
        }
        let figures = format!(
            "{} orders, {heard} events; {} questions while it was down, {} probes at least {least:?} apart; \
             settled after {took:?} with {} questions",
            self.orders,
            in_outage,
            probes.len(),
            after.len(),
        );
        OutageOutcome { faults, figures }
    }
}

fn has(came: &OutageOutcome, claim: &str) -> bool {
    came.faults.iter().any(|fault| fault.starts_with(claim))
}

#[tokio::test]
async fn six_hours_without_the_api_over_5000_orders() {
    let trial = Trial {
        seed: fastrand::u64(..),
        orders: 5000,
        outage: hours(6),
        without: Without::default(),
    };
    println!("seed {}", trial.seed);
    let came = trial.run().await;
    println!("{}", came.figures);
    assert!(
        came.faults.is_empty(),
        "seed {}: {:#?}",
        trial.seed,
        came.faults
    );
}

/// Controls: without a protection, the claim fails that rests on it.
#[tokio::test]
async fn without_circuit_or_rate_limit_the_same_checks_fail() {
    let trial = |circuit, rate| Trial {
        seed: 1,
        orders: 200,
        outage: hours(1) / 4,
        without: Without { circuit, rate },
    };
    let with_all = trial(false, false).run().await;
    assert!(with_all.faults.is_empty(), "{:#?}", with_all.faults);
    let without_circuit = trial(true, false).run().await;
    assert!(
        has(&without_circuit, "probes"),
        "{:#?}",
        without_circuit.faults
    );
    let hasty = trial(false, true).run().await;
    assert!(has(&hasty, "rate"), "{:#?}", hasty.faults);
}

#[tokio::test]
async fn after_a_kill_open_orders_are_fetched_spread_out_and_at_the_rate() {
    const ORDERS: usize = 2000;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let before = BEGAN.plus(hours(1));
    let history = |n: usize| {
        let history = vec![(BEGAN, State::InReview), (before, State::Completed)];
        (id(&format!("order-{n}")), history)
    };
    let sinch = Sinch {
        orders: (0..ORDERS).map(history).collect(),
        fails: Box::new(|_, _, _| None),
    };
    let mut service = Service::start(seed, Without::default()).await;
    service.watch(sinch.orders.keys().cloned()).await;
    service.fetch_all(&sinch).await;
    // Every callback is missed while the service is down.
    service.now = before.plus(Duration::from_secs(1));
    let mut service = service.kill().await;
    let began = service.now;
    let implied = Duration::from_secs_f64(ORDERS as f64 / PER_SECOND);
    // Jitter puts some fetches closer together. The others are caught up on in the end.
    let deadline = began.plus(implied + implied / 10);
    service.play(&sinch, deadline).await;
    let open = service.unsettled(&sinch).await;
    assert!(
        open.is_empty(),
        "seed {seed}: {} are not settled",
        open.len()
    );
    assert_eq!(
        service.sent_at.len(),
        ORDERS,
        "seed {seed}: one question each"
    );
    assert!(busiest(&service.sent_at, Duration::from_secs(10)) <= 51);
    // The fetches are spread out: no tenth of the time has much less than its share.
    let tenth = implied / 10;
    for n in 0..9 {
        let (from, to) = (began.plus(tenth * n), began.plus(tenth * (n + 1)));
        let share = service.sent_at.iter().filter(|at| (from..to).contains(at));
        let share = share.count();
        assert!(share > ORDERS / 14, "seed {seed}: {share} in tenth {n}");
    }
}
