//! Replicas of the program that share a database on a PostgreSQL server.

mod balancer;
mod circuit;
mod cluster;
mod findings;
mod power;
mod rolling;
mod troubles;

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sqlx::{Connection, PgConnection};
use testkit::ledger::lost;
use testkit::postgres::{Server, ServerOptions};
use testkit::{Service, Settings, folder, until};

use crate::durability::{insist, stop};
use crate::outages::agree;
use cluster::Cluster;
use findings::{Findings, stored};
use troubles::Plan;

/// Starts a server that waits for its disk; `None`: none is installed.
fn server() -> Option<Arc<Server>> {
    let options = ServerOptions {
        fsync: true,
        ..ServerOptions::default()
    };
    Server::start(options).map(Arc::new)
}

/// Share of the requests to the server at which the connection is cut, beside all other troubles.
const CUT_SHARE: f64 = 0.004;

/// Three replicas and their server meet troubles while callbacks come; at the end nothing may be wrong.
async fn troubled(seed: u64, plan: Plan, span: Duration) {
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let Some(server) = server() else { return };
    let database = server.database();
    let cutter = server.cutter(seed, CUT_SHARE).await;
    let url = cutter.url(&database);
    let on_server = |settings: Settings| settings.set("database.url", url.as_str());
    let (mut cluster, replicas) = Cluster::start(seed, span, on_server).await;
    let place = (&server, database.as_str());
    let replicas = troubles::meet(plan, place, &cluster, replicas, &mut random).await;
    let acknowledged = cluster.played_out().await;
    // In a short run it may be that by chance none was lost yet. The replicas go on committing claims.
    until("the answer to a commit to be lost", async || {
        (cutter.cuts().commits > 0).then_some(())
    })
    .await;
    cutter.leave_off();
    println!("{:?}", cutter.cuts());
    agree(
        &replicas[seed as usize % replicas.len()],
        &cluster.simulator,
    )
    .await;
    until("everything to be decided on", async || {
        (server.sql(&database, "SELECT count(*) FROM pending") == "0").then_some(())
    })
    .await;
    for replica in replicas {
        assert_eq!(replica.stop().await.code, Some(0));
    }
    let found = Findings::of(&server, &database, &acknowledged);
    let found = found.with_fetches(&cluster.simulator, Cluster::allowed());
    assert_eq!(found, Findings::default(), "seed {seed}");

    // The control: what is lost, decided on by no replica, or set back, is found.
    let victim = acknowledged.keys().next().expect("something was promised");
    server.sql(
        &database,
        &format!(
            "DELETE FROM deliveries WHERE dedup_key = '{victim}';
             DELETE FROM decisions WHERE delivery_id = (SELECT max(delivery_id) FROM decisions);
             INSERT INTO transitions (order_id, recorded_at, from_state, to_state, confirmed, said_at, cause)
                 SELECT order_id, recorded_at, to_state, to_state, confirmed, 0, cause FROM transitions
                 WHERE confirmed ORDER BY id DESC LIMIT 1"
        ),
    );
    let harmed = Findings::of(&server, &database, &acknowledged);
    assert_eq!(harmed.lost, [victim.as_str()]);
    assert_eq!((harmed.undecided, harmed.backwards), (1, 1), "{harmed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_lose_nothing_whatever_dies() {
    let plan = Plan {
        of_server: 6,
        of_replicas: 4,
        pause_max: Duration::from_secs(2),
    };
    troubled(fastrand::u64(..), plan, Duration::from_secs(10)).await;
}

/// `REPLICA_SEEDS=20 cargo test --test black_box three_replicas_for_long -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes two minutes for each seed"]
async fn three_replicas_for_long() {
    let seeds = std::env::var("REPLICA_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    let plan = Plan {
        of_server: 30,
        of_replicas: 25,
        pause_max: Duration::from_secs(8),
    };
    for seed in 1..=seeds {
        troubled(seed, plan, Duration::from_secs(40)).await;
    }
}

/// The control of the fetches: services that do not share a database exceed the rate, and ask about one order at once.
#[tokio::test]
async fn without_a_shared_database_the_rate_is_exceeded_and_an_order_fetched_twice_at_once() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let (cluster, replicas) = Cluster::start(seed, Duration::from_secs(6), |own| own).await;
    until("fetches that must not be", async || {
        let found = Findings::default().with_fetches(&cluster.simulator, Cluster::allowed());
        (found.at_once > 0 && found.beyond_the_rate > 0).then_some(())
    })
    .await;
    drop(replicas);
}

/// The control of the cuts: a caller that sends again what was not answered has it twice, if nothing tells that it was in.
#[tokio::test]
async fn without_a_key_what_is_sent_again_after_a_cut_is_stored_twice() {
    const COMMITS_UNANSWERED: usize = 5;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let Some(server) = server() else { return };
    let database = server.database();
    server.sql(&database, "CREATE TABLE sent (n int)");
    let cutter = server.cutter(seed, 0.05).await;
    let url = cutter.url(&database);
    let insert = async |db: &mut Option<PgConnection>, n: usize| -> sqlx::Result<()> {
        let mut connection = match db.take() {
            Some(connection) => connection,
            None => PgConnection::connect(&url).await?,
        };
        let sql = format!("BEGIN; INSERT INTO sent VALUES ({n}); COMMIT");
        let sql = sqlx::AssertSqlSafe(sql);
        sqlx::raw_sql(sql).execute(&mut connection).await?;
        *db = Some(connection);
        Ok(())
    };
    let (mut sent, mut db) = (0, None);
    until("lost answers to commits", async || {
        while insert(&mut db, sent).await.is_err() {}
        sent += 1;
        (cutter.cuts().commits >= COMMITS_UNANSWERED).then_some(())
    })
    .await;
    println!("{sent} sent; {:?}", cutter.cuts());
    let count = |what: &str| {
        let counted = server.sql(&database, &format!("SELECT count({what}) FROM sent"));
        counted.parse::<usize>().expect("a number")
    };
    assert_eq!(
        count("DISTINCT n"),
        sent,
        "each was sent until it was answered"
    );
    assert!(count("*") >= sent + COMMITS_UNANSWERED, "the test can tell");
}

/// The control of the server's kills: where commits wait for no disk, which has to be allowed by name, the same kill loses
/// what was answered 200.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_commits_wait_for_no_disk_a_kill_of_the_server_loses_what_was_answered() {
    const KILLS: usize = 5;
    let lossy = ServerOptions {
        fsync: true,
        settings: vec![
            ("synchronous_commit", "off".to_owned()),
            ("wal_writer_delay", "10s".to_owned()),
        ],
        ..ServerOptions::default()
    };
    let Some(server) = Server::start(lossy).map(Arc::new) else {
        return;
    };
    let database = server.database();
    let folder = folder();
    let settings = Settings::new(folder.path())
        .fix_addresses()
        .set("database.url", server.url(&database))
        .set("database.lossy_commits", true);
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    // A kill loses only what is in the server's memory: at most a page of its log.
    for _ in 0..KILLS {
        let enough = load.count() + 50;
        until("some promises", async || {
            (load.count() >= enough).then_some(())
        })
        .await;
        let killed = server.clone();
        let again = tokio::task::spawn_blocking(move || {
            killed.kill();
            killed.start_again();
        });
        again.await.expect("the server starts again");
    }
    let promised = stop(load).await;
    service.stop_well().await;
    let lost_events = lost(&promised, &stored(&server, &database));
    println!("{} of {} lost", lost_events.len(), promised.len());
    assert!(!lost_events.is_empty(), "the test can tell");
}
