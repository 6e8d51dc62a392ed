//! One row that cannot be read, or that the database will not have changed, stops nothing else.

use super::*;

/// What the columns that a decoder reads are set to, in the row that is spoilt. The schema takes none of these.
const FAULTS: [&str; 35] = [
    "orders SET name = 'a/b'",
    "orders SET name = CAST(x'ff' AS TEXT)",
    "orders SET attempts = -1",
    "orders SET attempts = -2",
    "orders SET attempts = 4294967296",
    "orders SET attempts = 9223372036854775807",
    "orders SET parked = CAST(x'ff' AS TEXT), ask_at = NULL",
    "orders SET parked = 'x', ask_at = 20000000",
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
    "deliveries SET order_name = 'a/b'",
    "deliveries SET order_name = CAST(x'ff' AS TEXT)",
    "deliveries SET order_name = NULL",
    "deliveries SET status = NULL",
    "deliveries SET event = CAST(x'ff' AS TEXT)",
    "deliveries SET phase = 'lost'",
    "deliveries SET verdict = CAST(x'ff' AS TEXT)",
    "answers SET finding = CAST(x'ff' AS TEXT), state = CAST(x'ff' AS TEXT)",
    "transitions SET cause = CAST(x'ff' AS TEXT), from_state = CAST(x'ff' AS TEXT)",
    "projects SET failures = -1, paused_until_at = 1, pause_reason = CAST(x'ff' AS TEXT)",
];

/// The row of each table that is spoilt: of the bad order, what is newest.
fn spoilt(fault: &str) -> String {
    let table = fault.split(' ').next().expect("a table");
    let row = match table {
        "orders" => "name = 'bad'",
        "deliveries" => "event = 'b2'",
        "answers" | "transitions" => "order_id = (SELECT id FROM orders WHERE name = 'bad')",
        _ => "name = 'project-1'",
    };
    format!("UPDATE {fault} WHERE {row}")
}

const SPOIL: &str = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";

impl House {
    /// A good order and a bad one, which comes first everywhere; something waits to be looked at of both.
    async fn with_good_and_bad() -> House {
        let house = House::new().await;
        for (event, order) in [("b1", "bad"), ("g1", "good")] {
            let news = delivery(event, order, State::InReview, 10);
            house.accept(news).await;
        }
        house.look(20).await;
        for claim in house.claim(20).await {
            house.settle(&claim, shows(State::InReview, 15), 20).await;
        }
        for (secs, order) in [(21, "bad"), (22, "good")] {
            let asked = house.store.ask_now(key(order), at(secs)).await;
            asked.expect("writes");
        }
        for (event, order) in [("b2", "bad"), ("g2", "good")] {
            let news = delivery(event, order, State::Blocked, 30);
            house.accept(news).await;
        }
        house
    }

