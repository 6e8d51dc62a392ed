//! Schema: the values that it takes, and that its words are those of the rules.

use number_order::{
    Cause, Decision, Kept, NoAnswer, NotUnderstood, Outcome, ParkReason, Readiness,
};
use sqlx::migrate::Migrator;
use strum::VariantNames;

use super::*;
use crate::store::sqlite::schema::migrations;

/// Rows of every table as the first schema has them: an order for each state, one of which has a value in every column.
const SAMPLE: &str = "
    INSERT INTO projects (id, sinch_id) VALUES (1, 'project-1');
    INSERT INTO orders (id, project, sinch_id, first_seen_at, confirmed_state, updated_at, shown_at, confirmed_at)
    VALUES (1, 1, 'CREATED', 1, 'CREATED', 1, 1, 1), (2, 1, 'IN_REVIEW', 1, 'IN_REVIEW', 1, 1, 1),
        (3, 1, 'BLOCKED', 1, 'BLOCKED', 1, 1, 1), (4, 1, 'COMPLETED', 1, 'COMPLETED', 1, 1, 1),
        (5, 1, 'REJECTED', 1, 'REJECTED', 1, 1, 1), (6, 1, 'EXPIRED', 1, 'EXPIRED', 1, 1, 1);
    INSERT INTO orders (id, project, sinch_id, first_seen_at, heard_at, fetch_at, fetched_at, attempts, fetch_requested_at, confirmed_state,
        updated_at, shown_at, expires_at, confirmed_at, provisional_state, provisional_at, hints, hinted_at, doubts,
        tie_state, tie_since_at, missing_since_at)
    VALUES (7, 1, 'all', 1, 2, 3, 4, 5, 3, 'IN_REVIEW', 6, 8, 7, 8, 'BLOCKED', 9,
        '[{\"state\":\"BLOCKED\",\"said_at\":9,\"heard_at\":10}]', 10,
        '[{\"state\":null,\"said_at\":null,\"heard_at\":10}]', 'COMPLETED', 11, 12);
    INSERT INTO orders (id, project, sinch_id, first_seen_at, parked, parked_fields)
    VALUES (8, 1, 'parked', 1, 'row-at-fault', '{\"fault\":\"x\"}');
    INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, order_id, status, said_at, phase, decision,
        decision_fields, processed_at, body, digest)
    VALUES (1, 1, 'e1', 1, 'all', 7, 'BLOCKED', 1, 'processed', 'agrees', '{\"state\":\"BLOCKED\"}', 2, x'', zeroblob(16)),
        (2, 1, 'e2', 1, 'all', 7, 'NEW_WORD', NULL, 'parked', 'unknown-status', '{\"said\":\"NEW_WORD\"}', 2, x'78', NULL),
        (3, 1, 'e3', 1, NULL, NULL, NULL, NULL, 'recorded', 'other-resource', '{\"resource_type\":\"X\"}', NULL, x'78', NULL),
        (4, 1, 'e4', 1, NULL, NULL, NULL, NULL, 'parked', 'body-not-an-object', NULL, NULL, x'78', NULL),
        (5, 1, 'e5', 1, 'all', NULL, 'IN_REVIEW', 1, 'waiting', NULL, NULL, NULL, x'78', NULL);
    INSERT INTO quarantine (id, project, reason, digest, received_at, last_at, source, peer, bytes, body)
    VALUES (1, 1, 'wrong-signature', zeroblob(16), 1, 2, '192.0.2.1', '10.0.0.1', 1, x'78');
    INSERT INTO fetches (order_id, fetched_at, state, updated_at, outcome)
    VALUES (7, 1, 'NEW_WORD', 1, 'not-found'), (7, 1, NULL, NULL, 'expired-unseen');
    INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause, announced, latency_us)
    VALUES (7, 1, NULL, 'IN_REVIEW', 1, 1, 'event', 0, 5), (7, 1, 'IN_REVIEW', 'BLOCKED', 0, 1, 'event', NULL, NULL);
    INSERT INTO order_details (order_id, details) VALUES (7, '{\"region\":\"AU\"}');
    INSERT INTO order_numbers (id, order_id, project, phone_number) VALUES (1, 7, 1, '+61411111111');
    INSERT INTO order_numbers (id, order_id, project, phone_number, followed_at, readiness, readiness_fields, readiness_at, fetched_at,
        fetch_at, attempts, failure, failure_fields, hinted_at)
    VALUES (2, 4, 1, '+61411111112', 1, 'on-the-way', '{\"services\":[\"calls\"]}', 2, 3, 4, 1, 'timed-out', '{\"endpoint\":\"numbers\"}', 3);
    INSERT INTO alerts (order_id, kind, kind_fields, fired_at, resolved_at)
    VALUES (7, 'expiring', '{\"within_ms\":900000}', 1, 2), (7, 'expiring', '{\"within_ms\":900000}', 3, NULL);
    INSERT INTO service_alerts (id, kind, kind_fields, subject, began_at, seen_at, fired_at, resolved_at)
    VALUES (1, 'silence', '{\"changes\":1,\"last_at\":null}', 'project-1', 1, 2, 2, NULL), (2, 'disk-low', '{\"free_bytes\":1,\"refused_below_bytes\":1}', '', 1, 1, NULL, NULL);
    INSERT INTO actions (id, acted_at, caller, method, path, body, status) VALUES (1, 1, 'lee', 'POST', '/p', '{}', 202), (2, 2, NULL, 'PUT', '/q', NULL, NULL);
    UPDATE service SET processed_through = 4, bodies_emptied_through = 2, deliveries_pruned_through = 1, fetches_pruned_through = 1;
    PRAGMA application_id = 0x53694362";

