//! Query plans: no list joins something to each delivery of the past, and no reader of the feed walks it.

use sqlx::Row;

use super::super::outbox::SELECT_SOME;
use super::super::queries::select_deliveries;
use super::*;
use crate::store::sql::reach::{ALL, Reach};

/// Number of deliveries, and of events, of the past.
const PAST: usize = 20_000;

/// Returns the number of rows that the busiest step of a statement hands on. The statement's parameters are texts and the
/// limit.
async fn handed_on(fixture: &Fixture, filter: &DeliveryFilter, parameters: &[&str]) -> usize {
    let query = select_deliveries(filter, Reach::after(None, false, &ALL));
    let mut sql = query.sql().as_str().to_owned();
    for (nth, value) in parameters.iter().enumerate() {
        sql = sql.replace(&format!("${}", nth + 1), value);
    }
    most_handed_on(&explained(fixture, &sql).await)
}

/// Returns the plan of a statement, with the rows that each step has handed on.
async fn explained(fixture: &Fixture, sql: &str) -> Vec<String> {
    let store = fixture.store().await;
    let mut work = store.shared.readers.begin_reading().await.expect("begins");
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}");
    let plan = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *work);
    let plan = plan.await.expect("is explained");
    plan.iter().map(|row| row.get(0)).collect()
}

/// Returns the number of rows that the busiest step of a plan has handed on.
fn most_handed_on(plan: &[String]) -> usize {
    let steps = plan.iter().filter_map(|line| {
        let (_, counts) = line.split_once("(actual rows=")?;
        let (rows, loops) = counts.trim_end_matches(')').split_once(" loops=")?;
        Some(rows.parse::<f64>().ok()? as usize * loops.parse::<usize>().ok()?)
    });
    steps.max().expect("a plan has steps")
}

#[tokio::test]
async fn a_list_without_a_match_joins_nothing_to_each_delivery() {
    let fixture = fixture!(Fixture::new());
    fixture.text(&format!(
        "INSERT INTO projects (sinch_id) VALUES ('project-2');
         INSERT INTO deliveries (project, dedup_key, digest, received_at, kind, order_sinch_id, status, body)
         SELECT 1, 'e' || n, decode(md5(n::text), 'hex'), n, 'order', 'o1', 'CREATED', '' FROM generate_series(1, {PAST}) AS n;
         INSERT INTO decisions (delivery_id, order_id, decision, parked, processed_at)
         SELECT id, 1, 'fits', false, 1 FROM deliveries;
         ANALYZE"
    ));
    let all = DeliveryFilter {
        limit: 50,
        ..DeliveryFilter::default()
    };
    for decision in ["stale", "body-not-json", "other-resource"] {
        let filter = DeliveryFilter {
            decision: Some(decision),
            ..all.clone()
        };
        let quoted = format!("'{decision}'");
        let most = handed_on(&fixture, &filter, &[&quoted, "50"]).await;
        assert!(most < 100, "{decision}: {most}");
    }
    let of_another = DeliveryFilter {
        project: Some(id("project-2")),
        ..all
    };
    let most = handed_on(&fixture, &of_another, &["'project-2'", "50"]).await;
    assert!(most < 100, "of another project: {most}");
}

/// The rare type lies at the end of the past, where a walk finds it last.
#[tokio::test]
async fn a_reader_of_a_rare_type_looks_at_no_others() {
    let fixture = fixture!(Fixture::new());
    fixture.text(&format!(
        "INSERT INTO events (sequence, id, type, recorded_at, provisional, test, body)
         SELECT n, 'evt', CASE WHEN n > {PAST} THEN 'number.failed' ELSE 'order.created' END, n, n % 2 = 0, false, '{{}}'
         FROM generate_series(1, {PAST} + 2) AS n;
         ANALYZE"
    ));
    let read = |select: &str, types: &str, provisional: &str| {
        let sql = select.replace("$1", types).replace("$2", provisional);
        sql.replace("$3", "0").replace("$4", "50")
    };
    for (types, provisional) in [
        ("ARRAY['number.failed']", "ARRAY[false]"),
        (
            "ARRAY['number.failed', 'number.failed']",
            "ARRAY[false, true]",
        ),
        (
            "ARRAY['alert.fired', 'order.created']",
            "ARRAY[false, false]",
        ),
        ("ARRAY['alert.fired']", "ARRAY[false]"),
    ] {
        let plan = explained(&fixture, &read(SELECT_SOME, types, provisional)).await;
        let most = most_handed_on(&plan);
        assert!(most <= 200, "{types}: {most} of {plan:#?}");
        assert!(!is_filtered(&plan), "{types}: {plan:#?}");
    }
    // The control: a filter over the whole list walks it.
    let walk =
        "SELECT sequence FROM events WHERE type || '' = 'number.failed' ORDER BY sequence LIMIT 50";
    let plan = explained(&fixture, walk).await;
    assert!(is_filtered(&plan), "{plan:#?}");
}

/// Returns `true` if a step has read rows that it did not hand on.
fn is_filtered(plan: &[String]) -> bool {
    plan.iter()
        .any(|line| line.contains("Rows Removed by Filter"))
}
