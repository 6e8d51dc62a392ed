//! Notifications: a store with targets, and what its tests do with it.

mod events;
mod feed;
mod sending;
mod service_alerts;

use serde_json::Value;

use super::*;
use notifications::{DeliveryFailure, EventType, Filter, TypePattern};

/// Duration of a lease, in seconds.
const LEASE_SECS: i64 = 60;

/// A target that is told events of the given types.
pub(in crate::store) fn target(name: &str, types: &str, provisional: bool) -> TargetSettings {
    TargetSettings {
        name: name.to_owned(),
        filter: Filter {
            types: vec![TypePattern::new(types).expect("a pattern")],
            provisional,
            ..Filter::default()
        },
    }
}

/// A target that is told confirmed news of orders.
fn crm() -> Vec<TargetSettings> {
    vec![target("crm", "order.*", false)]
}

fn telling(mut settings: Settings, told: Vec<TargetSettings>) -> Settings {
    match &mut settings {
        Settings::Sqlite(settings) => settings.targets = told,
        #[cfg(feature = "postgres")]
        Settings::Postgres(settings) => settings.targets = told,
    }
    settings
}

/// Request for all events after the given number.
fn all_after(after: i64) -> FeedRequest {
    FeedRequest {
        after: Some(after),
        provisional: true,
        limit: 1000,
        ..FeedRequest::default()
    }
}

fn refused(status: u16) -> DeliveryFailure {
    DeliveryFailure::Refused { status }
}

/// A failure after which the notification is sent again at the given second; `None`: its attempts are used up.
fn failed(status: u16, again_at: Option<i64>) -> NotificationOutcome {
    NotificationOutcome::Failed {
        failure: refused(status),
        again_at: again_at.map(at),
    }
}

impl Fixture {
    pub(in crate::store) async fn telling(on: Backend, targets: Vec<TargetSettings>) -> Fixture {
        Fixture::at_place(Place::new(on).await, targets).await
    }

    async fn at_place(place: Place, targets: Vec<TargetSettings>) -> Fixture {
        let settings = telling(place.settings(ONE_PROJECT), targets);
        let (store, run) = super::super::open(settings).await.expect("opens");
        Fixture {
            place,
            store,
            run: tokio::spawn(run),
        }
    }

    /// Opens the store once more beside this one, as another replica. One that cannot be shared is handed out again.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(
            unused_variables,
            clippy::unused_async,
            reason = "there is one backend"
        )
    )]
    async fn another(
        &self,
        targets: Vec<TargetSettings>,
    ) -> (Store, Option<JoinHandle<Result<(), StoreError>>>) {
        match &self.store {
            Store::Sqlite(_) => (self.store.clone(), None),
            #[cfg(feature = "postgres")]
            Store::Postgres(_) => {
                let settings = telling(self.place.settings(ONE_PROJECT), targets);
                let (store, run) = super::super::open(settings).await.expect("opens");
                (store, Some(tokio::spawn(run)))
            }
        }
    }

    /// Makes an order known in a state that Sinch has shown.
    pub(in crate::store) async fn confirm(&self, order: &str, state: State, secs: i64) {
        let event = format!("{order} {state} {secs}");
        self.accept(delivery(&event, order, state, secs)).await;
        self.process(secs).await;
        let known = self.store.request_fetch(key(order), at(secs)).await;
        assert_eq!(known, Ok(true));
        let claims = self.claim(secs).await.into_iter();
        let mut claims = claims.filter(|claim| claim.key == key(order));
        let claim = claims.next().expect("it is due");
        self.record(&claim, shows(state, secs), secs).await;
    }

    async fn claim_for(&self, target: &str, limit: u32, secs: i64) -> NotificationsClaimed {
        let request = NotificationRequest {
            target: target.to_owned(),
            limit,
            rate: None,
            lease: Duration::from_secs(LEASE_SECS as u64),
            now: at(secs),
        };
        let claimed = self.store.claim_notifications(request).await;
        claimed.expect("claims")
    }

    async fn settle(&self, claim: &NotificationClaim, outcome: NotificationOutcome, secs: i64) {
        let result = NotificationResult {
            claim: claim.clone(),
            outcome,
            now: at(secs),
            jitter: 0.0,
        };
        let settled = self.store.settle_notifications([result].into()).await;
        settled.expect("settles");
    }

    /// Types and numbers of the notifications that are due for `crm`, without settling them.
    async fn claimed(&self, secs: i64) -> Vec<(String, i64)> {
        let claimed = self.claim_for("crm", 100, secs).await.claims;
        let claims = claimed.into_iter();
        let mut claims: Vec<_> = claims
            .map(|claim| (claim.event_type, claim.sequence))
            .collect();
        claims.sort();
        claims
    }

    /// Takes the first notification that is due for `crm`.
    async fn next(&self, secs: i64) -> NotificationClaim {
        let mut claims = self.claim_for("crm", 1, secs).await.claims;
        claims.pop().expect("one is due")
    }

    pub(in crate::store) async fn feed(&self, after: i64) -> Vec<Value> {
        let page = self.store.events(&all_after(after)).await;
        let EventPage::Events { events, .. } = page.expect("reads") else {
            panic!("events are there");
        };
        let bodies = events.into_iter().map(|event| event.body);
        bodies
            .map(|body| serde_json::from_str(&body).expect("JSON"))
            .collect()
    }

    async fn the_target(&self) -> TargetRow {
        let mut targets = self.store.targets().await.expect("reads");
        targets.remove(0)
    }

    /// Phases of all notifications, oldest first, each with its number of attempts.
    pub(in crate::store) async fn phases(&self) -> Vec<(String, u32)> {
        let filter = NotificationFilter {
            limit: 1000,
            ..NotificationFilter::default()
        };
        let page = self.store.notifications(&filter).await.expect("reads");
        let rows = page.items.into_iter();
        rows.map(|row| (row.phase, row.attempts)).collect()
    }
}