async fn connect(folder: &TempDir) -> SqliteConnection {
    let path = folder.path().join("fixture.db");
    let url = format!("sqlite://{}?mode=rwc", path.display());
    SqliteConnection::connect(&url).await.expect("connects")
}

/// A folder with a file that the first schema made, with the sample in it.
async fn first() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut db = connect(&folder).await;
    let first = migrations().iter().take(1).cloned().collect();
    let migrated = Migrator::with_migrations(first).run(&mut db).await;
    migrated.expect("migrates");
    sqlx::raw_sql(SAMPLE).execute(&mut db).await.expect("fills");
    db.close().await.expect("closes");
    folder
}

/// Each migration is tried on tables with rows, and not only on empty ones.
#[tokio::test]
async fn a_file_of_the_first_schema_is_brought_up_to_date() {
    let fixture = Fixture::open_in(first().await).await;
    let filter = OrderFilter {
        limit: 100,
        ..OrderFilter::default()
    };
    let orders = fixture.store.orders(&filter).await.expect("reads").items;
    assert_eq!(orders.len(), 8);
    let history = fixture.history("all").await;
    assert_eq!(history.order.hints, ["BLOCKED"]);
    let rows = (
        history.deliveries.len(),
        history.fetches.len(),
        history.transitions.len(),
        history.alerts.len(),
    );
    assert_eq!(rows, (3, 2, 2, 2));
    assert_eq!(
        fixture
            .store
            .deliveries(&parked_only(9))
            .await
            .expect("reads")
            .items
            .len(),
        2
    );
    let summary = fixture.store.summary(at(9)).await.expect("reads");
    let in_states: i64 = summary
        .orders_by_state
        .iter()
        .map(|count| count.orders)
        .sum();
    assert_eq!(in_states, 8);
    assert_eq!(fixture.process(9).await.processed.len(), 1);
    let faults = "SELECT count(*) FROM pragma_foreign_key_check";
    assert_eq!(fixture.number(faults).await, 0);
    let intact = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    assert_eq!(fixture.number(intact).await, 1);
}

