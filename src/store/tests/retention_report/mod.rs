//! Retention report: what it says is due is what pruning then removes, and old rows that stay have a reason.

mod play;

use strum::VariantArray;

use super::notifying::target;
use super::*;
use number_order::{NotUnderstood, OtherEvent};

/// Retention periods in these tests.
const PERIODS: RetentionPeriods = RetentionPeriods {
    bodies: Duration::from_secs(100),
    deliveries: Duration::from_secs(1000),
    parked: Duration::from_secs(3000),
    quarantine: Duration::from_secs(500),
    events: Duration::from_secs(800),
    orders: Duration::from_secs(5000),
};

/// Number of rows that are too many to be counted one by one.
const MANY: u64 = 20_000;

impl Fixture {
    async fn report(&self, secs: i64) -> Vec<KindReport> {
        let report = self.store.retention_report(&PERIODS, at(secs)).await;
        report.expect("reads")
    }

    async fn report_of(&self, kind: RetentionKind, secs: i64) -> KindReport {
        let report = self.report(secs).await.into_iter();
        let mut report = report.filter(|report| report.kind == kind);
        report.next().expect("each kind is there")
    }

    /// Prunes until nothing is left to do, and returns the number of rows of each kind.
    async fn pruned_by(&self, periods: &RetentionPeriods, secs: i64) -> Vec<(RetentionKind, u64)> {
        let mut all: Vec<_> = RetentionKind::VARIANTS
            .iter()
            .map(|kind| (*kind, 0))
            .collect();
        loop {
            let pruned = self.store.prune(periods.clone(), at(secs)).await;
            let pruned = pruned.expect("prunes");
            if pruned.taken == 0 {
                return all;
            }
            for (kind, count) in &mut all {
                *count += of_kind(&pruned, *kind);
            }
        }
    }

    /// Returns the statement that adds a fetch of an order, if the order is known.
    fn fetch(&self, order: &str, lease: usize, secs: i64) -> String {
        let column = self.pick("", "lease, ");
        let value = self
            .pick("", "{lease}, ")
            .replace("{lease}", &lease.to_string());
        format!(
            "INSERT INTO fetches ({column}order_id, fetched_at, outcome)
             SELECT {value}id, {}, 'not-found' FROM orders WHERE sinch_id = '{order}';",
            at(secs).0
        )
    }

    /// Adds an event of an order, or of none if that order is not known, and in what phase a target is told of it.
    async fn add_event(&self, order: &str, phase: &str, secs: i64) {
        let newest = self.pick(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)",
            "SELECT last FROM event_sequence",
        );
        let sequence = self.number(newest).await + 1;
        let of_order = format!("FROM orders WHERE sinch_id = '{order}'");
        let at = at(secs).0;
        let mut sql = format!(
            "INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional, test, body)
             SELECT {sequence}, 'evt', 'order.blocked', {at}, (SELECT id {of_order}), (SELECT coalesce((SELECT
                max(order_sequence) FROM events WHERE order_id = orders.id), 0) + 1 {of_order}), false, false, '{{}}';"
        );
        if phase != "none" {
            let (tried, tried_at) = if phase == "waiting" {
                ("0", "NULL".to_owned())
            } else {
                ("1", at.to_string())
            };
            sql += &format!(
                "INSERT INTO notifications (target, event, subject, phase, attempts, attempted_at)
                 SELECT id, {sequence}, 0, '{phase}', {tried}, {tried_at} FROM targets;"
            );
        }
        let counted = format!("UPDATE event_sequence SET last = {sequence}");
        self.edit(&(sql + self.pick("", &counted))).await;
    }
}

fn of_kind(pruned: &Pruned, kind: RetentionKind) -> u64 {
    match kind {
        RetentionKind::Bodies => pruned.bodies,
        RetentionKind::Deliveries => pruned.deliveries,
        RetentionKind::Parked => pruned.parked,
        RetentionKind::Quarantine => pruned.quarantined,
        RetentionKind::Fetches => pruned.fetches,
        RetentionKind::Orders => pruned.orders,
        RetentionKind::Events => pruned.events,
        RetentionKind::Alerts => pruned.alerts,
        RetentionKind::Actions => pruned.actions,
    }
}

