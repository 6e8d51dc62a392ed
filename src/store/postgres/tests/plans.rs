//! Query plans: no list joins something to each delivery of the past.

use sqlx::Row;

use super::super::queries::select_deliveries;
use super::*;

/// Number of deliveries of the past.
const PAST: usize = 20_000;

/// Returns the number of rows that the busiest step of a statement hands on. The statement's parameters are texts and the
/// limit.
async fn handed_on(fixture: &Fixture, filter: &DeliveryFilter, parameters: &[&str]) -> usize {
    let query = select_deliveries(filter, None);
    let mut sql = query.sql().as_str().to_owned();
    for (nth, value) in parameters.iter().enumerate() {
        sql = sql.replace(&format!("${}", nth + 1), value);
    }
    let store = fixture.store().await;
    let mut work = store.shared.readers.begin_reading().await.expect("begins");
    let explain = format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {sql}");
    let plan = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *work);
    let plan = plan.await.expect("is explained");
    let steps = plan.iter().filter_map(|row| {
        let (_, counts) = row.get::<&str, _>(0).split_once("(actual rows=")?;
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