/// Values that are out of their column's range, while nothing else is wrong.
const REFUSED: [&str; 85] = [
    "projects SET sinch_id = '' WHERE id = 1",
    "projects SET failures = -1",
    "projects SET failures = 4294967296",
    "projects SET paused_until_at = 1",
    "projects SET paused_until_at = 1, pause_reason = 'timed-out'",
    "orders SET sinch_id = '' WHERE id = 1",
    "orders SET sinch_id = printf('%129s', 'x') WHERE id = 1",
    "orders SET attempts = -1",
    "orders SET attempts = 4294967296",
    "orders SET doubts = '{}'",
    "orders SET shown_at = NULL WHERE confirmed_state IS NOT NULL",
    "orders SET reopened = 2",
    "orders SET lease = 1",
    "orders SET leased_until_at = 1",
    "orders SET confirmed_state = 'MISSING'",
    "orders SET confirmed_state = NULL",
    "orders SET confirmed_at = NULL WHERE id = 1",
    "orders SET updated_at = NULL WHERE id = 1",
    "orders SET expires_at = 1 WHERE confirmed_state IS NULL",
    "orders SET reopened = 1 WHERE confirmed_state IS NULL",
    "orders SET provisional_state = 'MISSING', provisional_at = 1",
    "orders SET provisional_at = NULL",
    "orders SET hints = '[', hinted_at = 1",
    "orders SET hints = '{}', hinted_at = 1",
    "orders SET hints = '[]' WHERE id = 7",
    "orders SET hinted_at = NULL WHERE id = 7",
    "orders SET tie_state = 'MISSING', tie_since_at = 1",
    "orders SET tie_since_at = NULL WHERE id = 7",
    "orders SET parked = 'row-at-fault' WHERE id = 7",
    "orders SET parked = 'x' WHERE id = 8",
    "orders SET parked_fields = '{' WHERE id = 8",
    "orders SET parked = NULL WHERE id = 8",
    "deliveries SET decision = 'x' WHERE id = 1",
    "deliveries SET decision_fields = 'x' WHERE id = 1",
    "deliveries SET decision_fields = '{}' WHERE id = 5",
    "fetches SET outcome = 'x'",
    "fetches SET outcome_fields = 'x'",
    "transitions SET cause = 'x'",
    "transitions SET cause_fields = 'x'",
    "alerts SET kind = 'x'",
    "alerts SET kind_fields = 'x' WHERE id = 1",
    "service_alerts SET kind = 'x' WHERE id = 1",
    "service_alerts SET kind_fields = 'x' WHERE id = 1",
    "service_alerts SET seen_at = 0 WHERE id = 1",
    "service_alerts SET resolved_at = 3 WHERE id = 2",
    "actions SET caller = '' WHERE id = 1",
    "actions SET status = 99 WHERE id = 1",
    "projects SET pause_reason = 'x', paused_until_at = 1, paused_since_at = 1",
    "projects SET pause_fields = 'x', pause_reason = 'timed-out', paused_until_at = 1, paused_since_at = 1",
    "deliveries SET dedup_key = '' WHERE id = 1",
    "deliveries SET order_sinch_id = '' WHERE id = 5",
    "deliveries SET phase = 'lost'",
    "deliveries SET decision = NULL WHERE id = 1",
    "deliveries SET status = NULL WHERE id = 1",
    "deliveries SET order_id = NULL WHERE id = 1",
    "deliveries SET duplicates = -1",
    "deliveries SET digest = zeroblob(16) WHERE id = 2",
    "transitions SET to_state = 'MISSING'",
    "transitions SET latency_us = -1 WHERE id = 1",
    "order_details SET details = '{'",
    "order_numbers SET phone_number = ''",
    "order_numbers SET readiness = 'x' WHERE id = 2",
    "order_numbers SET readiness_fields = '{' WHERE id = 2",
    "order_numbers SET readiness_fields = '{}', readiness = NULL, readiness_at = NULL WHERE id = 2",
    "order_numbers SET readiness_at = NULL WHERE id = 2",
    "order_numbers SET attempts = -1 WHERE id = 2",
    "order_numbers SET attempts = 4294967296 WHERE id = 2",
    "order_numbers SET attempts = 0 WHERE id = 2",
    "order_numbers SET failure = 'x' WHERE id = 2",
    "order_numbers SET failure_fields = '{' WHERE id = 2",
    "order_numbers SET failure = NULL WHERE id = 2",
    "order_numbers SET fetch_at = 1 WHERE id = 1",
    "deliveries SET number = '' WHERE id = 3",
    "quarantine SET reason = 'x'",
    "quarantine SET digest = zeroblob(15)",
    "quarantine SET last_at = 0",
    "quarantine SET times = 0",
    "quarantine SET source = ''",
    "quarantine SET peer = ''",
    "quarantine SET signature = 'x'",
    "quarantine SET callback_key = ''",
    "quarantine SET order_sinch_id = ''",
    "quarantine SET bytes = 2",
    "service SET bodies_emptied_through = processed_through + 1",
    "service SET clean_shutdown = 2",
];

