//! Opening of the database, also after an earlier run.

use super::*;
use number_order::{Endpoint, NoAnswer};

#[tokio::test]
async fn a_restart_keeps_everything_and_voids_leases() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture
        .accept(delivery("e2", "o2", State::InReview, 10))
        .await;
    fixture.process(20).await;
    assert_eq!(fixture.claim(20).await.len(), 2);
    let circuit = Circuit {
        failures: 4,
        paused: Some((
            at(99),
            NoAnswer::NotNow {
                endpoint: Endpoint::Orders,
                status: 429,
            },
        )),
        paused_since: Some(at(21)),
    };
    fixture
        .store
        .save_circuit(id(PROJECT), Circuit::default(), circuit.clone())
        .await
        .expect("is kept");
    fixture
        .accept(delivery("e3", "o1", State::Completed, 21))
        .await;
    let wal = fixture.place.folder().path().join("fixture.db-wal");
    assert!(wal.exists());
    drop(fixture.store);
    fixture.run.await.expect("no panic").expect("a clean end");
    assert!(!wal.exists(), "a clean end leaves one file");
    let fixture = Fixture::open_in(fixture.place.into_folder()).await;
    assert_eq!(fixture.store.circuit(&id(PROJECT)).await, Ok(circuit));
    assert_eq!(fixture.claim(20).await.len(), 2, "the old leases are void");
    assert_eq!(
        fixture.process(30).await.processed.len(),
        1,
        "what waited still waits"
    );
    assert_eq!(
        fixture
            .accept(delivery("e1", "o1", State::InReview, 10))
            .await,
        Accepted::Duplicate
    );
}

async fn edit(path: &Path, sql: &'static str) {
    let url = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    sqlx::query(sql).execute(&mut db).await.expect("edits");
    db.close().await.expect("closes");
}

async fn refusal(path: PathBuf) -> OpenError {
    let settings = settings(path);
    let checked = check(&settings).await.expect_err("is refused by the check");
    match open(&settings).await {
        Ok(_) => panic!("opened, though: {checked}"),
        Err(error) => {
            assert_eq!(error.to_string(), checked.to_string());
            error
        }
    }
}

#[tokio::test]
async fn a_second_instance_is_refused() {
    let fixture = Fixture::new().await;
    assert!(matches!(refusal(fixture.path()).await, OpenError::Held(_)));
}

#[tokio::test]
async fn foreign_and_newer_files_and_orphaned_logs_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let foreign = folder.path().join("foreign.db");
    std::fs::write(&foreign, "").expect("writes");
    edit(&foreign, "CREATE TABLE theirs (x)").await;
    assert!(matches!(refusal(foreign).await, OpenError::Foreign(_)));

    let orphan = folder.path().join("orphan.db");
    std::fs::write(folder.path().join("orphan.db-wal"), "promises").expect("writes");
    assert!(matches!(refusal(orphan).await, OpenError::Orphaned(_)));

    let fixture = Fixture::new().await.again().await;
    let path = fixture.path();
    drop(fixture.store);
    fixture.run.await.expect("no panic").expect("a clean end");
    edit(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'later', 1, x'00', 0)",
    )
    .await;
    assert!(matches!(
        refusal(path).await,
        OpenError::Newer { found: 999, .. }
    ));
}

#[tokio::test]
async fn the_planner_uses_the_indexes_that_the_queue_stands_on() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let plans = [
        (
            "EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE order_id = 9 ORDER BY id DESC LIMIT 9",
            "deliveries_order",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE id > (SELECT processed_through FROM service) ORDER BY id LIMIT 9",
            "INTEGER PRIMARY KEY",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT id FROM deliveries WHERE phase = 'parked' AND id > 9 ORDER BY id LIMIT 9",
            "deliveries_parked",
        ),
    ];
    for (sql, index) in plans {
        let rows = sqlx::query(sql).fetch_all(&mut db).await.expect("plans");
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let plan = plan.join("; ");
        assert!(
            plan.contains(index) && !plan.contains("TEMP B-TREE"),
            "{sql}: {plan}"
        );
    }
}

#[tokio::test]
async fn a_claim_reads_no_more_than_it_takes() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let urgent = "o USING INDEX orders_priority (project=? AND priority=? AND fetch_at<?)";
    let oldest = "o USING INDEX orders_due (project=? AND fetch_at<?)";
    for (sql, expected) in [
        (claims::DUE_BY_PRIORITY, [urgent, urgent].as_slice()),
        (claims::DUE_OLDEST, [oldest].as_slice()),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(9).bind(PROJECT);
        let query = query.bind(9).bind("[]");
        let rows = query.fetch_all(&mut db).await.expect("plans");
        let plan: Vec<&str> = rows.iter().map(|row| row.get("detail")).collect();
        let searches = plan.iter().filter_map(|step| step.strip_prefix("SEARCH "));
        let of_due: Vec<&str> = searches.filter(|step| step.starts_with("o ")).collect();
        assert_eq!(of_due, expected, "{plan:#?}");
        let sorted = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        let mut scans = plan.iter().filter(|step| step.starts_with("SCAN "));
        let little = ["subquery", "json_each", "CONSTANT ROW"];
        let of_little = |step: &&str| little.iter().any(|known| step.contains(known));
        assert!(!sorted && scans.all(of_little), "{plan:#?}");
    }
}

