//! Schema of the database: its migrations, which one replica of many makes, and which programs may work on it.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{PgConnection, Row, SqlSafeStr};
use tokio::time::{Instant, sleep};

use super::OpenError;
use super::connect::Connector;
use super::error::Fault;
use super::refusal::OWN;
use crate::store::StoreError;

/// Key of the lock under which the schema is brought up to date: "SiCb". No replica waits inside the server for it, since its
/// time-outs would end the wait.
const LOCK: i64 = 0x5369_4362;

/// Maximum time for which a start waits for another one that brings the schema up to date.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Pause between two tries of the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

const TRY_LOCK: &str = "SELECT pg_try_advisory_lock($1)";

/// Tables of the schema.
pub(super) const TABLES: [&str; 26] = [
    "projects",
    "orders",
    "order_details",
    "order_numbers",
    "deliveries",
    "duplicates",
    "pending",
    "decisions",
    "dismissals",
    "quarantine",
    "fetches",
    "transitions",
    "alerts",
    "service_alerts",
    "actions",
    "placements",
    "placement_steps",
    "event_sequence",
    "events",
    "targets",
    "notifications",
    "notification_queues",
    "service",
    "replicas",
    "schema_compat",
    "store_copy",
];

/// Tells if the schema is there, or else any table that would be in its way.
const IS_THERE: &str = "
    SELECT to_regclass('schema_compat') IS NOT NULL,
        EXISTS (SELECT 1 FROM unnest($1::text[]) AS t (name) WHERE to_regclass(name) IS NOT NULL),
        to_regclass('_sqlx_migrations') IS NOT NULL";

/// Tells if any migration was made. The list alone is there after a start that was broken off.
const ANY_MIGRATION: &str = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations)";

/// Tells what the user may do: make tables, and write to those that are there.
const RIGHTS: &str = "
    SELECT current_setting('transaction_read_only') = 'on',
        coalesce(has_schema_privilege(current_schema()::text, 'CREATE'), false),
        coalesce((SELECT bool_and(has_table_privilege(t, 'SELECT') AND has_table_privilege(t, 'INSERT')
                AND has_table_privilege(t, 'UPDATE') AND has_table_privilege(t, 'DELETE'))
            FROM (SELECT to_regclass(name)::oid AS t FROM unnest($1::text[]) AS n (name)) AS v WHERE t IS NOT NULL), true)";

const USABLE_FROM: &str = "SELECT usable_from FROM schema_compat";

/// Selects the source of an unfinished copy.
const UNFINISHED: &str = "SELECT source FROM store_copy WHERE ended_at IS NULL";

/// Returns the schema as migrations, in the order in which they were added.
fn migrations() -> Migrator {
    let step = |version, name: &'static str, text: &'static str| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    };
    let schema = include_str!("../../../migrations/postgres/0001_schema.sql");
    let mut migrator = Migrator::with_migrations(vec![step(1, "schema", schema)]);
    // A newer program may have added to the schema; `schema_compat` says if this one may still work on it.
    migrator.set_locking(false).set_ignore_missing(true);
    migrator
}

/// Returns the newest version of the schema that this program knows.
fn newest_known() -> i64 {
    migrations().iter().map(|m| m.version).max().unwrap_or(0)
}

/// Brings the schema up to date. Of several starts at once one does it, and the others wait.
pub(super) async fn bring_up(connector: &Connector) -> Result<(), OpenError> {
    let place = || connector.place();
    let failed = |fault: Fault| OpenError::of(place(), &fault);
    let mut db = connector.connect_patient().await.map_err(failed)?;
    lock(&mut db, place()).await?;
    check_owner(&mut db, place()).await?;
    check_rights(&mut db, place()).await?;
    check_usable(&mut db, place()).await?;
    // Of the future of `run` the compiler cannot tell that it can be sent to another thread; this is what it calls.
    let migrated = migrations().run_direct(None, &mut db, false).await;
    // The lock goes with the connection.
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            failed(error.into())
        }
        error => OpenError::Unusable {
            place: place(),
            reason: format!("its schema could not be brought up to date: {error}"),
        },
    })
}

/// Makes sure that this program may work on the database; `false` if it has no schema yet.
pub(super) async fn check(db: &mut PgConnection, connector: &Connector) -> Result<bool, OpenError> {
    check_owner(db, connector.place()).await?;
    check_rights(db, connector.place()).await?;
    check_usable(db, connector.place()).await?;
    let there = usable_from(db).await;
    let there = there.map_err(|fault| OpenError::of(connector.place(), &fault))?;
    if there.is_some() {
        refuse_unfinished(db, connector.place()).await?;
    }
    Ok(there.is_some())
}

