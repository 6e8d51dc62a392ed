//! Alerts: each fires once, and is resolved once.

use super::*;

const NOTHING: [Vec<AlertKind>; 2] = [Vec::new(), Vec::new()];

/// Limits with the given thresholds in seconds.
fn limits(expiring: &[u64], blocked: u64) -> Limits {
    let span = |secs: &u64| Duration::from_secs(*secs);
    Limits {
        expiring: expiring.iter().map(span).collect(),
        review: Duration::from_secs(500),
        blocked: span(&blocked),
    }
}

fn blocked(secs: u64) -> AlertKind {
    AlertKind::long_blocked(Duration::from_secs(secs))
}

impl Fixture {
    /// A fixture with an order that Sinch has shown in this state, with `updateTime` 10 s.
    async fn with_order_in(on: Backend, state: State) -> Fixture {
        let fixture = Fixture::on(on).await;
        fixture.accept(delivery("e1", "o1", state, 10)).await;
        fixture.process(12).await;
        fixture.show("o1", shows(state, 10), 12).await;
        fixture
    }

    /// Fetches an order.
    async fn show(&self, order: &str, answer: Result<Answer, Failure>, secs: i64) {
        let known = self.store.request_fetch(key(order), at(secs)).await;
        assert_eq!(known, Ok(true));
        let claim = self.claim(secs).await.remove(0);
        self.record(&claim, answer, secs).await;
    }

    /// Alerts of the order, each with the seconds at which it fired and was resolved.
    async fn recorded_alerts(&self) -> Vec<(AlertKind, Time, Option<Time>)> {
        let alerts = self.history("o1").await.alerts.into_iter();
        alerts
            .map(|row| (row.alert, row.fired_at, row.resolved_at))
            .collect()
    }
}

async fn an_alert_fires_once_until_it_is_resolved(on: Backend) {
    let fixture = Fixture::with_order_in(on, State::Blocked).await;
    let limits = limits(&[], 100);
    assert!(fixture.alerts(&limits, 109).await.is_empty());
    assert_eq!(fixture.record_alerts(&limits, 109).await, NOTHING);
    let fired = [vec![blocked(100)], vec![]];
    assert_eq!(fixture.record_alerts(&limits, 110).await, fired);
    assert_eq!(fixture.record_alerts(&limits, 120).await, NOTHING);
    assert_eq!(
        fixture.alerts(&limits, 120).await.len(),
        1,
        "the alert still fires"
    );
    let open = (blocked(100), at(110), None);
    assert_eq!(fixture.recorded_alerts().await, [open]);

    let fixture = fixture.again().await;
    assert_eq!(
        fixture.record_alerts(&limits, 130).await,
        NOTHING,
        "a restart"
    );

    fixture.show("o1", shows(State::InReview, 200), 200).await;
    let resolved = [vec![], vec![blocked(100)]];
    assert_eq!(fixture.record_alerts(&limits, 220).await, resolved);
    assert_eq!(fixture.record_alerts(&limits, 240).await, NOTHING);
    let closed = (blocked(100), at(110), Some(at(220)));
    assert_eq!(
        fixture.recorded_alerts().await,
        std::slice::from_ref(&closed)
    );

    fixture.show("o1", shows(State::Blocked, 300), 300).await;
    assert_eq!(fixture.record_alerts(&limits, 400).await, fired);
    let anew = (blocked(100), at(400), None);
    assert_eq!(fixture.recorded_alerts().await, [closed, anew]);
}

async fn a_reservation_that_runs_out_fires_an_alert_at_each_threshold(on: Backend) {
    // The order expires at 9010 s.
    let fixture = Fixture::with_order_in(on, State::Created).await;
    let limits = limits(&[900, 7200], 100);
    let [tight, wide] = [900, 7200].map(|secs| AlertKind::expiring(Duration::from_secs(secs)));
    for (secs, fired) in [
        (1809, vec![]),
        (1810, vec![wide.clone()]),
        (8109, vec![]),
        (8110, vec![tight.clone()]),
        (9010, vec![AlertKind::Overdue]),
        (9999, vec![]),
    ] {
        let changes = fixture.record_alerts(&limits, secs).await;
        assert_eq!(changes, [fired, vec![]], "at {secs}");
    }
    fixture.show("o1", shows(State::Expired, 9011), 9999).await;
    let all = vec![wide, tight, AlertKind::Overdue];
    assert_eq!(fixture.record_alerts(&limits, 9999).await, [vec![], all]);
}

async fn another_threshold_is_another_alert(on: Backend) {
    let fixture = Fixture::with_order_in(on, State::Blocked).await;
    fixture.record_alerts(&limits(&[], 100), 1000).await;
    let changes = fixture.record_alerts(&limits(&[], 200), 1000).await;
    assert_eq!(changes, [vec![blocked(200)], vec![blocked(100)]]);
}

