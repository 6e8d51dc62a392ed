//! Query plans: no list joins something to each delivery of the past or walks to a time, and no reader of the feed walks the
//! past.

use sqlx::Row;

use super::super::outbox::SELECT_SOME;
use super::super::queries::select_deliveries;
use super::super::reach::{bounds, select_bounds};
use super::*;
use crate::store::sql::reach::{ALL, Listed, Reach};

/// Number of deliveries, and of events, of the past.
const PAST: usize = 20_000;

/// Returns the number of rows that the busiest step of a statement hands on. The statement's parameters are texts and the
/// limit.
async fn handed_on(fixture: &Fixture, filter: &DeliveryFilter, parameters: &[&str]) -> usize {
    let query = select_deliveries(filter, Reach::after(None, false, &ALL));
    most_handed_on(&explained(fixture, &filled_in(query.sql().as_str(), parameters)).await)
}

/// Returns a statement with values in the places of its parameters.
fn filled_in(sql: &str, parameters: &[&str]) -> String {
    let mut sql = sql.to_owned();
    for (nth, value) in parameters.iter().enumerate() {
        sql = sql.replace(&format!("${}", nth + 1), value);
    }
    sql
}

/// Fills in the past: deliveries a second apart, each processed.
fn fill(fixture: &Fixture) {
    fixture.text(&format!(
        "INSERT INTO deliveries (project, dedup_key, digest, received_at, kind, order_sinch_id, status, body)
         SELECT 1, 'e' || n, decode(md5(n::text), 'hex'), n::bigint * 1000000, 'order', 'o1', 'CREATED', ''
         FROM generate_series(1, {PAST}) AS n;
         INSERT INTO decisions (delivery_id, order_id, decision, parked, processed_at)
         SELECT id, 1, 'fits', false, 1 FROM deliveries;
         ANALYZE"
    ));
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
    fixture.text("INSERT INTO projects (sinch_id) VALUES ('project-2')");
    fill(&fixture);
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

/// The page lies in the middle of the past: what belongs to its rows is looked up, and not what belongs to those before them.
#[tokio::test]
async fn a_page_since_a_time_reads_nothing_before_it() {
    let fixture = fixture!(Fixture::new());
    fill(&fixture);
    let middle = PAST as i64 / 2;
    let filter = DeliveryFilter {
        since: Some(at(middle)),
        limit: 50,
        ..DeliveryFilter::default()
    };
    let query = select_deliveries(&filter, Reach::after(None, false, &(middle..i64::MAX)));
    let values = [
        format!("{middle}000000"),
        middle.to_string(),
        "50".to_owned(),
    ];
    let values = values.each_ref().map(String::as_str);
    let plan = explained(&fixture, &filled_in(query.sql().as_str(), &values)).await;
    assert!(most_handed_on(&plan) <= 50, "{plan:#?}");
}

#[tokio::test]
async fn a_time_leads_to_a_row_without_a_look_at_those_since() {
    let fixture = fixture!(Fixture::new());
    fill(&fixture);
    let middle = at(PAST as i64 / 2);
    let query = select_bounds(Listed::DELIVERIES, Some(middle), Some(middle));
    let value = middle.0.to_string();
    let sql = filled_in(query.sql().as_str(), &[value.as_str(); 4]);
    let plan = explained(&fixture, &sql).await;
    assert!(most_handed_on(&plan) <= 1, "{plan:#?}");
    // Both sides are two searches of the index by time. What a search by id looks through is not handed on.
    let by_time = plan
        .iter()
        .filter(|line| line.contains("deliveries_received"));
    assert!(by_time.count() >= 4, "{plan:#?}");
}

/// A plan that is kept from when a table was small reads through all of it for each row of a page once it is large.
#[tokio::test]
async fn no_plan_of_a_list_is_kept() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let mut work = store.shared.readers.begin_reading().await.expect("begins");
    let mode: String = sqlx::query_scalar("SHOW plan_cache_mode")
        .fetch_one(&mut *work)
        .await
        .expect("reads");
    assert_eq!(mode, "force_custom_plan");
}

/// For a while the clock is a day ahead, so these rows are younger than those after them.
#[tokio::test]
async fn a_time_leads_to_rows_of_a_clock_that_was_set_back() {
    let fixture = fixture!(Fixture::new());
    fill(&fixture);
    fixture.text(
        "UPDATE deliveries SET received_at = received_at + 86400000000 WHERE id BETWEEN 5000 AND 6000",
    );
    let store = fixture.store().await;
    let mut work = store.shared.readers.begin_reading().await.expect("begins");
    // Of the rows that the index has, 64 apart, the outermost within a minute of the time, and as many rows before and after.
    for (since, until, expected) in [
        (Some(15_000), None, 5056 - 64..i64::MAX),
        (Some(95_000), None, 19_968 - 64..i64::MAX),
        (None, Some(4000), i64::MIN..4032 + 65),
        (None, Some(91_500), i64::MIN..19_968 + 65),
        (Some(3000), Some(6500), 2944 - 64..6528 + 65),
    ] {
        let found = bounds(&mut work, Listed::DELIVERIES, since.map(at), until.map(at));
        let found = found.await.expect("reads");
        assert_eq!(found, expected, "since {since:?} until {until:?}");
    }
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
