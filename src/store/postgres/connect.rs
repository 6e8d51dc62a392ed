//! Connections to the server: their settings, which are read back, and what makes a server unfit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, Row};
use tokio::time::timeout;

use super::error::Fault;
use super::{OpenError, Settings};

/// Maximum time for which any operation waits, whatever for.
pub(super) const OPERATION_MAX: Duration = Duration::from_secs(5);

/// Maximum time for which a connection is being made.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// Settings of each connection. The server's own time-outs end what a dead replica has left; they do not cover a commit,
/// so the program bounds each wait by itself, too.
const OPTIONS: [(&str, &str); 7] = [
    // Elsewhere ON CONFLICT fails when another transaction has inserted the same key.
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "3s"),
    ("lock_timeout", "1500ms"),
    ("idle_in_transaction_session_timeout", "4s"),
    ("tcp_user_timeout", "5s"),
    ("jit", "off"),
    // Notices are no news for operators.
    ("client_min_messages", "warning"),
];

/// Settings of connections that find every row by its key: on young tables, whose size the server does not know yet, it
/// would otherwise read through all of a table, and go on doing so while it grows.
const BY_KEY: [(&str, &str); 2] = [("enable_hashjoin", "off"), ("enable_mergejoin", "off")];

/// Settings of connections that read answers to operators: each statement is planned for its values and for the tables as they
/// are. A plan that is kept reads through all of a table that was small, such as that of duplicates, for each row of a page. What
/// counts rows up to a limit begins with the same ones each time, which are in memory, and not where another count has ended.
const ANSWERS: [(&str, &str); 2] = [
    ("plan_cache_mode", "force_custom_plan"),
    ("synchronize_seqscans", "off"),
];

/// Makes commits wait for the disk, and leaves the one setting that is stronger. Its parameter is true where the
/// operator accepts less.
const READ_BACK: &str = "
    SELECT pg_is_in_recovery() AS is_standby, current_setting('fsync') AS fsync,
        CASE WHEN $1 OR current_setting('synchronous_commit') = 'remote_apply' THEN current_setting('synchronous_commit')
            ELSE set_config('synchronous_commit', 'on', false) END AS synchronous_commit,
        current_setting('default_transaction_isolation') AS isolation,
        current_setting('server_encoding') AS encoding, current_setting('server_version_num')::int AS version,
        (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = current_user
            AND application_name LIKE 'sinch-callbacks %' AND query_start < clock_timestamp() - interval '5 s') AS unshipped";

/// Writes and commits something that is never read, and that no table has.
const TRIAL_COMMIT: &str = "SELECT pg_logical_emit_message(true, 'sinch-callbacks', 'trial')";

/// Why commits do not end, and the cure.
const UNSHIPPED: &str = "its commits wait for a standby, and none that synchronous_standby_names names is there: start one, or \
     take it out of that setting";

/// Number of connections of all replicas whose commit waits for a standby, and was abandoned, at which no further one is
/// made. They stay at the server until the standby is back, and would use up its connections, those for other programs,
/// too.
const UNSHIPPED_MAX: i64 = 4;

/// Oldest version of the server on which this program works.
const VERSION_MIN: i32 = 140_000;

/// Maker of connections.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    lossy_commits: bool,
}

/// Does not show the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.place()).finish()
    }
}

impl Connector {
    /// Returns the maker of connections to the server that the settings name.
    pub(super) fn new(settings: &Settings) -> Result<Connector, OpenError> {
        let url = settings.url.expose_secret();
        let options = PgConnectOptions::from_str(url).map_err(|error| OpenError::Address {
            reason: error.to_string(),
        })?;
        let options = options
            .application_name(&format!("sinch-callbacks {}", settings.name))
            .options(OPTIONS)
            .disable_statement_logging();
        let lossy_commits = settings.lossy_commits;
        Ok(Connector {
            options,
            lossy_commits,
        })
    }

    /// Returns the maker of connections on which every row is found by its key.
    pub(super) fn by_key(&self) -> Connector {
        self.with(BY_KEY)
    }

    /// Returns the maker of connections that read answers to operators.
    pub(super) fn answers(&self) -> Connector {
        self.with(ANSWERS)
    }

    fn with<const N: usize>(&self, settings: [(&str, &str); N]) -> Connector {
        Connector {
            options: self.options.clone().options(settings),
            lossy_commits: self.lossy_commits,
        }
    }

    /// Returns the place of the database in words, without the password.
    pub(super) fn place(&self) -> String {
        place_of(&self.options)
    }

    /// Connects to the server, and reads back what durability depends on.
    pub(super) async fn connect(&self) -> Result<PgConnection, Fault> {
        let connecting = async {
            let mut db = self.options.connect().await?;
            self.read_back(&mut db).await?;
            Ok(db)
        };
        timeout(CONNECT_MAX, connecting)
            .await
            .unwrap_or(Err(Fault::Late(CONNECT_MAX.as_secs())))
    }