#[tokio::test]
async fn after_an_unclean_end_fetches_of_open_orders_are_spread_out() {
    const ORDERS: u32 = 1000;
    let fixture = Fixture::new().await;
    let watch = WatchRequest {
        project: id(PROJECT),
        orders: (0..ORDERS).map(|n| id(&format!("o{n}"))).collect(),
        now: at(20),
    };
    fixture.store.watch(watch).await.expect("is known");
    let claims = fixture.claim_some(ORDERS, ClaimOrder::Oldest, 4900).await;
    assert_eq!(claims.len(), ORDERS as usize);
    for claim in claims {
        fixture
            .record(&claim, shows(State::InReview, 10), 4900)
            .await;
    }
    let planned = |fixture: &Fixture| {
        let store = fixture.store.clone();
        async move {
            let filter = OrderFilter {
                limit: 2 * ORDERS,
                ..OrderFilter::default()
            };
            let orders = store.orders(&filter).await.expect("reads").items;
            orders
                .iter()
                .filter_map(|order| order.fetch_at)
                .collect::<Vec<Time>>()
        }
    };
    let before = planned(&fixture).await;
    let fixture = fixture.again().await;
    assert_eq!(
        planned(&fixture).await,
        before,
        "a clean end changes nothing"
    );

    // The service is killed: the writer is gone before it can note a clean end.
    fixture.run.abort();
    assert!(fixture.run.await.is_err_and(|end| end.is_cancelled()));
    drop(fixture.store);
    let fixture = Fixture::open_in(fixture.place.into_folder()).await;
    let after = planned(&fixture).await;
    assert_eq!(after.len(), ORDERS as usize);
    // The fetches are spread at 5 a second, from 5000 s on.
    let mut each_second = [0_u32; 200];
    for fetch_at in after {
        let second = fetch_at.since(at(5000)).as_secs() as usize;
        assert!(fetch_at >= at(5000) && fetch_at <= at(5200), "{fetch_at}");
        each_second[second.min(199)] += 1;
    }
    // The spread is random, so not even; but five times the mean is met less than once in 10⁷ runs.
    let busiest = each_second.iter().max();
    assert!(busiest < Some(&25), "spread out: {each_second:?}");
}

#[tokio::test]
async fn a_clock_that_was_set_back_leaves_no_order_waiting_for_days() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(900_000).await;
    let fixture = fixture.again().await;
    let fetch_at = fixture.history("o1").await.order.fetch_at;
    assert_eq!(fetch_at, Some(at(5000 + 25 * 3600)));
}

#[tokio::test]
async fn a_fetch_that_was_requested_before_the_clock_was_set_back_is_due_now() {
    let fixture = Fixture::new().await;
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
    fixture.process(20).await;
    let requested = fixture.store.request_fetch(key("o1"), at(900_000));
    requested.await.expect("is known");
    let fixture = fixture.again().await;
    let order = fixture.history("o1").await.order;
    assert_eq!(order.fetch_at, Some(at(5000)));
    // A fetch that is sent now is sent after the request, so its failure counts as any other does.
    let claims = fixture.claim_some(1, ClaimOrder::Oldest, 5000).await;
    let failure = Failure {
        reason: not_now(500),
        wait_min: Duration::ZERO,
    };
    fixture.record(&claims[0], Err(failure), 5000).await;
    assert_eq!(fixture.history("o1").await.order.attempts, 1);
}

#[tokio::test]
async fn what_was_open_before_the_api_was_off_is_fetched_when_it_is_on_again() {
    for open in [
        "tie_state = 'REJECTED', tie_since_at = 10000000",
        "fetch_requested_at = 10000000",
    ] {
        let fixture = Fixture::new().await;
        fixture
            .accept(delivery("e1", "o1", State::Completed, 10))
            .await;
        fixture.process(20).await;
        let claims = fixture.claim_some(1, ClaimOrder::Oldest, 4000).await;
        fixture
            .record(&claims[0], shows(State::Completed, 10), 4000)
            .await;
        fixture
            .edit(&format!("UPDATE orders SET fetch_at = NULL, {open}"))
            .await;
        let fixture = fixture.again().await;
        let fetch_at = fixture.history("o1").await.order.fetch_at;
        assert_eq!(fetch_at, Some(at(5000)), "{open}");
    }
}
