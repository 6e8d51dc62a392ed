//! A server that is killed, stopped, paused, or cuts its sessions: nothing acknowledged is lost, every wait has an end,
//! and the service goes on by itself.

use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

/// Longest time that a call may take: that of an operation and of a connection, and some for a busy machine.
const CALL_MAX: Duration = Duration::from_secs(5 + 2 + 8);

/// A server of its own with an open store.
struct Ground {
    server: Server,
    database: String,
    replica: Replica,
}

async fn ground() -> Option<Ground> {
    let options = ServerOptions {
        fsync: true,
        ..ServerOptions::default()
    };
    let server = Server::start(options)?;
    let database = server.database();
    let settings = settings(server.url(&database), ClockSource::Database);
    let replica = Replica::open(&settings).await;
    Some(Ground {
        server,
        database,
        replica,
    })
}

/// Sends callbacks, one after the other, until told to stop; returns the events that were acknowledged.
async fn send(
    store: Store,
    sender: usize,
    stop: tokio_util::sync::CancellationToken,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let event = format!("e{sender}-{n}");
        let began = Instant::now();
        let accepted = store
            .accept(delivery(&event, "o1", State::Created, 10))
            .await;
        assert!(began.elapsed() < CALL_MAX, "{:?}", began.elapsed());
        match accepted {
            Ok(_) => acknowledged.push(event),
            Err(StoreError::Unreachable(_) | StoreError::Overloaded | StoreError::Locked) => {}
            Err(error) => panic!("{error}"),
        }
    }
    acknowledged
}

/// Does something to the server, again and again, while eight senders send, and counts what is lost.
async fn lost_during(trouble: impl Fn(&Server, &str), rounds: usize) -> Option<(usize, usize)> {
    let Ground {
        server,
        database,
        replica,
    } = ground().await?;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        senders.spawn(send(replica.store.clone(), sender, stop.clone()));
    }
    for round in 0..rounds {
        let before = server.try_sql(&database, "SELECT count(*) FROM deliveries");
        let before: i64 = before.expect("reads").parse().expect("a number");
        trouble(&server, &database);
        // By itself, the service goes on.
        testkit::until("callbacks to be taken again", async || {
            let now = server
                .try_sql(&database, "SELECT count(*) FROM deliveries")
                .ok()?;
            (now.parse::<i64>().ok()? > before + 20).then_some(())
        })
        .await;
        println!("round {round}");
    }
    stop.cancel();
    let acknowledged = senders.join_all().await.concat();
    let stored = server.sql(&database, "SELECT dedup_key FROM deliveries");
    let stored: std::collections::HashSet<&str> = stored.lines().collect();
    let lost = acknowledged
        .iter()
        .filter(|event| !stored.contains(event.as_str()))
        .count();
    let twice = "SELECT count(*) FROM deliveries GROUP BY dedup_key HAVING count(*) > 1";
    assert_eq!(server.sql(&database, twice), "");
    process_all(&replica.store).await;
    assert_eq!(server.sql(&database, "SELECT count(*) FROM pending"), "0");
    let decided = server.sql(&database, "SELECT count(*) FROM decisions");
    assert_eq!(decided, stored.len().to_string());
    replica.stop().await;
    Some((acknowledged.len(), lost))
}

async fn process_all(store: &Store) {
    loop {
        let now = crate::clock::now();
        let report = store.process(ProcessRequest { now, ..request(0) }).await;
        if report.expect("processes").taken == 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let lost = lost_during(
        |server, _| {
            server.kill();
            server.start_again();
        },
        3,
    );
    if let Some((acknowledged, lost)) = lost.await {
        assert_eq!(lost, 0, "of {acknowledged}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_restarted_or_ends_its_sessions() {
    let lost = lost_during(
        |server, database| {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE pid <> pg_backend_pid() AND datname = current_database()";
            for _ in 0..5 {
                server.sql(database, end);
            }
            server.restart();
        },
        3,
    );
    if let Some((acknowledged, lost)) = lost.await {
        assert_eq!(lost, 0, "of {acknowledged}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wait_for_a_paused_server_has_an_end() {
    let Some(Ground {
        server, replica, ..
    }) = ground().await
    else {
        return;
    };
    let store = replica.store.clone();
    accept(&store, delivery("e0", "o1", State::Created, 10)).await;
    server.pause();
    let began = Instant::now();
    let now = crate::clock::now();
    let project = id(PROJECT);
    let (accepted, processed, claimed, probed, known) = tokio::join!(
        store.accept(delivery("e1", "o1", State::Created, 10)),
        store.process(request(20)),
        store.claim(claim_request(1, ClaimOrder::Oldest, now)),
        store.probe_write(now),
        store.placement(&project, "shop-1"),
    );
    let took = began.elapsed();
    assert!(took < CALL_MAX, "{took:?}");
    for error in [
        accepted.map(drop).expect_err("no answer"),
        processed.map(drop).expect_err("no answer"),
        claimed.map(drop).expect_err("no answer"),
        probed.expect_err("no answer"),
        known.map(drop).expect_err("no answer"),
    ] {
        assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    }
    server.go_on();
    testkit::until("the service to go on", async || {
        let again = store.accept(delivery("e1", "o1", State::Created, 10)).await;
        again.ok()
    })
    .await;
    process_all(&store).await;
    drop(store);
    replica.stop().await;
}

#[tokio::test]
async fn a_server_that_may_not_be_written_to_is_unreachable_until_it_may() {
    let Some(Ground {
        server,
        database,
        replica,
    }) = ground().await
    else {
        return;
    };
    let store = replica.store.clone();
    let read_only = |on| {
        let sql = format!("ALTER DATABASE {database} SET default_transaction_read_only = {on}");
        server.sql("postgres", &sql);
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'";
        server.sql("postgres", &end.replace("{}", &database));
    };
    read_only("on");
    let refused = store.accept(delivery("e1", "o1", State::Created, 10)).await;
    assert!(
        matches!(refused, Err(StoreError::Unreachable(_))),
        "{refused:?}"
    );
    read_only("off");
    assert_eq!(
        accept(&store, delivery("e1", "o1", State::Created, 10)).await,
        Accepted::New
    );
    drop(store);
    replica.stop().await;
}