/// Returns the statement that adds a closed order.
fn closed_order(order: &str, secs: i64) -> String {
    let at = at(secs).0;
    format!(
        "INSERT INTO orders (project, sinch_id, first_seen_at, fetched_at, confirmed_state, updated_at, shown_at, confirmed_at)
         VALUES (1, '{order}', {at}, {at}, 'REJECTED', {at}, {at}, {at}) ON CONFLICT DO NOTHING;"
    )
}

async fn the_report_of_an_empty_store_has_every_kind_and_nothing_else(on: Backend) {
    let fixture = Fixture::on(on).await;
    let report = fixture.report(10_000).await;
    let kinds: Vec<_> = report.iter().map(|report| report.kind).collect();
    assert_eq!(kinds, RetentionKind::VARIANTS);
    let nothing = RowCount {
        count: 0,
        precision: Precision::Exact,
    };
    for of in report {
        assert_eq!((of.rows, of.due), (nothing, nothing), "{:?}", of.kind);
        assert_eq!((of.oldest_at, of.stays), (None, None), "{:?}", of.kind);
    }
}

async fn what_is_parked_or_waits_stays_and_the_report_says_so(on: Backend) {
    let fixture = Fixture::on(on).await;
    let mut parked = delivery("e1", "-", State::Blocked, 10);
    parked.subject = DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject);
    fixture
        .accept(delivery("e0", "o1", State::InReview, 10))
        .await;
    let stays = async |kind, secs| fixture.report_of(kind, secs).await.stays;
    for kind in [RetentionKind::Bodies, RetentionKind::Deliveries] {
        assert_eq!(
            stays(kind, 1009).await.is_some(),
            kind == RetentionKind::Bodies
        );
        assert_eq!(stays(kind, 1010).await, Some(StayReason::NotProcessed));
    }
    fixture.process(20).await;
    fixture.pruned_by(&PERIODS, 1010).await;
    fixture.accept(parked).await;
    fixture.process(20).await;
    for kind in [RetentionKind::Bodies, RetentionKind::Deliveries] {
        let report = fixture.report_of(kind, 1010).await;
        assert_eq!(report.stays, Some(StayReason::Parked), "{kind:?}");
        assert_eq!(report.oldest_at, Some(at(10)));
    }
    // Once it is due it goes, and there is no reason why it should stay.
    let report = fixture.report_of(RetentionKind::Parked, 3010).await;
    assert_eq!((report.due.count, report.stays), (1, None));
}

async fn the_newest_fetches_and_events_stay_and_the_report_says_so(on: Backend) {
    let fixture = Fixture::telling(on, vec![target("crm", "order.*", false)]).await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(10).await;
    // The store's own event of this order would stand before those of the test.
    fixture
        .edit("DELETE FROM notifications; DELETE FROM events")
        .await;
    fixture.edit(&fixture.fetch("o1", 1, 10)).await;
    let stays = async |kind| fixture.report_of(kind, 9000).await.stays;
    assert_eq!(
        stays(RetentionKind::Fetches).await,
        Some(StayReason::NewestTen)
    );
    fixture.pruned_by(&PERIODS, 9000).await;
    for lease in 2..12 {
        fixture.edit(&fixture.fetch("o1", lease, 8500)).await;
    }
    let passed_over = Some(StayReason::PassedOver);
    assert_eq!(stays(RetentionKind::Fetches).await, passed_over);

    fixture.add_event("o1", "waiting", 10).await;
    let waits = Some(StayReason::NotificationWaiting);
    assert_eq!(stays(RetentionKind::Events).await, waits);
    fixture
        .edit("UPDATE notifications SET phase = 'parked', attempts = 1, attempted_at = 1")
        .await;
    let parked = Some(StayReason::NotificationParked);
    assert_eq!(stays(RetentionKind::Events).await, parked);
    fixture.edit("DELETE FROM notifications").await;
    assert_eq!(
        stays(RetentionKind::Events).await,
        Some(StayReason::NewestEvent)
    );
    fixture.pruned_by(&PERIODS, 9000).await;
    fixture.add_event("o1", "none", 8500).await;
    assert_eq!(stays(RetentionKind::Events).await, passed_over);
}

