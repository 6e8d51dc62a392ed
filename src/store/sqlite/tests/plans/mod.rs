//! Query plans: no statement that is made often reads what grows with the past.

mod orders;
mod retention;

use super::*;
use crate::store::sql::reach::{ALL, Reach};
use crate::store::sql::timeline;
use crate::store::sqlite::{alerts, outbox, queries, retention_report, service_alerts, summary};
use crate::store::{
    AlertFilter, DeliveryFilter, OrderFilter, RetentionKind, Span, TransitionFilter,
};
use sqlx::Sqlite;

/// Query plan of a statement, step by step.
async fn plan(fixture: &Fixture, sql: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain))
        .fetch_all(&mut *fixture.begin_read().await)
        .await;
    let rows = rows.expect("is explained");
    rows.iter().map(|row| row.get("detail")).collect()
}

/// Tables, by the names that the statements give them, that stay small however long the service runs.
const SMALL: [&str; 7] = [
    "p",
    "projects",
    "service",
    "state_counts",
    "dismissals",
    "quarantine",
    "CONSTANT",
];

/// Indexes that have only the rows of which something is open.
const OPEN: [&str; 5] = [
    "orders_unsettled",
    "orders_parked",
    "deliveries_parked",
    "order_numbers_not_ready",
    "service_alerts_open",
];

/// Returns the steps that read a whole table, or the whole of an index that grows with the past. The rows of a subquery
/// are those of its own steps.
fn costly(plan: &[String]) -> Vec<&String> {
    let is_costly = |step: &&String| {
        let Some(scanned) = step.strip_prefix("SCAN ") else {
            return false;
        };
        let table = scanned.split(' ').next().unwrap_or_default();
        let is_subquery = table.starts_with('(') || table == "open";
        let is_open = OPEN.iter().any(|index| step.ends_with(index));
        !is_subquery && !is_open && !SMALL.contains(&table)
    };
    plan.iter().filter(is_costly).collect()
}

#[tokio::test]
async fn the_status_reads_nothing_that_grows_with_the_past() {
    let fixture = Fixture::new().await;
    let by_state = plan(&fixture, summary::BY_STATE).await;
    assert_eq!(costly(&by_state), Vec::<&String>::new(), "{by_state:#?}");
    let to_ask = plan(&fixture, summary::DUE).await;
    assert_eq!(costly(&to_ask), Vec::<&String>::new(), "{to_ask:#?}");
    let whole = Reach::after(None, false, &ALL);
    let unsettled = OrderFilter {
        settled: Some(false),
        ..OrderFilter::default()
    };
    for sql in [
        summary::NOT_FETCHED,
        summary::UNSETTLED,
        summary::NOT_READY,
        summary::LATE.as_str(),
        alerts::COUNT_EXPIRING,
        alerts::COUNT_LASTING,
        queries::select_orders(&unsettled, whole).sql().as_str(),
    ] {
        let plan = plan(&fixture, sql).await;
        assert_eq!(costly(&plan), Vec::<&String>::new(), "{plan:#?}");
    }
    // Reading the newest row of a table by its id is one step, though SQLite calls it a scan.
    let counts = plan(&fixture, summary::COUNTS).await;
    let newest = ["SCAN deliveries", "SCAN fetches"];
    assert_eq!(costly(&counts), newest, "{counts:#?}");

    // The control: a fresh count is recognised as costly, whatever the name that it gives the table.
    for sql in [
        "SELECT state, count(*) FROM orders GROUP BY state",
        "SELECT count(*) FROM orders AS o",
    ] {
        let plan = plan(&fixture, sql).await;
        assert_eq!(costly(&plan).len(), 1, "{plan:#?}");
    }
}

#[tokio::test]
async fn the_retention_report_walks_no_large_table() {
    let fixture = Fixture::new().await;
    let is_walk = |step: &&String| {
        let table = step
            .strip_prefix("SCAN ")
            .unwrap_or_default()
            .split(' ')
            .next();
        let is_large = ["deliveries", "events", "fetches", "orders"]
            .map(Some)
            .contains(&table);
        // Parked deliveries have an index of their own.
        is_large && !step.ends_with("deliveries_parked")
    };
    for (kind, sql) in retention_report::STATEMENTS.iter() {
        let plan = plan(&fixture, sql).await;
        let walks: Vec<&String> = plan.iter().filter(is_walk).collect();
        // Reading the first order by its id is one step, though SQLite calls it a scan.
        let first = usize::from(*kind == RetentionKind::Orders);
        assert_eq!(walks.len(), first, "{kind:?}: {plan:#?}");
        // Rows that are put in order were looked for among all rows, instead of in the index by time.
        let is_sorted = plan.iter().any(|step| step.ends_with("FOR ORDER BY"));
        assert!(!is_sorted, "{kind:?}: {plan:#?}");
    }
    // The control: a count of all rows is recognised.
    let plan = plan(&fixture, "SELECT count(*) FROM fetches").await;
    assert_eq!(plan.iter().filter(is_walk).count(), 1, "{plan:#?}");
}

