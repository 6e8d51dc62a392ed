//! Figures that are maintained as they change, against a fresh count. No query that is made often reads what grows with
//! the past.

use proptest::prelude::*;

use super::*;
use crate::store::sqlite::{alerts, queries, summary};

/// Step that changes the states of orders.
#[derive(Clone, Debug)]
enum Step {
    Told(u8, State),
    Shown(u8, State, i64),
    Forgotten(u8),
    Watched(u8),
    /// Everything that has been kept for its period is pruned.
    Pruned,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = 0..6u8;
    let state = || proptest::sample::select(State::ALL.to_vec());
    let step = prop_oneof![
        4 => (order.clone(), state()).prop_map(|(order, state)| Step::Told(order, state)),
        4 => (order.clone(), state(), 0..50i64).prop_map(|(order, state, at)| Step::Shown(order, state, at)),
        1 => order.clone().prop_map(Step::Forgotten),
        1 => order.prop_map(Step::Watched),
        2 => Just(Step::Pruned),
    ];
    proptest::collection::vec(step, 1..40)
}

impl Fixture {
    async fn take(&self, n: i64, step: &Step) {
        let name = |order: u8| format!("o{order}");
        // The steps lie so far apart that orders are at rest between them.
        let secs = 50_000 * n;
        match step {
            Step::Told(order, state) => {
                let event = delivery(&format!("e{n}"), &name(*order), *state, secs);
                self.accept(event).await;
                self.process(secs).await;
            }
            Step::Shown(order, state, updated) => {
                self.answer(&name(*order), shows(*state, *updated), secs)
                    .await;
            }
            Step::Forgotten(order) => {
                self.answer(&name(*order), Ok(Answer::NotFound), secs).await;
            }
            Step::Watched(order) => {
                let request = WatchRequest {
                    project: id(PROJECT),
                    orders: vec![id(&name(*order))],
                    now: at(secs),
                };
                self.store.watch(request).await.expect("writes");
            }
            Step::Pruned => {
                self.prune_all(at(secs)).await;
            }
        }
    }

    /// Fetches only the given order, if it is known.
    async fn answer(&self, order: &str, result: Result<Answer, Failure>, secs: i64) {
        let known = self
            .store
            .request_fetch(key(order), at(secs - 10_000_000))
            .await;
        if known.expect("writes") {
            for claim in self.claim(secs).await {
                if claim.key == key(order) {
                    self.record(&claim, result.clone(), secs).await;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_counted_as_it_changes_is_what_there_is(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let fixture = Fixture::new().await;
            for (n, step) in (1..).zip(&steps) {
                fixture.take(n, step).await;
            }
            let summary = fixture.store.summary(at(10_000_000)).await.expect("reads");
            let counted: Vec<(String, i64)> = summary
                .orders_by_state
                .into_iter()
                .map(|count| (count.state, count.orders))
                .collect();
            let sql = "SELECT state, count(*) AS orders FROM orders GROUP BY state ORDER BY state";
            let anew = sqlx::query(sql).fetch_all(&mut *fixture.begin_read().await).await.expect("reads");
            let anew: Vec<(String, i64)> =
                anew.iter().map(|row| (row.get("state"), row.get("orders"))).collect();
            assert_eq!(counted, anew);

            let filter = OrderFilter { limit: 100, ..OrderFilter::default() };
            let orders = fixture.store.orders(&filter).await.expect("reads").items;
            let open = orders.iter().filter(|order| !order.settled && order.parked.is_none());
            assert_eq!(summary.orders_unsettled, open.count() as i64);
            assert_eq!(summary.oldest_unsettled_at.is_some(), summary.orders_unsettled > 0);
        });
    }
}

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
const SMALL: [&str; 5] = ["p", "projects", "service", "state_counts", "CONSTANT"];

/// Indexes that have only the rows of which something is open.
const OPEN: [&str; 4] = [
    "orders_unsettled",
    "orders_parked",
    "deliveries_parked",
    "order_numbers_not_ready",
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
    let unsettled = OrderFilter {
        settled: Some(false),
        ..OrderFilter::default()
    };
    for sql in [
        summary::NOT_FETCHED,
        summary::NOT_READY,
        summary::LATE.as_str(),
        alerts::COUNT_EXPIRING,
        alerts::COUNT_LASTING,
        queries::select_orders(&unsettled, None).sql().as_str(),
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

/// Deliveries that are not processed yet are looked up among the few after `processed_through`, and not among all of a
/// project.
#[tokio::test]
async fn a_history_reads_no_other_deliveries_of_its_project() {
    let fixture = Fixture::new().await;
    for sql in [queries::DELIVERIES, removal::ORDER] {
        let plan = plan(&fixture, sql).await;
        let walks = plan
            .iter()
            .any(|step| step.contains("deliveries_dedup_key"));
        assert!(!walks, "{plan:#?}");
    }
    // A list by order begins with the rows of that order.
    let of_order = DeliveryFilter {
        order: Some(id("o1")),
        limit: 9,
        ..DeliveryFilter::default()
    };
    let listed = queries::select_deliveries(&of_order, None);
    let listed = plan(&fixture, listed.sql().as_str()).await;
    let is_all = |step: &&String| {
        ["SCAN d", "SCAN deliveries"].contains(&step.as_str())
            || step.contains("deliveries_dedup_key")
    };
    assert_eq!(listed.iter().find(is_all), None, "{listed:#?}");
    for step in [
        "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)",
        "SEARCH deliveries USING COVERING INDEX deliveries_order (order_id=?)",
        "SCAN deliveries USING INDEX deliveries_parked",
    ] {
        let is_there = listed.iter().any(|found| found.contains(step));
        assert!(is_there, "{step}: {listed:#?}");
    }

    // The control: without its hint the statement reads all of the project's deliveries.
    let without = queries::DELIVERIES.replace("CROSS JOIN", "JOIN");
    let plan = plan(&fixture, &without).await;
    assert!(
        plan.iter()
            .any(|step| step.contains("deliveries_dedup_key")),
        "{plan:#?}"
    );
}

#[tokio::test]
async fn convergence_tells_announced_changes_from_others() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(12).await;
    for (secs, state, updated) in [(13, State::InReview, 10), (40, State::Completed, 20)] {
        fixture
            .store
            .request_fetch(key("o1"), at(secs))
            .await
            .expect("is known");
        let claim = fixture.claim(secs).await.remove(0);
        fixture.record(&claim, shows(state, updated), secs).await;
    }
    let convergence = fixture
        .store
        .summary(at(0))
        .await
        .expect("reads")
        .convergence;
    let expected = Convergence {
        changes: 2,
        unannounced: 1,
        p50_secs: 3.0,
        p90_secs: 20.0,
        max_secs: 20.0,
    };
    assert_eq!(convergence, expected);
}
