//! Upkeep and answers where several replicas work on one database.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};

use crate::store::tests::*;
use crate::store::types::*;
use number_order::{AlertKind, Limits, State, Time};

const PERIODS: RetentionPeriods = RetentionPeriods {
    events: Duration::from_secs(30 * 86_400),
    bodies: Duration::from_secs(100),
    deliveries: Duration::from_secs(1000),
    parked: Duration::from_secs(3000),
    quarantine: Duration::from_secs(3000),
    orders: Duration::from_secs(5000),
};

/// Opens a store, if a server is installed.
async fn opened() -> Option<Fixture> {
    place::shared_server()?;
    Some(Fixture::on(Backend::Postgres).await)
}

/// Connects to the fixture's database as another replica would.
async fn connect(fixture: &Fixture) -> PgConnection {
    let connected = PgConnection::connect(&fixture.place.url()).await;
    connected.expect("connects")
}

#[tokio::test]
async fn one_replica_prunes_at_a_time() {
    let Some(fixture) = opened().await else {
        return;
    };
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let mut other = connect(&fixture).await;
    let lock = "BEGIN; SELECT id FROM service FOR UPDATE";
    other.execute(lock).await.expect("locks");
    let prune = || fixture.store.prune(PERIODS, at(500));
    assert_eq!(prune().await, Ok(Pruned::default()), "another one prunes");
    other.execute("ROLLBACK").await.expect("ends");
    assert_eq!(prune().await.expect("prunes").bodies, 1);
}

/// A closed order that another transaction is changing stays, and what was changed with it.
#[tokio::test]
async fn an_order_that_another_replica_has_is_not_pruned() {
    let Some(fixture) = opened().await else {
        return;
    };
    fixture.close_order("o1", "e1", 100).await;
    fixture.close_order("o2", "e2", 100).await;
    let later = at(1_000_000);
    while fixture
        .store
        .prune(PERIODS, at(4000))
        .await
        .expect("prunes")
        .taken
        > 0
    {}
    let mut other = connect(&fixture).await;
    let lock = "BEGIN; SELECT id FROM orders WHERE sinch_id = 'o1' FOR NO KEY UPDATE";
    other.execute(lock).await.expect("locks");
    let prune_all = async |now: Time| {
        let mut orders = 0;
        loop {
            let pruned = fixture.store.prune(PERIODS, now).await.expect("prunes");
            if pruned.taken == 0 {
                return orders;
            }
            orders += pruned.orders;
        }
    };
    assert_eq!(prune_all(later).await, 1, "the other order goes");
    other.execute("ROLLBACK").await.expect("ends");
    assert_eq!(prune_all(later).await, 1);
}

#[tokio::test]
async fn an_alert_that_two_replicas_find_is_recorded_once() {
    let Some(fixture) = opened().await else {
        return;
    };
    fixture
        .accept(delivery("e1", "o1", State::Blocked, 10))
        .await;
    fixture.process(12).await;
    let claim = fixture.claim(12).await.remove(0);
    fixture.record(&claim, shows(State::Blocked, 10), 12).await;
    let limits = Limits {
        expiring: Vec::new(),
        review: Duration::from_secs(100),
        blocked: Duration::from_secs(100),
    };
    let find = || fixture.store.alert_changes(at(1000), &limits, 9);
    let (first, second) = tokio::join!(find(), find());
    let (first, second) = (first.expect("reads"), second.expect("reads"));
    assert_eq!((first.fired.len(), second.fired.len()), (1, 1));
    let (one, other) = tokio::join!(
        fixture.store.record_alerts(&first, at(1000)),
        fixture.store.record_alerts(&second, at(1001)),
    );
    assert_eq!((one, other), (Ok(()), Ok(())));
    let alerts = fixture.history("o1").await.alerts;
    let kinds: Vec<AlertKind> = alerts.into_iter().map(|alert| alert.alert).collect();
    assert_eq!(kinds, [AlertKind::long_blocked(Duration::from_secs(100))]);
}

