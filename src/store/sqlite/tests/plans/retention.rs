//! Query plans of retention: it goes on where it ended, and searches no past.

use super::*;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn closed_orders_and_old_fetches_are_never_searched_for() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let by_order =
        |table: &str| format!("SEARCH {table} USING COVERING INDEX {table}_order (order_id=?)");
    let by_event =
        || "SEARCH notifications USING COVERING INDEX notifications_event (event=?)".to_owned();
    let beyond = |rest: &str| format!("SEARCH fetches USING INTEGER PRIMARY KEY (rowid>?{rest})");
    let plans = [
        (prune::OLD_FETCHES, vec![beyond("")]),
        (
            prune::REMOVE_FETCHES,
            vec![
                "SEARCH fetches USING INTEGER PRIMARY KEY (rowid=?)".to_owned(),
                beyond(" AND rowid<?"),
                "SEARCH old USING COVERING INDEX fetches_order (order_id=? AND id<?)".to_owned(),
                by_order("fetches"),
            ],
        ),
        (
            prune::CLOSED,
            vec![
                "SEARCH orders USING INDEX orders_closed (closed_at>?)".to_owned(),
                by_order("deliveries"),
                by_order("fetches"),
                by_order("transitions"),
                by_order("alerts"),
                by_order("events"),
            ],
        ),
        (
            prune::OLD_EVENTS,
            vec!["SEARCH events USING INTEGER PRIMARY KEY (rowid>?)".to_owned()],
        ),
        (
            prune::REMOVE_NOTIFICATIONS,
            vec![
                "SEARCH notifications USING INDEX notifications_event (event>? AND event<?)"
                    .to_owned(),
            ],
        ),
        (
            prune::REMOVE_EVENTS,
            vec![
                "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)".to_owned(),
                "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)".to_owned(),
                "SEARCH old USING COVERING INDEX events_order (order_id=? AND order_sequence<?)"
                    .to_owned(),
                by_order("events"),
                "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)".to_owned(),
                by_event(),
                // SQLite itself checks that nothing refers to the event any more.
                by_event(),
            ],
        ),
        (prune::REMOVE_ORDERS[0], vec![by_order("fetches")]),
        (prune::REMOVE_ORDERS[1], vec![by_order("transitions")]),
        (prune::REMOVE_ORDERS[2], vec![by_order("alerts")]),
        (
            prune::REMOVE_ORDERS[3],
            vec![
                "SEARCH notification_queues USING COVERING INDEX sqlite_autoindex_notification_queues_1 (target=? AND subject=?)"
                    .to_owned(),
            ],
        ),
        (
            prune::REMOVE_ORDERS[4],
            vec![
                by_event(),
                "SEARCH e USING COVERING INDEX events_order (order_id=?)".to_owned(),
            ],
        ),
        (
            prune::REMOVE_ORDERS[5],
            vec![by_order("events"), by_event()],
        ),
        (
            prune::REMOVE_ORDERS[6],
            // SQLite itself checks that nothing refers to the order any more.
            vec![
                "SEARCH orders USING INTEGER PRIMARY KEY (rowid=?)".to_owned(),
                by_order("events"),
                by_order("alerts"),
                by_order("transitions"),
                by_order("fetches"),
                by_order("deliveries"),
            ],
        ),
    ];
    for (sql, expected) in plans {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let query = sqlx::query(sqlx::AssertSqlSafe(explain));
        let rows = query.bind(9).fetch_all(&mut db).await.expect("plans");
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let tables = [
            "fetches",
            "transitions",
            "alerts",
            "events",
            "e",
            "notifications",
            "notification_queues",
            "orders",
            "deliveries",
            "old",
        ];
        let steps: Vec<&String> = plan
            .iter()
            .filter(|step| {
                tables
                    .iter()
                    .any(|table| step.split(' ').nth(1) == Some(table))
            })
            .collect();
        assert_eq!(
            steps,
            expected.iter().collect::<Vec<_>>(),
            "{sql}: {plan:#?}"
        );
    }
}

#[tokio::test]
async fn retention_never_searches_the_past() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let between = "deliveries USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    let parked = "deliveries USING INDEX deliveries_parked (id<?)";
    let (empty, _) = prune::EMPTY.over(&[()]).next().expect("a statement");
    for (sql, expected) in [
        (prune::TO_REMOVE, between),
        (prune::REMOVE, between),
        (prune::PARKED, parked),
        (
            prune::REMOVE_PARKED,
            "deliveries USING COVERING INDEX deliveries_parked (id<?)",
        ),
        (prune::TO_EMPTY, between),
        (prune::BODIES, between),
        (empty, "deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN {sql}");
        let query = sqlx::query(sqlx::AssertSqlSafe(explain));
        let rows = query.bind(9).fetch_all(&mut db).await.expect("plans");
        let plan: Vec<&str> = rows.iter().map(|row| row.get("detail")).collect();
        let steps = plan.iter().filter(|step| step.contains("deliveries"));
        let steps: Vec<&str> = steps.copied().collect();
        assert_eq!(steps, [format!("SEARCH {expected}")], "{sql}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")));
    }
}