#[tokio::test]
async fn no_column_takes_what_is_out_of_its_range() {
    let fixture = Fixture::open_in(first().await).await;
    let mut db = connect(fixture.place.folder()).await;
    for change in REFUSED {
        let mut update = async |sql| {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut db)
                .await
        };
        let refused = update(format!("UPDATE {change}")).await;
        let error = refused.expect_err(change);
        let is_check = error
            .as_database_error()
            .is_some_and(|e| e.is_check_violation());
        assert!(is_check, "{change}: {error}");
        // The control: nothing but the range is wrong with the value.
        let ignored = format!(
            "PRAGMA ignore_check_constraints = ON; BEGIN; UPDATE {change}; ROLLBACK; \
             PRAGMA ignore_check_constraints = OFF"
        );
        assert!(update(ignored).await.is_ok(), "{change}");
    }
}

#[tokio::test]
async fn the_schema_knows_every_state_and_which_are_final() {
    let fixture = Fixture::open_in(first().await).await;
    for state in State::ALL {
        for column in ["confirmed", "provisional", "tie"] {
            let at = if column == "tie" { "since_at" } else { "at" };
            let sql = format!(
                "UPDATE orders SET {column}_state = '{state}', {column}_{at} = 1 WHERE id = 7;
                 INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause)
                 VALUES (7, 1, '{state}', '{state}', 0, 1, 'event')"
            );
            fixture.edit(&sql).await;
        }
        let sql = format!(
            "UPDATE orders SET confirmed_state = '{state}', updated_at = 1, shown_at = 1, confirmed_at = 1, fetch_at = NULL WHERE id = 1"
        );
        fixture.edit(&sql).await;
        let closed = fixture
            .number("SELECT count(*) FROM orders WHERE id = 1 AND closed_at IS NOT NULL")
            .await;
        assert_eq!(closed, i64::from(state.is_final()), "{state}");
    }
}

#[tokio::test]
async fn the_schema_knows_every_code() {
    let fixture = Fixture::open_in(first().await).await;
    let decisions = [Decision::VARIANTS, Kept::VARIANTS, NotUnderstood::VARIANTS].concat();
    let outcomes = [Outcome::VARIANTS, NoAnswer::VARIANTS].concat();
    for (column, codes) in [
        ("deliveries SET decision", decisions),
        ("fetches SET outcome", outcomes),
        ("transitions SET cause", Cause::VARIANTS.to_vec()),
        ("alerts SET kind", AlertKind::VARIANTS.to_vec()),
        (
            "service_alerts SET kind",
            notifications::ServiceAlert::VARIANTS.to_vec(),
        ),
        (
            "quarantine SET reason",
            crate::store::QuarantineReason::VARIANTS.to_vec(),
        ),
        ("orders SET parked", ParkReason::VARIANTS.to_vec()),
        ("order_numbers SET readiness", Readiness::VARIANTS.to_vec()),
        ("order_numbers SET failure", NoAnswer::VARIANTS.to_vec()),
        (
            "projects SET paused_until_at = 1, paused_since_at = 1, pause_reason",
            NoAnswer::VARIANTS.to_vec(),
        ),
    ] {
        for code in codes {
            let row = match column.split(' ').next() {
                Some("orders") => 8,
                Some("order_numbers") => 2,
                _ => 1,
            };
            fixture
                .edit(&format!("UPDATE {column} = '{code}' WHERE id = {row}"))
                .await;
        }
    }
}