/// A row that another program has spoilt is left out and named; once it is repaired, it is no longer named.
#[tokio::test]
async fn an_order_that_cannot_be_read_is_left_out_until_it_is_repaired() {
    let Some(fixture) = opened().await else {
        return;
    };
    for (event, order) in [("e1", "o1"), ("e2", "o2")] {
        fixture
            .accept(delivery(event, order, State::InReview, 10))
            .await;
    }
    fixture.process(20).await;
    fixture
        .spoil("UPDATE orders SET hints = '[{\"state\":\"LOST\",\"heard_at\":1}]' WHERE sinch_id = 'o1'")
        .await;
    let filter = OrderFilter {
        limit: 2,
        ..OrderFilter::default()
    };
    let page = fixture.store.orders(&filter).await.expect("reads");
    assert_eq!(page.items.len(), 1);
    let [unreadable] = page.unreadable.as_slice() else {
        panic!("one row: {:?}", page.unreadable)
    };
    assert_eq!(unreadable.order.as_deref(), Some("o1"));
    assert!(unreadable.reason.starts_with("hints: "), "{unreadable:?}");
    assert!(page.next.is_some(), "it counts for the page");
    let history = fixture.store.history(&key("o1")).await;
    assert!(history.is_err(), "not known is something else: {history:?}");
    assert_eq!(fixture.summary(30).await.rows_unreadable, page.unreadable);
    fixture
        .edit("UPDATE orders SET hints = '[]', hinted_at = NULL WHERE sinch_id = 'o1'")
        .await;
    assert_eq!(fixture.summary(30).await.rows_unreadable, []);
    assert_eq!(fixture.history("o1").await.order.order, "o1");
}

/// One that has just been killed counts as running for a minute.
#[tokio::test]
async fn a_project_is_served_while_a_replica_of_it_runs() {
    let Some(fixture) = opened().await else {
        return;
    };
    let mut other = connect(&fixture).await;
    let now = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let cases = [
        ("NULL".to_owned(), now.to_owned(), true),
        (now.to_owned(), now.to_owned(), false),
        ("NULL".to_owned(), format!("{now} - 30000000"), true),
        ("NULL".to_owned(), format!("{now} - 61000000"), false),
    ];
    for (stopped_at, seen_at, runs) in cases {
        let sql = format!(
            "UPDATE replicas SET name = 'one', stopped_at = {stopped_at}, seen_at = {seen_at}"
        );
        let changed = other.execute(sqlx::AssertSqlSafe(sql.as_str())).await;
        changed.expect("changes");
        let serving = fixture.store.serving(&id(PROJECT)).await;
        let one: Vec<String> = runs.then(|| "one".to_owned()).into_iter().collect();
        assert_eq!(serving, Ok(one), "{sql}");
        assert_eq!(fixture.store.serving(&id("other")).await, Ok(Vec::new()));
    }
}

/// Another replica may still serve a project that is dropped. A delivery without its project would never be processed,
/// and nothing after it would be pruned.
#[tokio::test]
async fn a_callback_that_comes_while_its_project_is_dropped_is_not_left_alone() {
    let Some(fixture) = opened().await else {
        return;
    };
    let mut other = connect(&fixture).await;
    let incoming = "BEGIN;
        INSERT INTO deliveries (project, dedup_key, digest, received_at, kind, order_sinch_id, status, body)
        SELECT id, 'e1', decode(md5(''), 'hex'), 1, 'order', 'o1', 'CREATED', '' FROM projects";
    other.execute(incoming).await.expect("is stored");
    let store = fixture.store.clone();
    let dropping = tokio::spawn(async move { store.drop_some(id(PROJECT)).await });
    testkit::until("the drop to wait or to end", async || {
        let waits = "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
            WHERE d.datname = current_database() AND NOT l.granted";
        (dropping.is_finished() || fixture.number(waits).await == 1).then_some(())
    })
    .await;
    other.execute("COMMIT").await.expect("commits");
    let _ = dropping.await.expect("no panic");
    let alone = "SELECT count(*) FROM deliveries WHERE project NOT IN (SELECT id FROM projects)";
    assert_eq!(fixture.number(alone).await, 0);
}