    /// All that operators and workers ask works, and does so for the good order.
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
        assert!(listing.last.is_some(), "{fault}: the page is full");
        let parked = OrderFilter {
            parked: true,
            ..filter
        };
        self.store.orders(&parked).await.expect(fault);
        self.store.parked(0, 9).await.expect(fault);
        let limits = Limits {
            expiring: vec![Duration::from_secs(9000)],
            review: Duration::ZERO,
            blocked: Duration::ZERO,
        };
        let conditions = self.store.conditions(at(90), &limits, Which::All, 9).await;
        let conditions = conditions.expect(fault);
        assert!(
            conditions.iter().any(|row| row.order == "good"),
            "{fault}: {conditions:?}"
        );
        self.store.reported(&conditions).await.expect(fault);
        self.store.summary(at(90)).await.expect(fault);
        assert!(!self.history("good").await.deliveries.is_empty(), "{fault}");
        match self.store.history(&key("bad")).await {
            Ok(_) => {}
            Err(StoreError::Unread(reason)) => assert!(reason.contains("row "), "{reason}"),
            Err(other) => panic!("{fault}: {other}"),
        }
        self.clear(at(90)).await;
        self.store.beat(at(90)).await.expect(fault);
    }

    /// Asks about the good order: a claim of one comes to it, whatever is before it.
    async fn asks_about_the_good_one(&self, fault: &str) {
        for turn in [Turn::Urgent, Turn::Urgent, Turn::Oldest, Turn::Oldest] {
            for claim in self.claim_some(1, turn, 40).await {
                let settled = self.settle(&claim, shows(State::InReview, 35), 40).await;
                if claim.key == key("good") {
                    assert!(
                        matches!(settled, Settled::Done { .. }),
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
        let house = House::with_good_and_bad().await;
        house.edit(&format!("{SPOIL} {}", spoilt(fault))).await;
        house.works(fault).await;

        let looked = house.store.look(request(31)).await.expect(fault).looked;
        let good = looked.iter().find(|looked| looked.key == key("good"));
        assert!(good.is_some_and(|good| !good.parked), "{fault}: {looked:?}");
        let waiting = "SELECT count(*) FROM deliveries WHERE phase NOT IN ('settled', 'parked')";
        assert_eq!(
            house.number(waiting).await,
            0,
            "{fault}: nothing is passed over"
        );
        let silent = "SELECT count(*) FROM deliveries WHERE phase = 'parked' AND verdict IS NULL";
        assert_eq!(house.number(silent).await, 0, "{fault}");

        // Again after a start, which takes up what it finds.
        house.works(fault).await;
        let house = house.again().await;
        house.works(fault).await;
        house.asks_about_the_good_one(fault).await;
        house.works(fault).await;

        // Nobody comes back to a row that cannot be read, and an operator sees it.
        house.store.ask_now(key("good"), at(50)).await.expect(fault);
        for _ in 0..3 {
            house.claim_some(1, Turn::Urgent, 60).await;
        }
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let unreadable = house.store.orders(&filter).await.expect(fault).unreadable;
        for row in &unreadable {
            let met = house
                .store
                .summary(at(90))
                .await
                .expect(fault)
                .rows_unreadable;
            assert!(met.contains(row), "{fault}: {met:?}");
        }
        let due = "SELECT count(*) FROM orders WHERE parked IS NULL AND attempts NOT BETWEEN 0 AND 4294967295";
        assert_eq!(house.number(due).await, 0, "{fault}: it is parked");
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
        let house = House::with_good_and_bad().await;
        house
            .edit(&format!(
                "{SPOIL} UPDATE orders SET {fault} WHERE name = 'bad'"
            ))
            .await;
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let unreadable = house.store.orders(&filter).await.expect("reads").unreadable;
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

/// Without a restart: what is put right, by `ask` or by hand, or goes, is no longer among what cannot be read.
#[tokio::test]
async fn an_order_that_can_be_read_again_is_no_longer_named() {
    for cure in [
        None,
        Some("UPDATE orders SET attempts = 3 WHERE name = 'bad'"),
        Some(
            "DELETE FROM answers WHERE order_id = 1; DELETE FROM transitions WHERE order_id = 1;
             DELETE FROM deliveries WHERE order_id = 1; DELETE FROM orders WHERE id = 1",
        ),
    ] {
        let house = House::with_good_and_bad().await;
        let spoil = "UPDATE orders SET attempts = -1 WHERE name = 'bad'; \
                     UPDATE orders SET tie_state = 'LOST' WHERE name = 'good'";
        house.edit(&format!("{SPOIL} {spoil}")).await;
        let filter = OrderFilter {
            limit: 9,
            ..OrderFilter::default()
        };
        let spoilt = house.store.orders(&filter).await.expect("reads").unreadable;
        assert_eq!(spoilt.len(), 2);
        let named = async || {
            let summary = house.store.summary(at(90)).await.expect("reads");
            summary.rows_unreadable
        };
        assert_eq!(named().await, spoilt);
        match cure {
            None => assert_eq!(house.store.ask_now(key("bad"), at(50)).await, Ok(true)),
            Some(sql) => house.edit(sql).await,
        }
        assert_eq!(named().await, spoilt[1..], "{cure:?}");
    }
}

/// Triggers stand for whatever makes the database refuse one row of many.
const REFUSALS: [&str; 6] = [
    "BEFORE UPDATE ON orders WHEN OLD.name = 'bad'",
    "BEFORE UPDATE OF hints ON orders WHEN OLD.name = 'bad'",
    "BEFORE UPDATE OF lease ON orders WHEN OLD.name = 'bad'",
    "BEFORE UPDATE OF alarm ON orders WHEN OLD.name = 'bad'",
    "BEFORE UPDATE OF phase ON deliveries WHEN OLD.event = 'b2'",
    "BEFORE INSERT ON answers WHEN NEW.order_id = 1",
];

#[tokio::test]
async fn a_row_that_the_database_refuses_holds_up_no_other() {
    for refusal in REFUSALS {
        let house = House::with_good_and_bad().await;
        let trigger =
            format!("CREATE TRIGGER refuses {refusal} BEGIN SELECT RAISE(ABORT, 'refused'); END");
        house.edit(&trigger).await;
        let looked = house.store.look(request(31)).await.expect(refusal).looked;
        let good = looked.iter().find(|looked| looked.key == key("good"));
        assert!(
            good.is_some_and(|good| !good.parked),
            "{refusal}: {looked:?}"
        );
        house.works(refusal).await;
        house.asks_about_the_good_one(refusal).await;
        house.works(refusal).await;
        let claims = house.claim(200).await;
        let outcomes = claims
            .iter()
            .map(|claim| outcome(claim, shows(State::Blocked, 60), 200));
        let settled = house.store.settle(outcomes.collect()).await.expect(refusal);
        for (claim, settled) in claims.iter().zip(settled) {
            let is_done = matches!(settled, Settled::Done { .. });
            assert!(is_done || claim.key == key("bad"), "{refusal}: {settled:?}");
        }
        let house = house.again().await;
        let asked = house.store.ask_now(key("good"), at(39)).await;
        asked.expect(refusal);
        house.works(refusal).await;
        house.asks_about_the_good_one(refusal).await;
    }
}