/// Refuses a database into which another installation is being copied.
pub(super) async fn refuse_unfinished(
    db: &mut PgConnection,
    place: String,
) -> Result<(), OpenError> {
    let found = sqlx::query(UNFINISHED).fetch_optional(db).await;
    let found = found.and_then(|row| row.map(|row| row.try_get(0)).transpose());
    match found {
        Ok(None) => Ok(()),
        Ok(Some(from)) => Err(OpenError::Unfinished { place, from }),
        Err(error) => Err(OpenError::of(place, &error.into())),
    }
}

async fn lock(db: &mut PgConnection, place: String) -> Result<(), OpenError> {
    match try_lock(db, LOCK, LOCK_WAIT_MAX).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::Unusable {
            place,
            reason: "another program has been changing its schema for a minute".to_owned(),
        }),
        Err(fault) => Err(OpenError::of(place, &fault)),
    }
}

/// Takes a lock that goes with the connection; `false` if another program holds it for longer than the given time.
pub(super) async fn try_lock(
    db: &mut PgConnection,
    key: i64,
    wait_max: Duration,
) -> Result<bool, Fault> {
    let deadline = Instant::now() + wait_max;
    loop {
        let tried = sqlx::query(TRY_LOCK).bind(key).fetch_one(&mut *db).await?;
        if tried.try_get(0)? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Refuses a database that belongs to another program.
async fn check_owner(db: &mut PgConnection, place: String) -> Result<(), OpenError> {
    match is_foreign(db).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Foreign { place }),
        Err(error) => Err(OpenError::of(place, &error.into())),
    }
}

/// Returns `true` if a database has a table that would be in the way, or migrations, and nothing that says that they are
/// ours.
async fn is_foreign(db: &mut PgConnection) -> sqlx::Result<bool> {
    let row = sqlx::query(IS_THERE)
        .bind(TABLES)
        .fetch_one(&mut *db)
        .await?;
    let (is_ours, in_the_way, lists_migrations): (bool, bool, bool) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if is_ours || in_the_way || !lists_migrations {
        return Ok(in_the_way && !is_ours);
    }
    let row = sqlx::query(ANY_MIGRATION).fetch_one(db).await?;
    row.try_get(0)
}

/// Refuses a user who may not make the schema or may not write to it.
async fn check_rights(db: &mut PgConnection, place: String) -> Result<(), OpenError> {
    let row = sqlx::query(RIGHTS).bind(TABLES).fetch_one(db).await;
    let found = row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    let (is_read_only, may_create, may_write): (bool, bool, bool) =
        found.map_err(|error| OpenError::of(place.clone(), &error.into()))?;
    if is_read_only {
        let reason = "it takes no writes, since default_transaction_read_only is on: set it off";
        let reason = reason.to_owned();
        return Err(OpenError::Unfit { place, reason });
    }
    let lacks = match (may_create, may_write) {
        (true, true) => return Ok(()),
        (false, _) => "the user may not make tables in it",
        (true, false) => "the user may not read and write all of its tables",
    };
    let reason = format!("{lacks}: {OWN}");
    Err(OpenError::Refused { place, reason })
}

/// Refuses a database on which only newer programs may work.
async fn check_usable(db: &mut PgConnection, place: String) -> Result<(), OpenError> {
    let known = newest_known();
    match usable_from(db).await {
        Ok(Some(found)) if found > known => Err(OpenError::Newer {
            place,
            found,
            known,
        }),
        Ok(_) => Ok(()),
        Err(fault) => Err(OpenError::of(place, &fault)),
    }
}

/// Returns the oldest schema version whose program may work on the database; `None` if it has no schema yet.
async fn usable_from(db: &mut PgConnection) -> Result<Option<i64>, Fault> {
    let there = sqlx::query(IS_THERE).bind(TABLES).fetch_one(&mut *db);
    let there = there.await?;
    if !there.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    let row = sqlx::query(USABLE_FROM).fetch_optional(db).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

/// Fails if this program may not work on the database any more.
pub(super) async fn still_usable(db: &mut PgConnection) -> Result<(), Fault> {
    let row = sqlx::query(USABLE_FROM).fetch_optional(&mut *db).await?;
    let found: Option<i64> = row.map(|row| row.try_get(0)).transpose()?;
    if found.is_none_or(|found| found > newest_known()) {
        let reason = "a newer version of this program has changed its schema: update this one";
        return Err(StoreError::Broken(reason.to_owned()).into());
    }
    // The copy may have begun at the moment of this replica's start.
    if sqlx::query(UNFINISHED).fetch_optional(db).await?.is_some() {
        let reason = "another installation is being copied into it";
        return Err(StoreError::Broken(reason.to_owned()).into());
    }
    Ok(())
}
