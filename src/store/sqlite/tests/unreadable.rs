//! Unreadable rows: one that cannot be read, or that the database refuses to change, stops nothing else.

use super::*;

/// Values that the columns are set to, in the row that is spoilt, of every column that a decoder reads. The schema
/// takes none of the values.
const FAULTS: [&str; 39] = [
    "orders SET sinch_id = 'a/b'",
    "orders SET sinch_id = CAST(x'ff' AS TEXT)",
    "orders SET attempts = -1",
    "orders SET attempts = -2",
    "orders SET attempts = 4294967296",
    "orders SET attempts = 9223372036854775807",
    "orders SET parked = CAST(x'ff' AS TEXT), fetch_at = NULL",
    "orders SET parked = 'x', fetch_at = 20000000",
    "orders SET parked = 'attempts-used-up', parked_fields = '{\"attempts\":-1}', fetch_at = NULL",
    "orders SET lease = 7, leased_until_at = NULL",
    "orders SET confirmed_state = 'LOST'",
    "orders SET confirmed_state = CAST(x'ff' AS TEXT)",
    "orders SET confirmed_state = 'IN_REVIEW', updated_at = NULL",
    "orders SET confirmed_state = 'IN_REVIEW', updated_at = 1, confirmed_at = NULL",
    "orders SET confirmed_state = 'COMPLETED', updated_at = 1, confirmed_at = 1, reopened = 7",
    "orders SET provisional_state = 'LOST'",
    "orders SET provisional_state = 'BLOCKED', provisional_at = NULL",
    "orders SET hints = '['",
    "orders SET hints = '{}'",
    "orders SET hints = '[1e999]'",
    "orders SET hints = '[7]'",
    "orders SET hints = '[{\"state\":\"LOST\",\"said_at\":1,\"heard_at\":1}]'",
    "orders SET hints = CAST(x'ff' AS TEXT)",
    "orders SET doubts = '[7]'",
    "orders SET tie_state = 'LOST', tie_since_at = 1",
    "orders SET tie_state = 'BLOCKED', tie_since_at = NULL",
    "deliveries SET order_sinch_id = 'a/b'",
    "deliveries SET order_sinch_id = CAST(x'ff' AS TEXT)",
    "deliveries SET order_sinch_id = NULL",
    "deliveries SET status = NULL",
    "deliveries SET dedup_key = CAST(x'ff' AS TEXT)",
    "deliveries SET phase = 'lost'",
    "deliveries SET decision = CAST(x'ff' AS TEXT)",
    "fetches SET outcome = CAST(x'ff' AS TEXT), state = CAST(x'ff' AS TEXT)",
    "transitions SET cause = CAST(x'ff' AS TEXT), from_state = CAST(x'ff' AS TEXT)",
    "alerts SET kind = 'lost'",
    "alerts SET kind = CAST(x'ff' AS TEXT)",
    "alerts SET kind_fields = '{}'",
    "projects SET failures = -1, paused_until_at = 1, pause_reason = CAST(x'ff' AS TEXT)",
];

/// Returns the statement that gives a row of the fault's table a value that cannot be read: the newest row of the bad
/// order.
fn spoilt(fault: &str) -> String {
    let table = fault.split(' ').next().expect("a table");
    let row = match table {
        "orders" => "sinch_id = 'bad'",
        "deliveries" => "dedup_key = 'b2'",
        "fetches" | "transitions" | "alerts" => {
            "order_id = (SELECT id FROM orders WHERE sinch_id = 'bad')"
        }
        _ => "sinch_id = 'project-1'",
    };
    format!("UPDATE {fault} WHERE {row}")
}

/// Limits by which every order that is in review or BLOCKED has an alert.
fn limits() -> Limits {
    Limits {
        expiring: vec![Duration::from_secs(9000)],
        review: Duration::ZERO,
        blocked: Duration::ZERO,
    }
}

const SPOIL: &str = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";

impl Fixture {
    /// Makes a good order and a bad one, each with a waiting delivery. The bad one comes first in every list.
    async fn with_good_and_bad() -> Fixture {
        let fixture = Fixture::new().await;
        for (event, order) in [("b1", "bad"), ("g1", "good")] {
            let pending = delivery(event, order, State::InReview, 10);
            fixture.accept(pending).await;
        }
        fixture.process(20).await;
        for claim in fixture.claim(20).await {
            fixture.record(&claim, shows(State::InReview, 15), 20).await;
        }
        for (secs, order) in [(21, "bad"), (22, "good")] {
            let asked = fixture.store.request_fetch(key(order), at(secs)).await;
            asked.expect("writes");
        }
        for (event, order) in [("b2", "bad"), ("g2", "good")] {
            let pending = delivery(event, order, State::Blocked, 30);
            fixture.accept(pending).await;
        }
        fixture.record_alerts(&limits(), 30).await;
        fixture
    }