async fn an_order_or_an_alert_that_is_not_at_its_end_stays_and_the_report_says_so(on: Backend) {
    let fixture = Fixture::on(on).await;
    let stays = async |kind| fixture.report_of(kind, 19_000).await.stays;
    fixture.edit(&closed_order("c1", 10)).await;
    let due = fixture.report_of(RetentionKind::Orders, 19_000).await;
    assert_eq!(
        (due.due.count, due.stays, due.oldest_at),
        (1, None, Some(at(10)))
    );
    fixture
        .edit(
            "INSERT INTO order_numbers (order_id, project, phone_number, followed_at, fetch_at)
               SELECT id, 1, '+1', 1, 1 FROM orders",
        )
        .await;
    let followed = fixture.report_of(RetentionKind::Orders, 19_000).await;
    assert_eq!(
        (followed.due.count, followed.stays),
        (0, Some(StayReason::NumberFollowed))
    );
    fixture.edit("DELETE FROM order_numbers").await;
    // A delivery that came while the clock was ahead holds up the one about the order, and so the order.
    fixture
        .accept(delivery("e1", "other", State::InReview, 18_500))
        .await;
    fixture
        .accept(delivery("e2", "c1", State::Rejected, 10))
        .await;
    fixture.process(20).await;
    assert_eq!(
        stays(RetentionKind::Orders).await,
        Some(StayReason::DeliveryKept)
    );
    fixture.edit("UPDATE orders SET fetch_at = 1").await;
    assert_eq!(
        stays(RetentionKind::Orders).await,
        Some(StayReason::NotClosed)
    );

    fixture
        .edit("INSERT INTO service_alerts (kind, subject, began_at, seen_at, fired_at) VALUES ('silence', '', 1, 1, 1)")
        .await;
    assert_eq!(
        stays(RetentionKind::Alerts).await,
        Some(StayReason::NotResolved)
    );
    fixture
        .edit("UPDATE service_alerts SET resolved_at = 1")
        .await;
    assert_eq!(stays(RetentionKind::Alerts).await, None);
}

/// A number that is estimated lies within a tenth of the true one.
fn is_about(count: RowCount, truth: u64) -> bool {
    count.precision == Precision::About && count.count.abs_diff(truth) <= truth / 10
}