/// It is not known how the orders of a project end that is not fetched any more.
async fn alerts_of_a_project_that_is_not_fetched_stay_as_they_are(on: Backend) {
    let fixture = Fixture::with_order_in(on, State::Blocked).await;
    fixture.record_alerts(&limits(&[], 100), 1000).await;
    fixture.edit("UPDATE projects SET active = false").await;
    assert_eq!(
        fixture.record_alerts(&limits(&[], 200), 1000).await,
        NOTHING
    );
    fixture.edit("UPDATE projects SET active = true").await;
    assert_eq!(
        fixture.record_alerts(&limits(&[], 100), 1000).await,
        NOTHING
    );
}

/// Orders beyond a page are compared, too, and a check has a bound.
async fn many_alerts_fire_and_are_resolved_in_parts(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .edit(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1200)
             INSERT INTO orders (id, project, sinch_id, first_seen_at, confirmed_state, updated_at, shown_at, confirmed_at)
             SELECT n, 1, 'o' || n, 1, 'BLOCKED', 1, 1, 1 FROM n",
        )
        .await;
    let limits = limits(&[], 100);
    let step = async || {
        let changes = fixture.store.alert_changes(at(1000), &limits, 700).await;
        let changes = changes.expect("reads");
        let recorded = fixture.store.record_alerts(&changes, at(1000)).await;
        recorded.expect("writes");
        (changes.fired.len(), changes.resolved.len())
    };
    assert_eq!(
        [step().await, step().await, step().await],
        [(700, 0), (500, 0), (0, 0)]
    );
    // One order in each page keeps its alert.
    fixture
        .edit("UPDATE orders SET confirmed_state = 'IN_REVIEW', updated_at = 999000000 WHERE id NOT IN (1, 600, 1200)")
        .await;
    let (_, first) = step().await;
    assert!((700..=1197).contains(&first), "{first}");
    let (_, second) = step().await;
    assert_eq!((first + second, step().await), (1197, (0, 0)));
    let open = "SELECT count(*) FROM alerts WHERE resolved_at IS NULL";
    assert_eq!(fixture.number(open).await, 3);
}

/// The database refuses to have an alert of one order recorded, and then to have it resolved.
async fn an_alert_that_cannot_be_recorded_comes_again_and_holds_up_no_other(on: Backend) {
    let fixture = Fixture::with_order_in(on, State::Blocked).await;
    fixture
        .accept(delivery("e2", "o2", State::Blocked, 10))
        .await;
    fixture.process(12).await;
    fixture.show("o2", shows(State::Blocked, 10), 12).await;
    let (long, longer) = (limits(&[], 100), limits(&[], 200));
    fixture.refuse("INSERT ON alerts", "NEW.order_id = 1").await;
    let [fired, _] = fixture.record_alerts(&long, 1000).await;
    assert_eq!(fired.len(), 2);
    let [fired, _] = fixture.record_alerts(&long, 1000).await;
    assert_eq!(fired.len(), 1, "the other one is recorded");
    fixture.refuse_no_more("alerts").await;
    fixture.record_alerts(&long, 1000).await;
    assert_eq!(fixture.record_alerts(&long, 1000).await, NOTHING);

    fixture.refuse("UPDATE ON alerts", "OLD.order_id = 1").await;
    let [fired, resolved] = fixture.record_alerts(&longer, 1000).await;
    assert_eq!((fired.len(), resolved.len()), (2, 2));
    let [fired, resolved] = fixture.record_alerts(&longer, 1000).await;
    assert_eq!(
        (fired.len(), resolved.len()),
        (0, 1),
        "the others are recorded"
    );
}

/// An order may be removed between the check of its alerts and their recording.
async fn an_alert_of_an_order_that_is_gone_is_not_recorded(on: Backend) {
    let fixture = Fixture::with_order_in(on, State::Blocked).await;
    let changes = fixture
        .store
        .alert_changes(at(1000), &limits(&[], 100), 9)
        .await;
    let changes = changes.expect("reads");
    assert_eq!(changes.fired.len(), 1);
    fixture
        .edit(
            "DELETE FROM events; DELETE FROM deliveries; DELETE FROM fetches; DELETE FROM transitions; DELETE FROM orders",
        )
        .await;
    let recorded = fixture.store.record_alerts(&changes, at(1000)).await;
    assert_eq!(recorded, Ok(()));
    assert_eq!(fixture.number("SELECT count(*) FROM alerts").await, 0);
}

suite!(
    an_alert_fires_once_until_it_is_resolved,
    a_reservation_that_runs_out_fires_an_alert_at_each_threshold,
    another_threshold_is_another_alert,
    alerts_of_a_project_that_is_not_fetched_stay_as_they_are,
    many_alerts_fire_and_are_resolved_in_parts,
    an_alert_that_cannot_be_recorded_comes_again_and_holds_up_no_other,
    an_alert_of_an_order_that_is_gone_is_not_recorded,
);