    /// Asserts that every query and write of operators and workers works, and does so for the good order.
    async fn works(&self, fault: &str) {
        let filter = OrderFilter {
            limit: 2,
            ..OrderFilter::default()
        };
        let listing = self.store.orders(&filter).await.expect(fault);
        assert!(
            listing.items.iter().any(|row| row.order == "good"),
            "{fault}"
        );
        assert_eq!(
            listing.items.len() + listing.unreadable.len(),
            2,
            "{fault}: {listing:?}"
        );
        assert!(listing.next.is_some(), "{fault}: the page is full");
        let parked = OrderFilter {
            parked: Some(true),
            ..filter
        };
        self.store.orders(&parked).await.expect(fault);
        self.store.deliveries(&parked_only(9)).await.expect(fault);
        let alerts = self.alerts(&limits(), 90).await;
        assert!(
            alerts.iter().any(|row| row.order == "good"),
            "{fault}: {alerts:?}"
        );
        self.record_alerts(&limits(), 90).await;
        self.store.summary(at(90)).await.expect(fault);
        assert!(!self.history("good").await.deliveries.is_empty(), "{fault}");
        match self.store.history(&key("bad")).await {
            Ok(_) => {}
            Err(StoreError::Unread(reason)) => assert!(reason.contains("row "), "{reason}"),
            Err(other) => panic!("{fault}: {other}"),
        }
        self.prune(at(90)).await;
        self.store.probe_write(at(90)).await.expect(fault);
    }