    /// Connects without most time-outs of the server's, for what may take long: a migration. Nobody waits long for a lock,
    /// since all others wait behind that one.
    pub(super) async fn connect_patient(&self) -> Result<PgConnection, Fault> {
        let mut db = self.connect().await?;
        let patient = "SET statement_timeout = 0; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = 0";
        sqlx::raw_sql(patient).execute(&mut db).await?;
        let trial = sqlx::raw_sql(TRIAL_COMMIT).execute(&mut db);
        match timeout(OPERATION_MAX, trial).await {
            Ok(done) => done.map(drop)?,
            // The server's own time-outs do not end a commit.
            Err(_) => return Err(Fault::Unfit(UNSHIPPED.to_owned())),
        }
        Ok(db)
    }

    async fn read_back(&self, db: &mut PgConnection) -> Result<(), Fault> {
        let row = sqlx::query(READ_BACK)
            .bind(self.lossy_commits)
            .fetch_one(db)
            .await?;
        let found = Found {
            is_standby: row.try_get("is_standby")?,
            fsync: row.try_get("fsync")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
            isolation: row.try_get("isolation")?,
            encoding: row.try_get("encoding")?,
            version: row.try_get("version")?,
            unshipped: row.try_get("unshipped")?,
        };
        match found.fault(self.lossy_commits) {
            None => Ok(()),
            Some(fault) => Err(Fault::Unfit(fault)),
        }
    }
}

/// Returns the place of the database in words: server and name, without user and password.
fn place_of(options: &PgConnectOptions) -> String {
    let server = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let name = options.get_database().unwrap_or(options.get_username());
    format!("{name} at {server}")
}

/// What a server says of itself.
struct Found {
    is_standby: bool,
    fsync: String,
    synchronous_commit: String,
    isolation: String,
    encoding: String,
    version: i32,
    /// Number of connections of all replicas whose commit waits for a standby, and was abandoned.
    unshipped: i64,
}

impl Found {
    /// Returns the reason why nothing may be promised on this server.
    fn fault(&self, lossy_commits: bool) -> Option<String> {
        if self.is_standby {
            return Some(
                "it is a standby, which takes no writes: give the primary's address".to_owned(),
            );
        }
        if self.fsync != "on" && !lossy_commits {
            return Some(
                "it runs with fsync = off, so a power cut can lose all of it: set fsync = on"
                    .to_owned(),
            );
        }
        let waits = matches!(self.synchronous_commit.as_str(), "on" | "remote_apply");
        if !waits && !lossy_commits {
            return Some(format!(
                "its commits wait for no disk (synchronous_commit = {})",
                self.synchronous_commit
            ));
        }
        if self.unshipped >= UNSHIPPED_MAX {
            return Some(UNSHIPPED.to_owned());
        }
        if self.isolation != "read committed" {
            return Some(format!(
                "its transactions are {}, not read committed",
                self.isolation
            ));
        }
        if self.encoding != "UTF8" {
            return Some(format!(
                "the database has the encoding {}: create it with UTF8",
                self.encoding
            ));
        }
        (self.version < VERSION_MIN).then(|| "it is older than PostgreSQL 14".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        Found {
            is_standby: false,
            fsync: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            isolation: "read committed".to_owned(),
            encoding: "UTF8".to_owned(),
            version: 150_000,
            unshipped: 3,
        }
    }

    #[test]
    fn what_promises_less_is_refused_unless_it_is_named() {
        assert_eq!(found().fault(false), None);
        for (name, value, can_be_named) in [
            ("is_standby", "on", false),
            ("fsync", "off", true),
            ("synchronous_commit", "off", true),
            ("synchronous_commit", "local", true),
            ("isolation", "serializable", false),
            ("encoding", "SQL_ASCII", false),
            ("version", "130000", false),
            ("unshipped", "4", false),
        ] {
            let mut found = found();
            let value = value.to_owned();
            match name {
                "is_standby" => found.is_standby = true,
                "fsync" => found.fsync = value,
                "synchronous_commit" => found.synchronous_commit = value,
                "isolation" => found.isolation = value,
                "encoding" => found.encoding = value,
                "unshipped" => found.unshipped = value.parse().expect("a number"),
                _ => found.version = value.parse().expect("a number"),
            }
            assert!(found.fault(false).is_some(), "{name}");
            assert_eq!(found.fault(true).is_none(), can_be_named, "{name}");
        }
        let stronger = Found {
            synchronous_commit: "remote_apply".to_owned(),
            ..found()
        };
        assert_eq!(stronger.fault(false), None);
    }
}
