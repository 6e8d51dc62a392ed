//! A database that cannot be used is refused before anything is changed, in words that name the cure; by a check as by a
//! start.

use super::super::connect::Connector;
use super::super::schema::TABLES;
use super::*;

/// Returns the error of a start, which is that of a check, too.
async fn refusal(settings: &Settings) -> OpenError {
    let checked = check(settings).await.expect_err("the check found nothing");
    match open(settings).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => {
            assert_eq!(checked.to_string(), error.to_string());
            error
        }
    }
}

/// Returns the settings of another user of the shared server.
fn by_user(server: &Server, user: &str, database: &str) -> Settings {
    let url = server.url(database);
    let url = url.replacen("tester@", &format!("{user}@"), 1);
    settings(url, ClockSource::Database)
}

fn tables(server: &Server, database: &str) -> String {
    let sql = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'";
    server.sql(database, sql)
}

#[tokio::test]
async fn a_user_who_may_not_make_or_write_tables_is_refused_with_the_cure() {
    let Some(server) = shared_server() else {
        return;
    };
    let database = server.database();
    server.sql(
        &database,
        "CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    let guest = by_user(server, "guest", &database);
    let owner = settings(server.url(&database), ClockSource::Database);
    for lacks in ["may not make tables", "may not read and write all"] {
        let error = refusal(&guest).await;
        let text = error.to_string();
        assert!(text.contains(lacks) && text.contains("OWNER TO"), "{text}");
        assert!(error.is_misconfigured(), "{text}");
        // Its tables are another user's now.
        Replica::open(&owner).await.stop().await;
        server.sql(&database, "GRANT CREATE ON SCHEMA public TO guest");
    }
    server.sql(
        &database,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest",
    );
    Replica::open(&guest).await.stop().await;
}

#[tokio::test]
async fn a_table_or_a_migration_of_another_program_is_left_alone() {
    let Some(server) = shared_server() else {
        return;
    };
    for of_another in [
        "CREATE TABLE orders (id int)",
        "CREATE VIEW projects AS SELECT 1 AS id",
        "CREATE TABLE _sqlx_migrations (version bigint); INSERT INTO _sqlx_migrations VALUES (20240101000000)",
    ] {
        let database = server.database();
        server.sql(&database, of_another);
        let before = tables(server, &database);
        let error = refusal(&settings(server.url(&database), ClockSource::Database)).await;
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert_eq!(tables(server, &database), before);
    }
    // A start that was broken off leaves the empty list of migrations.
    let database = server.database();
    Replica::open(&settings(server.url(&database), ClockSource::Database))
        .await
        .stop()
        .await;
    let names = TABLES.map(|name| format!("'{name}'")).join(", ");
    let others = format!(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ({names})"
    );
    assert_eq!(
        server.sql(&database, &others),
        "1",
        "all but sqlx's own are in the list"
    );
}

#[tokio::test]
async fn what_the_server_says_at_the_start_comes_with_the_cure() {
    let Some(server) = shared_server() else {
        return;
    };
    let database = server.database();
    let read_only = server.database();
    server.sql(
        "postgres",
        &format!("ALTER DATABASE {read_only} SET default_transaction_read_only = on"),
    );
    let nowhere = server
        .url(&database)
        .replacen("?host=/", "?host=/nowhere/", 1);
    for (settings, said, cure, lasts) in [
        (
            by_user(server, "ghost", &database),
            "role \"ghost\" does not exist (28000)",
            "pg_hba.conf",
            true,
        ),
        (
            by_user(server, "tester", "nothing"),
            "database \"nothing\" does not exist (3D000)",
            "CREATE DATABASE",
            true,
        ),
        (
            by_user(server, "tester", &read_only),
            "it takes no writes",
            "default_transaction_read_only",
            false,
        ),
        (
            self::settings(nowhere, ClockSource::Database),
            "No such file",
            "is the server running",
            false,
        ),
    ] {
        let error = refusal(&settings).await;
        let text = error.to_string();
        assert!(text.contains(said) && text.contains(cure), "{text}");
        assert!(!text.contains("at line"), "{text}");
        assert_eq!(error.is_misconfigured(), lasts, "{text}");
    }
}

#[test]
fn nothing_that_connects_shows_the_password() {
    let settings = settings(
        "postgres://u:marker@db.example.com/s".to_owned(),
        ClockSource::Database,
    );
    let connector = Connector::new(&settings).expect("an address");
    let shown = format!(
        "{settings:?} {connector:?} {:?}",
        lane::Lane::new(connector.by_key(), 1)
    );
    assert!(
        shown.contains("db.example.com") && !shown.contains("marker"),
        "{shown}"
    );
}

/// A commit that waits for a standby waits for ever, also when its client has long given it up.
#[tokio::test]
async fn commits_that_wait_for_a_standby_do_not_use_up_the_connections() {
    let Some(server) = Server::start(ServerOptions::default()) else {
        return;
    };
    let database = server.database();
    let settings = settings(server.url(&database), ClockSource::Database);
    let replica = Replica::open(&settings).await;
    let standby = |name: &str| {
        server.sql(
            "postgres",
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"),
        );
        server.sql("postgres", "SELECT pg_reload_conf()");
    };
    standby("nobody");
    let connector = Connector::new(&settings).expect("an address");
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..4 {
        let mut db = connector.connect().await.expect("connects");
        waiting.spawn(async move {
            let sql = sqlx::query("INSERT INTO duplicates VALUES ($1, 1)").bind(n);
            sql.execute(&mut db).await
        });
    }
    let refused = testkit::until("the fifth to be refused", async || {
        connector.connect().await.err()
    });
    let refused = refused.await.to_string();
    assert!(refused.contains("synchronous_standby_names"), "{refused}");
    let started = open(&settings).await.err().expect("a start is refused");
    assert!(matches!(started, OpenError::Unfit { .. }), "{started}");
    standby("");
    while let Some(done) = waiting.join_next().await {
        done.expect("no panic").expect("the commit goes on");
    }
    testkit::until("connections again", async || connector.connect().await.ok()).await;
    replica.stop().await;
}

/// What a start writes would wait for a standby for ever, too.
#[tokio::test]
async fn a_start_whose_commits_wait_for_a_standby_ends_with_words() {
    let names = ("synchronous_standby_names", "nobody".to_owned());
    let options = ServerOptions {
        settings: vec![names],
        ..ServerOptions::default()
    };
    let Some(server) = Server::start(options) else {
        return;
    };
    // Elsewhere it would be made from a template, which waits.
    let settings = settings(server.url("postgres"), ClockSource::Database);
    let error = refusal(&settings).await;
    let text = error.to_string();
    assert!(text.contains("synchronous_standby_names"), "{text}");
}

#[tokio::test]
async fn a_start_does_not_wait_long_for_a_lock() {
    let fixture = fixture!(Fixture::new());
    let other = Connector::new(&fixture.settings()).expect("an address");
    let mut other = other.connect().await.expect("connects");
    let lock = "SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE projects";
    sqlx::raw_sql(lock)
        .execute(&mut other)
        .await
        .expect("locks");
    let error = open(&fixture.settings()).await.err().expect("is refused");
    let text = error.to_string();
    assert!(text.contains("holds a lock for too long"), "{text}");
}
