//! Where the data of a store under test is, and statements on it that the store itself never makes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

#[cfg(feature = "postgres")]
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

#[cfg(feature = "postgres")]
use sqlx::PgConnection;
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;
#[cfg(feature = "postgres")]
use testkit::postgres::{Server, ServerOptions};

use super::{Backend, PROJECT, Projects, at, id};
#[cfg(feature = "postgres")]
use crate::store::postgres;
use crate::store::sqlite;
use crate::store::{Run, Settings, Store, open};
use number_order::Time;

/// Where the data of a store is.
#[derive(Debug)]
pub(in crate::store) enum Place {
    /// A file of SQLite's in a folder.
    Folder(TempDir),
    /// A database on a server of the tests' own.
    #[cfg(feature = "postgres")]
    Database {
        server: &'static Server,
        name: String,
    },
}

/// Returns the server that the tests of this program share; `None`: none is installed, which has been reported.
#[cfg(feature = "postgres")]
pub(in crate::store) fn shared_server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::start(ServerOptions::default()));
    server.as_ref()
}

/// Makes a database with the schema and nothing in it.
#[cfg(feature = "postgres")]
pub(in crate::store) async fn new_database(server: &'static Server) -> Place {
    static MADE: AtomicU32 = AtomicU32::new(0);
    static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let template = TEMPLATE.get_or_init(|| async {
        let name = server.database();
        let place = Place::Database { server, name };
        let (store, run) = open(place.settings(&[])).await.expect("opens");
        drop(store);
        run.await.expect("a clean end");
        place.edit("DELETE FROM replicas").await;
        let Place::Database { name, .. } = place else {
            unreachable!("a database was made")
        };
        name
    });
    let name = format!("suite_{}", MADE.fetch_add(1, Relaxed));
    let made = format!("CREATE DATABASE {name} TEMPLATE {}", template.await);
    execute(server, "postgres", &made).await;
    Place::Database { server, name }
}

/// Connects to a database without the store, and without another program: one that is being started has this program's
/// locks on SQLite's files for a moment.
#[cfg(feature = "postgres")]
async fn connect(server: &Server, name: &str) -> PgConnection {
    let connected = PgConnection::connect(&server.url(name)).await;
    connected.expect("connects")
}

#[cfg(feature = "postgres")]
async fn execute(server: &Server, name: &str, sql: &str) {
    let mut db = connect(server, name).await;
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut db).await.expect("is done");
    db.close().await.expect("closes");
}

impl Place {
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "other backends are waited for")
    )]
    pub(super) async fn new(on: Backend) -> Place {
        match on {
            Backend::Sqlite => Place::Folder(sqlite::tests::folder()),
            #[cfg(feature = "postgres")]
            Backend::Postgres => new_database(shared_server().expect("it was looked for")).await,
        }
    }

    /// Returns the path of SQLite's file.
    pub(in crate::store) fn path(&self) -> PathBuf {
        match self {
            Place::Folder(folder) => folder.path().join("fixture.db"),
            #[cfg(feature = "postgres")]
            Place::Database { name, .. } => panic!("{name} has no file"),
        }
    }

    /// Returns the address of PostgreSQL's database.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn url(&self) -> String {
        match self {
            Place::Folder(folder) => panic!("{} is no database", folder.path().display()),
            Place::Database { server, name } => server.url(name),
        }
    }

    pub(in crate::store) fn settings(&self, projects: Projects) -> Settings {
        self.settings_at(projects, at(5000))
    }

    fn settings_at(&self, projects: Projects, now: Time) -> Settings {
        let projects = projects.iter().map(|(name, asks)| (id(name), *asks));
        let projects = projects.collect();
        match self {
            Place::Folder(_) => Settings::Sqlite(sqlite::Settings {
                projects,
                now,
                ..sqlite::tests::settings(self.path())
            }),
            #[cfg(feature = "postgres")]
            Place::Database { server, name } => Settings::Postgres(postgres::Settings {
                url: server.url(name).into(),
                name: "test".to_owned(),
                waiting_max: 1024,
                lossy_commits: true,
                clock: postgres::ClockSource::Requests,
                projects,
                targets: Vec::new(),
                now,
            }),
        }
    }

    /// Opens the store. It may still be held for a moment: a program that another test starts has this one's locks until
    /// it runs.
    pub(super) async fn open(&self, projects: Projects<'_>) -> (Store, Run) {
        self.open_at(projects, at(5000)).await
    }

    /// Opens the store as [`Place::open`] does, at the given time.
    pub(super) async fn open_at(&self, projects: Projects<'_>, now: Time) -> (Store, Run) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match open(self.settings_at(projects, now)).await {
                Err(error) if error.is_held() && Instant::now() < deadline => {
                    tokio::task::yield_now().await;
                }
                opened => return opened.expect("opens"),
            }
        }
    }

    /// Runs statements that the store itself never makes.
    pub(in crate::store) async fn edit(&self, sql: &str) {
        match self {
            Place::Folder(_) => {
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let mut db = self.connect().await;
                sqlx::raw_sql(sql).execute(&mut db).await.expect("edits");
                db.close().await.expect("closes");
            }
            #[cfg(feature = "postgres")]
            Place::Database { server, name } => execute(server, name, sql).await,
        }
    }

    /// Returns the number that a statement selects.
    pub(in crate::store) async fn number(&self, sql: &str) -> i64 {
        match self {
            Place::Folder(_) => {
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let row = sqlx::query(sql).fetch_one(&mut self.connect().await).await;
                row.expect("reads").get(0)
            }
            #[cfg(feature = "postgres")]
            Place::Database { server, name } => {
                let sql = sqlx::AssertSqlSafe(format!("SELECT ({sql})::bigint"));
                let row = sqlx::query(sql)
                    .fetch_one(&mut connect(server, name).await)
                    .await;
                row.expect("reads").get(0)
            }
        }
    }

    /// Returns the texts that a statement selects. It makes JSON of several values by SQLite's `json_array`.
    pub(in crate::store) async fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            Place::Folder(_) => {
                let sql = sqlx::AssertSqlSafe(sql.to_owned());
                let rows = sqlx::query(sql).fetch_all(&mut self.connect().await).await;
                let rows = rows.expect("reads");
                rows.iter().map(|row| row.get(0)).collect()
            }
            #[cfg(feature = "postgres")]
            Place::Database { server, name } => {
                let sql = sql.replace("json_array(", "json_build_array(");
                let sql = sqlx::AssertSqlSafe(format!("SELECT v::text FROM ({sql}) AS t (v)"));
                let rows = sqlx::query(sql)
                    .fetch_all(&mut connect(server, name).await)
                    .await;
                let rows = rows.expect("reads");
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Connects to SQLite's file without the store.
    async fn connect(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.path().display());
        SqliteConnection::connect(&url).await.expect("connects")
    }
}

/// The project that a new store has.
pub(in crate::store) const ONE_PROJECT: Projects<'static> = &[(PROJECT, Some(5.0))];

/// Drops every check of PostgreSQL's schema.
pub(super) const DROP_CHECKS: &str = "
    DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT conrelid::regclass AS checked, conname FROM pg_constraint
            WHERE contype = 'c' AND connamespace = 'public'::regnamespace
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.checked, found.conname); END LOOP;
    END $$";