/// Rows come one a second. The cutoff lies three quarters of the way to the end.
async fn of_many_rows_the_number_is_estimated(on: Backend) {
    let fixture = Fixture::on(on).await;
    let numbers = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {MANY})"
    );
    let seconds = "n * CAST(1000000 AS bigint)";
    // One delivery in four is parked. Each order has 40 fetches and 40 events. One closed order in two has a number that
    // is followed.
    let deliveries = fixture.pick(
        "INSERT INTO deliveries (project, dedup_key, received_at, phase, decision, body)
         SELECT 1, 'e' || n, {at}, CASE WHEN n % 4 = 0 THEN 'parked' ELSE 'recorded' END, 'other-resource', x'00' FROM n;
         UPDATE service SET processed_through = (SELECT max(id) FROM deliveries)",
        "INSERT INTO deliveries (project, dedup_key, digest, received_at, kind, decision, body)
         SELECT 1, 'e' || n, decode(md5(n::text), 'hex'), {at},
            CASE WHEN n % 4 = 0 THEN 'not-understood' ELSE 'other' END, 'body-not-json', 'x' FROM n",
    );
    let deliveries = deliveries.replace("{at}", seconds);
    let (column, value) = (fixture.pick("", "lease, "), fixture.pick("", "n, "));
    fixture
        .edit(&format!(
            "{numbers} {deliveries};
             {numbers} INSERT INTO orders (project, sinch_id, first_seen_at, fetched_at, confirmed_state, updated_at,
                shown_at, confirmed_at) SELECT 1, 'o' || n, {seconds}, {seconds}, 'REJECTED', 1, 1, 1 FROM n;
             INSERT INTO order_numbers (order_id, project, phone_number, followed_at, fetch_at)
             SELECT id, 1, '+1', 1, 1 FROM orders WHERE id % 2 = 0;
             {numbers} INSERT INTO fetches ({column}order_id, fetched_at, outcome)
             SELECT {value}n % 500 + 1, {seconds}, 'not-found' FROM n;
             {numbers} INSERT INTO events (sequence, id, type, recorded_at, order_id, order_sequence, provisional, test, body)
             SELECT n, 'evt', 'order.blocked', {seconds}, n % 500 + 1, n / 500 + 1, false, false, '{{}}' FROM n;"
        ))
        .await;
    let (three_quarters, now) = (MANY / 4 * 3, 3 * MANY as i64 / 4);
    for (kind, period, due) in [
        (RetentionKind::Deliveries, 1000, three_quarters / 4 * 3),
        (RetentionKind::Bodies, 100, three_quarters / 4 * 3),
        (RetentionKind::Fetches, 1000, three_quarters),
        (RetentionKind::Events, 800, three_quarters),
        (RetentionKind::Orders, 5000, three_quarters / 2),
    ] {
        let report = fixture
            .store
            .retention_report(&of_one(kind), at(now + period))
            .await;
        let mut reports = report.expect("reads").into_iter();
        let report = reports.rfind(|report| report.kind == kind);
        let report = report.expect("the kind is there");
        assert!(is_about(report.due, due), "{due} of {kind:?}: {report:?}");
        let is_whole = report.rows.count.abs_diff(MANY) <= MANY / 10;
        assert!(is_whole, "{kind:?}: {report:?}");
    }
    let parked = fixture.report_of(RetentionKind::Parked, now + 3000).await;
    assert_eq!(
        (parked.rows.count, parked.due.count),
        (MANY / 4, three_quarters / 4)
    );
}

/// All but the first hundred are closed and past their period, and one in three has a number that is followed. The first
/// hundred are open, with gaps between them as pruning leaves them: a gap must not count.
async fn of_more_closed_orders_than_are_counted_the_share_is_that_of_samples(on: Backend) {
    let fixture = Fixture::on(on).await;
    fixture
        .edit(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 120100)
             INSERT INTO orders (id, project, sinch_id, first_seen_at, fetched_at, confirmed_state, updated_at, shown_at,
                confirmed_at)
             SELECT CASE WHEN n <= 100 THEN n * 10000 ELSE 1000000 + n END, 1, 'o' || n, n, n,
                CASE WHEN n <= 100 THEN 'IN_REVIEW' ELSE 'REJECTED' END, 1, 1, 1 FROM n;
             INSERT INTO order_numbers (order_id, project, phone_number, followed_at, fetch_at)
             SELECT id, 1, '+1', 1, 1 FROM orders WHERE id > 1000000 AND id % 3 = 0",
        )
        .await;
    let report = fixture.report_of(RetentionKind::Orders, 19_000).await;
    // Some thirty samples lie among the closed orders.
    assert!(report.due.count.abs_diff(80_000) <= 20_000, "{report:?}");
    assert!(report.rows.count.abs_diff(120_100) <= 12_010, "{report:?}");
}

/// Returns periods by which nothing is due before that of the kind: what is removed whole need not be emptied.
fn of_one(kind: RetentionKind) -> RetentionPeriods {
    match kind {
        RetentionKind::Bodies => RetentionPeriods {
            deliveries: Duration::from_secs(1_000_000),
            ..PERIODS
        },
        _ => PERIODS,
    }
}

suite!(
    the_report_of_an_empty_store_has_every_kind_and_nothing_else,
    what_is_parked_or_waits_stays_and_the_report_says_so,
    the_newest_fetches_and_events_stay_and_the_report_says_so,
    an_order_or_an_alert_that_is_not_at_its_end_stays_and_the_report_says_so,
    of_many_rows_the_number_is_estimated,
    of_more_closed_orders_than_are_counted_the_share_is_that_of_samples,
);
