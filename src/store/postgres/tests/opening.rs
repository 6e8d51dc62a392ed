//! Opening: what is refused, who migrates, and what a start makes ready.

use tokio::task::JoinSet;

use super::*;

async fn refusal(settings: &Settings) -> OpenError {
    match open(settings).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// A server with its own settings; `None`: none is installed.
fn server(fsync: bool, settings: &[(&'static str, &str)]) -> Option<Server> {
    let settings = settings
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Server::start(ServerOptions {
        fsync,
        settings: settings.collect(),
        ..ServerOptions::default()
    })
}

fn strict(server: &Server, database: &str) -> Settings {
    Settings {
        lossy_commits: false,
        ..settings(server.url(database), ClockSource::Database)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_counts_the_replicas_that_run() {
    let Some(server) = shared_server() else {
        return;
    };
    let settings = settings(server.url(&server.database()), ClockSource::Database);
    let first = Replica::open(&settings).await;
    let second = Replica::open(&settings).await;
    let counted = async || {
        let shared = &first.store.shared;
        let touched = shared.replica.touch(&shared.commands).await;
        touched.expect("the server is there");
        shared.replica.running()
    };
    assert_eq!(second.store.shared.replica.running(), 2);
    assert_eq!(counted().await, 2);
    second.stop().await;
    assert_eq!(counted().await, 1);
    first.stop().await;
}

#[tokio::test]
async fn connections_have_the_settings_of_their_work() {
    let Some(server) = shared_server() else {
        return;
    };
    let settings = settings(server.url(&server.database()), ClockSource::Database);
    let replica = Replica::open(&settings).await;
    let shared = &replica.store.shared;
    for (lane, name, expected) in [
        (&shared.readers, "plan_cache_mode", "force_custom_plan"),
        (&shared.readers, "synchronize_seqscans", "off"),
        (&shared.readers, "statement_timeout", "3s"),
        (&shared.inbox, "enable_hashjoin", "off"),
        (&shared.commands, "jit", "off"),
        // The control: other work has the server's own.
        (&shared.commands, "plan_cache_mode", "auto"),
    ] {
        let mut work = lane.begin().await.expect("begins");
        let query = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
        let value: String = query.fetch_one(&mut *work).await.expect("reads");
        assert_eq!(value, expected, "{name}");
        work.undo().await.expect("ends");
    }
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_that_start_at_once_migrate_once() {
    let Some(server) = shared_server() else {
        return;
    };
    let database = server.database();
    let mut opening = JoinSet::new();
    for _ in 0..6 {
        let settings = settings(server.url(&database), ClockSource::Database);
        opening.spawn(async move { Replica::open(&settings).await });
    }
    let replicas = opening.join_all().await;
    assert_eq!(
        server.sql(
            &database,
            "SELECT count(*), max(version) FROM _sqlx_migrations"
        ),
        "1|1"
    );
    assert_eq!(
        server.sql(
            &database,
            "SELECT count(*) FROM replicas WHERE stopped_at IS NULL"
        ),
        "6"
    );
    for replica in replicas {
        replica.stop().await;
    }
    assert_eq!(
        server.sql(
            &database,
            "SELECT count(*) FROM replicas WHERE stopped_at IS NULL"
        ),
        "0"
    );
}

#[tokio::test]
async fn a_schema_that_only_newer_programs_may_use_is_refused_and_one_with_additions_is_not() {
    let fixture = fixture!(Fixture::new());
    fixture.text(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (2, 'later', true, '', 0);
         ALTER TABLE orders ADD later text; ALTER TABLE deliveries ADD later bigint",
    );
    let store = fixture.store().await;
    accept(&store, delivery("e1", "o1", State::Created, 10)).await;
    process(&store, 20).await;
    assert_eq!(claim(&store, 9, 20).await.len(), 1);
    fixture.text("UPDATE schema_compat SET usable_from = 2");
    let error = refusal(&fixture.settings()).await;
    assert!(
        matches!(
            error,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_replica_stops_when_a_newer_program_has_changed_the_schema() {
    let fixture = fixture!(Fixture::new());
    let replica = fixture.replica().await;
    replica.store.probe_write(at(10)).await.expect("it works");
    fixture.text("UPDATE schema_compat SET usable_from = 2");
    let error = replica
        .store
        .probe_write(at(10))
        .await
        .expect_err("it must stop");
    assert!(matches!(error, StoreError::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let Some(server) = shared_server() else {
        return;
    };
    let database = server.database();
    server.sql(&database, "CREATE TABLE deliveries (id int)");
    let error = refusal(&settings(server.url(&database), ClockSource::Database)).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(
        server.sql(
            &database,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "1"
    );
}

#[tokio::test]
async fn a_server_that_does_not_wait_for_its_disk_is_refused_unless_it_is_named() {
    let Some(server) = shared_server() else {
        return;
    };
    let database = server.database();
    let error = refusal(&strict(server, &database)).await;
    assert!(error.to_string().contains("fsync"), "{error}");
    Replica::open(&settings(server.url(&database), ClockSource::Database))
        .await
        .stop()
        .await;
}

/// The program asks for what it needs, whatever the server's settings are, and reads back that it has it.
#[tokio::test]
async fn commits_wait_for_the_disk_whatever_the_servers_settings_say() {
    let Some(server) = server(true, &[("synchronous_commit", "off")]) else {
        return;
    };
    let settings = strict(&server, &server.database());
    let shown = async |settings: &Settings| {
        let replica = Replica::open(settings).await;
        let mut work = replica.store.shared.commands.begin().await.expect("begins");
        let row = sqlx::query("SELECT current_setting('synchronous_commit')").fetch_one(&mut *work);
        let shown: String = sqlx::Row::get(&row.await.expect("reads"), 0);
        drop(work);
        replica.stop().await;
        shown
    };
    assert_eq!(shown(&settings).await, "on");
    let named = Settings {
        lossy_commits: true,
        ..settings
    };
    assert_eq!(shown(&named).await, "off");
}

/// A server that is a standby takes no writes. A file in its data folder makes it one.
#[tokio::test]
async fn a_standby_is_refused_by_name() {
    let Some(server) = server(true, &[("hot_standby", "on")]) else {
        return;
    };
    let database = server.database();
    server.restart_as_standby();
    let error = refusal(&strict(&server, &database)).await;
    assert!(
        matches!(&error, OpenError::Unfit { reason, .. } if reason.contains("standby")),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_at_the_address_is_said_within_seconds() {
    let settings = settings(
        "postgres://nobody@127.0.0.1:9/nothing".to_owned(),
        ClockSource::Database,
    );
    let error = refusal(&settings).await;
    assert!(matches!(error, OpenError::Unusable { .. }), "{error}");
    let words = refusal(&self::settings(
        "mysql://x".to_owned(),
        ClockSource::Database,
    ))
    .await;
    assert!(!words.to_string().contains("secret"), "{words}");
}

/// After a minute in which no replica was there, all open orders are fetched again, spread over the time that the rate
/// needs; while another replica is there, none is.
#[tokio::test]
async fn open_orders_are_fetched_again_only_after_nobody_was_there() {
    let fixture = fixture!(Fixture::by(ClockSource::Database));
    let store = fixture.store().await;
    let orders = (0..50).map(|n| id(&format!("o{n}"))).collect();
    let project = id(PROJECT);
    let now = crate::clock::now();
    store
        .watch(WatchRequest {
            project,
            orders,
            now,
        })
        .await
        .expect("are known");
    let later = "UPDATE orders SET fetch_at = fetch_at + 3600000000";
    let soon = "SELECT count(*) FROM orders
                WHERE fetch_at < extract(epoch FROM clock_timestamp()) * 1000000 + 60000000";
    fixture.text(later);
    let beside = fixture.replica().await;
    assert_eq!(fixture.number(soon), 0, "another replica was there");
    fixture.text("UPDATE replicas SET seen_at = seen_at - 120000000");
    let after = fixture.replica().await;
    assert_eq!(fixture.number(soon), 50);
    let spread = "SELECT count(DISTINCT fetch_at) > 10 FROM orders";
    assert_eq!(fixture.text(spread), "t");
    drop((store, beside, after));
}

#[tokio::test]
async fn a_start_makes_ready_what_waits_and_what_lies_in_the_future() {
    let fixture = fixture!(Fixture::new());
    let store = fixture.store().await;
    let orders = ["requested", "planned", "off", "parked"].map(id).into();
    let project = id(PROJECT);
    store
        .watch(WatchRequest {
            project,
            orders,
            now: at(10),
        })
        .await
        .expect("are known");
    let day = 24 * 3600;
    fixture.text(&format!(
        "UPDATE orders SET fetch_requested_at = 9000000000, fetch_at = 9000000000 WHERE sinch_id = 'requested';
         UPDATE orders SET fetch_at = {}000000 WHERE sinch_id = 'planned';
         UPDATE orders SET fetch_at = NULL WHERE sinch_id = 'off';
         UPDATE orders SET fetch_at = NULL, parked = 'attempts-used-up', fetch_requested_at = 9000000000
         WHERE sinch_id = 'parked'",
        5000 + 3 * day
    ));
    drop(store);
    let _again = fixture.replica().await;
    let text = "SELECT string_agg(concat_ws(' ', sinch_id, fetch_at / 1000000, 'by', fetch_requested_at / 1000000), ', ' ORDER BY id)
                FROM orders";
    let planned = 5000 + 25 * 3600;
    let expected =
        format!("off 5000 by, parked by 5000, planned {planned} by, requested 5000 by 5000");
    assert_eq!(fixture.text(text), expected);
}
