//! Bad receivers: whatever one does, an attempt ends in time, takes little, is named by its code and in words, and holds up
//! no other receiver.

mod kind;
mod kinds;
mod play;
mod tls;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use notifications::{Attempt, Format, RetrySchedule};
use testkit::target::Reply;
use testkit::{Target, until};
use tokio::task::JoinSet;

use self::kind::{Expected, Kind};
use self::play::Player;
use super::sending::Fixture;
use super::{EVENT, content, nets};
use crate::store::{NotificationFilter, NotificationRow};
use crate::worker::{Endpoint, Receiver, Sender};

/// Maximum number of bytes that are taken of an answer without an end. What the system buffers on the way is taken too.
const TAKEN_MAX: usize = 16_000_000;

impl Kind {
    /// Tells the receiver of this kind two events, one after the other, and returns what is wrong about how that ends.
    async fn faults(&self, player: &Player) -> Vec<String> {
        let mut faults = Vec::new();
        for expected in [self.first, self.second] {
            let began = Instant::now();
            let mut content = content();
            content.body.resize(content.body.len() + self.bytes, b' ');
            let attempt = player.endpoint.post(EVENT, content).await;
            let took = began.elapsed();
            if took > self.bound() {
                faults.push(format!("it took {took:?}"));
            }
            faults.extend(self.fault(&attempt, expected));
        }
        if player.taken() > TAKEN_MAX {
            faults.push(format!("{} bytes were taken", player.taken()));
        }
        if player.trapped() > 0 {
            faults.push("a request went to an address that is not allowed".to_owned());
        }
        faults
    }

    fn fault(&self, attempt: &Attempt, expected: Expected) -> Option<String> {
        let is_as_expected = match (attempt, expected) {
            (Attempt::Delivered, Expected::Delivered)
            | (Attempt::Gone, Expected::Fails("gone", _)) => true,
            (
                Attempt::Failed {
                    failure,
                    retry_after,
                },
                Expected::Fails(code, words),
            ) => {
                failure.code() == code
                    && failure.to_string().contains(words)
                    && *retry_after == self.asked_wait
            }
            _ => false,
        };
        let words = match attempt {
            Attempt::Failed { failure, .. } => failure.to_string(),
            _ => String::new(),
        };
        (!is_as_expected).then(|| format!("{attempt:?} {words:?} instead of {expected:?}"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_ends_in_time_takes_little_and_is_named() {
    let behaviours = kinds::behaviours().len();
    let names: BTreeSet<&str> = kinds::all().iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), kinds::all().len(), "each has its own name");
    println!(
        "{behaviours} kinds, and {} statuses",
        names.len() - behaviours
    );
    assert!(behaviours >= 40, "{behaviours} kinds, without statuses");
    // A client takes a while to be built, and holds up no attempt here.
    let mut players = Vec::new();
    for kind in kinds::all() {
        players.push((Player::start(&kind).await, kind));
    }
    let mut told = JoinSet::new();
    for (player, kind) in players {
        told.spawn(async move { (kind.name, kind.faults(&player).await) });
    }
    let told = told.join_all().await;
    let faults: Vec<_> = told
        .iter()
        .filter(|(_, faults)| !faults.is_empty())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Each kind is a target with a single slot and two orders, so the second attempt shows that the first has left the slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_frees_its_slot_and_another_target_goes_on() {
    let kinds = kinds::all();
    let mut targets: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    targets.push("well");
    let fixture = Fixture::new(&targets, 2, 1).await;
    let mut held = Vec::new();
    let mut receivers = Vec::new();
    for kind in &kinds {
        let (endpoint, listener) = Player::start(kind).await.into_endpoint();
        held.push(listener);
        receivers.push(Receiver::Http(Box::new(endpoint)));
    }
    for (kind, receiver) in kinds.iter().zip(receivers) {
        spawn_sender(&fixture, kind.name, receiver, kind.timeout);
    }
    let well = Target::willing().await;
    let endpoint = Fixture::endpoint(&well.url());
    spawn_sender(
        &fixture,
        "well",
        Receiver::Http(endpoint),
        Duration::from_secs(60),
    );
    fixture.waiting("well", 0).await;
    for kind in &kinds {
        let rows = until(&format!("{} to be told", kind.name), async || {
            let rows = notifications(&fixture, kind.name).await;
            let is_over = |row: &NotificationRow| row.phase != "waiting" || kind.is_gone();
            (rows.len() == 2 && rows.iter().all(is_over) && rows.iter().any(|row| row.attempts > 0))
                .then_some(rows)
        })
        .await;
        for row in rows.iter().filter(|row| row.attempts > 0) {
            assert!(kind.is_told_by(row), "{}: {row:?}", kind.name);
        }
    }
    fixture.stop.cancel();
    fixture.abort.cancel();
}

async fn notifications(fixture: &Fixture, target: &str) -> Vec<NotificationRow> {
    let filter = NotificationFilter {
        target: Some(target.to_owned()),
        limit: 10,
        ..NotificationFilter::default()
    };
    let listed = fixture.store.notifications(&filter).await;
    listed.expect("is read").items
}

/// Starts a sender that makes one attempt, with one slot.
fn spawn_sender(fixture: &Fixture, target: &str, receiver: Receiver, timeout: Duration) {
    let sender = Sender {
        target: target.to_owned(),
        receiver,
        store: fixture.store.clone(),
        format: Format::Json,
        slots: 1,
        rate: None,
        timeout,
        retries: RetrySchedule::new(Vec::new()),
        metrics: fixture.metrics.clone(),
    };
    tokio::spawn(sender.run(fixture.stop.clone(), fixture.abort.clone()));
}

impl Kind {
    /// Returns `true` if the target wants no more after one attempt.
    fn is_gone(&self) -> bool {
        matches!(self.first, Expected::Fails("gone", _))
    }

    /// Returns `true` if what is recorded of an attempt is one of the ends that are expected.
    fn is_told_by(&self, row: &NotificationRow) -> bool {
        let failure = row.failure.as_ref();
        [self.first, self.second]
            .into_iter()
            .any(|expected| match expected {
                Expected::Delivered => row.phase == "delivered" && failure.is_none(),
                // A large event is told by the other test alone.
                Expected::Fails(code, words) => failure.is_some_and(|failure| {
                    (failure.code() == code || code == "gone")
                        && failure.to_string().contains(words)
                }),
            })
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_short_answer_only() {
    for (body, connections) in [("", 1), ("thanks", 1), (&*"x".repeat(400_000), 3)] {
        let body = body.to_owned();
        let target = Target::start(move |_, _| Reply::with(200, "", &body)).await;
        let allow = nets(&["127.0.0.1/32"]);
        let timeout = Duration::from_secs(60);
        let endpoint = Endpoint::new(&target.url(), Vec::new(), allow, 2, timeout);
        let endpoint = endpoint.expect("a client");
        for _ in 0..3 {
            assert_eq!(endpoint.post(EVENT, content()).await, Attempt::Delivered);
        }
        assert_eq!(target.connections(), connections);
        let told = target.told();
        let unsigned = |told: &testkit::target::Told| told.header("webhook-signature").is_empty();
        assert!(told.iter().all(unsigned));
        let wanted = |told: &testkit::target::Told| told.header("accept-encoding").is_empty();
        assert!(told.iter().all(wanted), "no compressed answer is asked for");
    }
}