/// Returns the names of the orders that are due by the given time. The sample names orders after their states.
async fn due(fixture: &Fixture, until: Time) -> Vec<String> {
    let filter = OrderFilter {
        limit: 100,
        ..OrderFilter::default()
    };
    let orders = fixture.store.orders(&filter).await.expect("reads").items;
    orders
        .into_iter()
        .filter(|order| order.fetch_at.is_some_and(|at| at <= until))
        .map(|order| order.order)
        .collect()
}

#[tokio::test]
async fn a_start_takes_up_every_order_that_is_not_final() {
    let open: Vec<&str> = State::ALL
        .into_iter()
        .filter(|state| !state.is_final())
        .map(State::as_str)
        .collect();
    // The file is as after a time with `api = "off"`: no fetch is planned.
    let fixture = Fixture::open_in(first().await).await;
    fixture
        .edit(
            "UPDATE orders SET fetch_at = NULL;
             DELETE FROM transitions; DELETE FROM fetches; DELETE FROM alerts; DELETE FROM deliveries;
             DELETE FROM orders WHERE id > 6",
        )
        .await;
    let fixture = fixture.again().await;
    assert_eq!(due(&fixture, at(5000)).await, open);

    // The file is as after a crash: open orders are fetched soon, though planned for later.
    let later = at(5000 + 20 * 3600).0;
    fixture
        .edit(&format!("UPDATE orders SET fetch_at = {later}"))
        .await;
    fixture.run.abort();
    assert!(fixture.run.await.is_err_and(|end| end.is_cancelled()));
    drop(fixture.store);
    let fixture = Fixture::open_in(fixture.place.into_folder()).await;
    assert_eq!(due(&fixture, at(5100)).await, open);
}

#[tokio::test]
async fn alerts_are_listed_as_the_rules_have_them() {
    let fixture = Fixture::open_in(first().await).await;
    fixture
        .edit("UPDATE orders SET expires_at = 500000000 WHERE confirmed_state IS NOT NULL")
        .await;
    let limits = Limits {
        expiring: vec![Duration::from_secs(100), Duration::from_secs(10)],
        review: Duration::from_secs(50),
        blocked: Duration::from_secs(70),
    };
    for secs in [5, 60, 80, 395, 405, 495, 505] {
        let mut found: Vec<(String, String)> = fixture
            .alerts(&limits, secs)
            .await
            .into_iter()
            .filter(|row| row.order != "all")
            .map(|row| (row.order, row.alert.to_string()))
            .collect();
        found.sort();
        let mut expected: Vec<(String, String)> = State::ALL
            .into_iter()
            .filter_map(|state| {
                let mut order = number_order::Order::new(Time(1));
                order.confirmed = Some(number_order::Confirmed {
                    state,
                    updated_at: Time(1),
                    expires_at: Some(at(500)),
                    confirmed_at: Time(1),
                    shown_at: Time(1),
                    reopened: false,
                });
                let alert = number_order::alert_kind(&order, at(secs), &limits)?;
                Some((state.to_string(), alert.to_string()))
            })
            .collect();
        expected.sort();
        assert_eq!(found, expected, "{secs}");
    }
}

#[tokio::test]
async fn alerts_are_found_by_their_indexes() {
    let fixture = Fixture::new().await;
    for (sql, index) in [
        (alerts::SELECT_EXPIRING, "orders_expiring"),
        (alerts::SELECT_LASTING, "orders_in_review_or_blocked"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut db = fixture.begin_read().await;
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *db);
        let rows = rows.await.expect("plans");
        let plan: Vec<&str> = rows.iter().map(|row| row.get("detail")).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
    }
}