    /// Fetches the good order: a claim of one order reaches it, even if a bad one stands before it.
    async fn fetches_the_good_order(&self, fault: &str) {
        for claim_order in [
            ClaimOrder::Urgent,
            ClaimOrder::Urgent,
            ClaimOrder::Oldest,
            ClaimOrder::Oldest,
        ] {
            for claim in self.claim_some(1, claim_order, 40).await {
                let settled = self.record(&claim, shows(State::InReview, 35), 40).await;
                if claim.key == key("good") {
                    assert!(
                        matches!(settled, Recorded::Done { .. }),
                        "{fault}: {settled:?}"
                    );
                    return;
                }
            }
        }
        panic!("{fault}: nobody asks about the good order");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_left_out_and_the_others_go_on() {
    for fault in FAULTS {
        let fixture = Fixture::with_good_and_bad().await;
        fixture.edit(&format!("{SPOIL} {}", spoilt(fault))).await;
        fixture.works(fault).await;

        let processed = fixture
            .store
            .process(request(31))
            .await
            .expect(fault)
            .processed;
        let good = processed
            .iter()
            .find(|processed| processed.key == key("good"));
        assert!(
            good.is_some_and(|good| !good.parked),
            "{fault}: {processed:?}"
        );
        let waiting = "SELECT count(*) FROM deliveries WHERE phase NOT IN ('processed', 'parked')";
        assert_eq!(
            fixture.number(waiting).await,
            0,
            "{fault}: nothing is passed over"
        );
        let silent = "SELECT count(*) FROM deliveries WHERE phase = 'parked' AND decision IS NULL";
        assert_eq!(fixture.number(silent).await, 0, "{fault}");

        // All works as before after a start, which takes up what it finds.
        fixture.works(fault).await;
        let fixture = fixture.again().await;
        fixture.works(fault).await;
        fixture.fetches_the_good_order(fault).await;
        fixture.works(fault).await;

        // An unreadable row is claimed no more, and an operator sees it.
        fixture
            .store
            .request_fetch(key("good"), at(50))
            .await
            .expect(fault);
        for _ in 0..3 {
            fixture.claim_some(1, ClaimOrder::Urgent, 60).await;
        }
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let unreadable = fixture.store.orders(&filter).await.expect(fault).unreadable;
        for row in &unreadable {
            let met = fixture
                .store
                .summary(at(90))
                .await
                .expect(fault)
                .rows_unreadable;
            assert!(met.contains(row), "{fault}: {met:?}");
        }
        let due = "SELECT count(*) FROM orders WHERE parked IS NULL AND attempts NOT BETWEEN 0 AND 4294967295";
        assert_eq!(fixture.number(due).await, 0, "{fault}: the order is parked");
    }
}

#[tokio::test]
async fn what_is_unreadable_is_named_with_its_column() {
    for (fault, reason) in [
        (
            "attempts = -1",
            "attempts: invalid value: integer `-1`, expected u32",
        ),
        (
            "confirmed_state = 'LOST'",
            "confirmed_state: a state that this program never writes",
        ),
        ("updated_at = NULL", "confirmed_state without updated_at"),
        ("tie_state = 'BLOCKED'", "tie_state without tie_since_at"),
    ] {
        let fixture = Fixture::with_good_and_bad().await;
        fixture
            .edit(&format!(
                "{SPOIL} UPDATE orders SET {fault} WHERE sinch_id = 'bad'"
            ))
            .await;
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let unreadable = fixture
            .store
            .orders(&filter)
            .await
            .expect("reads")
            .unreadable;
        let row = UnreadableRow {
            table: "orders",
            row: 1,
            project: Some(PROJECT.to_owned()),
            order: Some("bad".to_owned()),
            reason: reason.to_owned(),
        };
        assert_eq!(unreadable, [row]);
    }
}

/// A row that was repaired, by a requested fetch or by hand, or that was removed, is listed no longer. No restart is
/// needed.
#[tokio::test]
async fn an_order_that_can_be_read_again_is_no_longer_named() {
    for cure in [
        None,
        Some("UPDATE orders SET attempts = 3 WHERE sinch_id = 'bad'"),
        Some(
            "DELETE FROM fetches WHERE order_id = 1; DELETE FROM transitions WHERE order_id = 1; DELETE FROM alerts WHERE order_id = 1;
             DELETE FROM events WHERE order_id = 1; DELETE FROM deliveries WHERE order_id = 1; DELETE FROM orders WHERE id = 1",
        ),
    ] {
        let fixture = Fixture::with_good_and_bad().await;
        let spoil = "UPDATE orders SET attempts = -1 WHERE sinch_id = 'bad'; \
                     UPDATE orders SET tie_state = 'LOST' WHERE sinch_id = 'good'";
        fixture.edit(&format!("{SPOIL} {spoil}")).await;
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let spoilt = fixture.store.orders(&filter).await.expect("reads").unreadable;
        assert_eq!(spoilt.len(), 2);
        let named = async || {
            let summary = fixture.store.summary(at(90)).await.expect("reads");
            summary.rows_unreadable
        };
        assert_eq!(named().await, spoilt);
        match cure {
            None => assert_eq!(
                fixture.store.request_fetch(key("bad"), at(50)).await,
                Ok(true)
            ),
            Some(sql) => fixture.edit(sql).await,
        }
        assert_eq!(named().await, spoilt[1..], "{cure:?}");
    }
}

/// Triggers that stand for every cause that makes the database refuse one row of many.
const REFUSALS: [&str; 7] = [
    "BEFORE UPDATE ON orders WHEN OLD.sinch_id = 'bad'",
    "BEFORE UPDATE OF hints ON orders WHEN OLD.sinch_id = 'bad'",
    "BEFORE UPDATE OF lease ON orders WHEN OLD.sinch_id = 'bad'",
    "BEFORE INSERT ON alerts WHEN NEW.order_id = 1",
    "BEFORE UPDATE ON alerts WHEN OLD.order_id = 1",
    "BEFORE UPDATE OF phase ON deliveries WHEN OLD.dedup_key = 'b2'",
    "BEFORE INSERT ON fetches WHEN NEW.order_id = 1",
];

#[tokio::test]
async fn a_row_that_the_database_refuses_holds_up_no_other() {
    for refusal in REFUSALS {
        let fixture = Fixture::with_good_and_bad().await;
        let trigger =
            format!("CREATE TRIGGER refuses {refusal} BEGIN SELECT RAISE(ABORT, 'refused'); END");
        fixture.edit(&trigger).await;
        let processed = fixture
            .store
            .process(request(31))
            .await
            .expect(refusal)
            .processed;
        let good = processed
            .iter()
            .find(|processed| processed.key == key("good"));
        assert!(
            good.is_some_and(|good| !good.parked),
            "{refusal}: {processed:?}"
        );
        fixture.works(refusal).await;
        fixture.fetches_the_good_order(refusal).await;
        fixture.works(refusal).await;
        let claims = fixture.claim(200).await;
        let outcomes = claims
            .iter()
            .map(|claim| outcome(claim, shows(State::Blocked, 60), 200));
        let settled = fixture
            .store
            .record(outcomes.collect())
            .await
            .expect(refusal);
        for (claim, settled) in claims.iter().zip(settled) {
            let is_done = matches!(settled, Recorded::Done { .. });
            assert!(is_done || claim.key == key("bad"), "{refusal}: {settled:?}");
        }
        let fixture = fixture.again().await;
        let asked = fixture.store.request_fetch(key("good"), at(39)).await;
        asked.expect(refusal);
        fixture.works(refusal).await;
        fixture.fetches_the_good_order(refusal).await;
    }
}

/// Progress that cannot be true starts over: it would stop the processing of every delivery.
#[tokio::test]
async fn impossible_progress_of_retention_stops_nothing() {
    for column in [
        "bodies_emptied_through",
        "deliveries_pruned_through",
        "fetches_pruned_through",
    ] {
        for value in [-7, i64::MAX] {
            let fixture = Fixture::with_good_and_bad().await;
            let spoil = format!("{SPOIL} UPDATE service SET {column} = {value}");
            fixture.edit(&spoil).await;
            let fixture = fixture.again().await;
            let processed = fixture.process(40).await.processed;
            assert_eq!(processed.len(), 2, "{column} {value}");
            fixture.prune(at(90)).await;
        }
    }
}