#[tokio::test]
async fn a_check_of_the_service_reads_nothing_that_grows_with_the_past() {
    let fixture = Fixture::new().await;
    for sql in [service_alerts::SELECT_OPEN, service_alerts::TARGET_FACTS] {
        let plan = plan(&fixture, sql).await;
        let costly = costly(&plan);
        // Targets are few, and so are the parked notifications that are counted.
        let few = ["t", "v"];
        let costly = costly
            .iter()
            .filter(|step| !few.contains(&step.split(' ').nth(1).unwrap_or_default()));
        assert_eq!(costly.count(), 0, "{plan:#?}");
    }
    // The newest of the changes are read by their ids, up to the limit, and their orders are looked up.
    let facts = plan(&fixture, service_alerts::PROJECT_FACTS).await;
    let newest = ["SCAN transitions", "SCAN v", "SCAN o", "SCAN d", "SCAN c"];
    let costly = costly(&facts);
    let costly = costly
        .iter()
        .filter(|step| !newest.iter().any(|few| step.starts_with(few)));
    assert_eq!(costly.count(), 0, "{facts:#?}");
    assert!(
        facts
            .iter()
            .any(|step| step == "SEARCH o USING INTEGER PRIMARY KEY (rowid=?)"),
        "{facts:#?}"
    );
}

/// Lists by time read an index in its order, from where the page begins, and join the orders of these rows alone.
#[tokio::test]
async fn lists_by_time_begin_where_their_page_does() {
    let fixture = Fixture::new().await;
    for after in [None, Some((5, 5))] {
        let span = Span {
            since: Some(at(1)),
            limit: 9,
            ..Span::default()
        };
        let transitions = TransitionFilter {
            span: span.clone(),
            ..TransitionFilter::default()
        };
        let transitions = timeline::select_transitions::<Sqlite>(&transitions, after);
        let transitions = plan(&fixture, transitions.sql().as_str()).await;
        let is_by_time = |step: &&String| {
            step.starts_with("SEARCH v USING INDEX transitions_time (to_state=? AND")
        };
        assert_eq!(
            transitions.iter().filter(is_by_time).count(),
            6,
            "{transitions:#?}"
        );
        let alerts = AlertFilter {
            span,
            ..AlertFilter::default()
        };
        let alerts = timeline::select_alerts::<Sqlite>(&alerts, after);
        let alerts = plan(&fixture, alerts.sql().as_str()).await;
        for index in ["alerts_time", "service_alerts_time"] {
            let step = format!("SEARCH a USING INDEX {index} (fired_at>?");
            assert!(
                alerts.iter().any(|found| found.starts_with(&step)),
                "{alerts:#?}"
            );
        }
    }
}

#[tokio::test]
async fn resolved_alerts_are_never_searched_for_open_ones() {
    let fixture = Fixture::new().await;
    for sql in [alert_changes::SELECT_ORDERS, alert_changes::SELECT_OPEN] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut db = fixture.begin_read().await;
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *db);
        let rows = rows.await.expect("plans");
        let plan: Vec<&str> = rows.iter().map(|row| row.get("detail")).collect();
        let is_bounded =
            |step: &&&str| step.starts_with("SEARCH a USING INDEX alerts_open (order_id");
        assert_eq!(plan.iter().filter(is_bounded).count(), 1, "{plan:#?}");
    }
}

#[tokio::test]
async fn sending_searches_no_past() {
    let fixture = Fixture::new().await;
    for sql in outbox::STATEMENTS {
        let plan = plan(&fixture, sql).await;
        let costly = costly(&plan);
        // Parameters that hold rows, targets, and queues of which there is a limit, are few.
        let costly = costly.iter().filter(|step| {
            let few = ["json_each", "v", "t", "targets", "due", "chosen"];
            !few.contains(&step.split(' ').nth(1).unwrap_or_default())
        });
        assert_eq!(costly.count(), 0, "{sql}: {plan:#?}");
    }
}

/// The feed finds a rare type by the index, whatever lies between its events.
#[tokio::test]
async fn a_reader_of_some_types_looks_at_no_others() {
    let fixture = Fixture::new().await;
    let range = |plan: &[String]| {
        plan.iter()
            .filter(|step| step.contains("events_feed (type=? AND provisional=? AND sequence>?)"))
            .count()
    };
    let some = plan(&fixture, outbox::SELECT_SOME).await;
    assert_eq!(range(&some), 1, "{some:#?}");
    let by_number = |step: &&String| step.ends_with("USING INTEGER PRIMARY KEY (rowid=?)");
    assert_eq!(some.iter().filter(by_number).count(), 2, "{some:#?}");
    // The control: a filter over the whole list is none of this.
    let walk =
        "SELECT sequence FROM events WHERE sequence > 0 AND +type = 'x' ORDER BY sequence LIMIT 9";
    let walk = plan(&fixture, walk).await;
    assert_eq!(range(&walk), 0, "{walk:#?}");
}
