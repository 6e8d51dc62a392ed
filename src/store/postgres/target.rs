//! A database into which another installation is copied, before any replica works on it.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, TypeInfo, ValueRef};
use tokio::time::{Duration, timeout};

use super::clock::database_now;
use super::connect::Connector;
use super::error::{Class, Fault};
use super::{OpenError, Settings, schema};
use crate::store::sql::cells::{Cell, Cells};

/// Key of the lock that a copy holds while it runs: `SiCc`.
const LOCK: i64 = 0x5369_4363;

/// Maximum time for which a copy waits for another one: the server may not have noticed yet that it was killed.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);

/// Maximum time for which the copy waits for the server, whatever for. The server's own limits are off.
const WAIT_MAX: Duration = Duration::from_secs(120);

const COPY: &str = "SELECT source, state, ended_at IS NOT NULL AS has_ended FROM store_copy";

const INSERT_COPY: &str = concat!(
    "INSERT INTO store_copy (id, source, state, begun_at) VALUES (1, $1, $2, ",
    database_now!(),
    ")"
);

const BEGIN_ANEW: &str = concat!(
    "UPDATE store_copy SET source = $1, state = $2, begun_at = ",
    database_now!()
);

/// Makes the next run of the command start over.
const SPOIL: &str = "UPDATE store_copy SET state = ''";

const END: &str = concat!("UPDATE store_copy SET ended_at = ", database_now!());

/// Lets new rows have ids beyond all that are there, and beyond a given one.
const SET_NEXT_ID: &str = "
    SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2, 1), $2 > 0)";

/// A database that is being filled.
pub(in crate::store) struct Target {
    db: PgConnection,
    place: String,
}

/// State of a database in which a copy is to be made.
#[derive(Debug)]
pub(in crate::store) enum Begun {
    /// Nothing was there.
    New,
    /// An earlier run has copied a part of the same source.
    GoesOn,
    /// An earlier run was of another source, or the source has changed since: what it had copied is gone.
    Anew,
    /// The database holds something else, which stays as it is.
    InUse(String),
}

/// Reason why the database did not do what the copy needs.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum TargetFault {
    /// The database does not take these values.
    Refused(String),
    /// The database cannot be used any more.
    Lost(String),
}

impl From<Fault> for TargetFault {
    fn from(fault: Fault) -> TargetFault {
        match fault.class() {
            Class::Refuse => TargetFault::Refused(fault.to_string()),
            _ => TargetFault::Lost(fault.to_string()),
        }
    }
}

impl From<sqlx::Error> for TargetFault {
    fn from(error: sqlx::Error) -> TargetFault {
        Fault::from(error).into()
    }
}

/// Waits for the server, though not for ever.
async fn bounded<T>(work: impl Future<Output = Result<T, TargetFault>>) -> Result<T, TargetFault> {
    let late = || Fault::Late(WAIT_MAX.as_secs()).into();
    timeout(WAIT_MAX, work)
        .await
        .unwrap_or_else(|_| Err(late()))
}

impl Target {
    /// Connects to the database, and brings its schema up to date as a start does. `None`: another copy into it runs.
    pub(in crate::store) async fn open(settings: &Settings) -> Result<Option<Target>, OpenError> {
        let connector = Connector::new(settings)?;
        schema::bring_up(&connector).await?;
        let failed = |fault: Fault| OpenError::of(connector.place(), &fault);
        let mut db = connector.connect_patient().await.map_err(failed)?;
        let locked = schema::try_lock(&mut db, LOCK, LOCK_WAIT_MAX).await;
        let target = Target {
            db,
            place: connector.place(),
        };
        Ok(locked.map_err(failed)?.then_some(target))
    }

    /// Returns the place of the database in words.
    pub(in crate::store) fn place(&self) -> &str {
        &self.place
    }

    /// Begins a copy of the given source, or finds what an earlier run has left of one. From then on no replica starts on
    /// the database until the copy has ended.
    pub(in crate::store) async fn begin(
        &mut self,
        source: &str,
        state: &str,
        tables: &[&str],
    ) -> Result<Begun, TargetFault> {
        bounded(async {
            let mut work = self.db.begin_with("BEGIN").await?;
            let found = sqlx::query(COPY).fetch_optional(&mut *work).await?;
            let begun = match found {
                Some(row) if row.try_get("has_ended")? => {
                    let earlier: &str = row.try_get("source")?;
                    Begun::InUse(format!(
                        "{earlier} has been copied into it already: start the service"
                    ))
                }
                Some(row) if row.try_get::<&str, _>("state")? == state => Begun::GoesOn,
                Some(_) => begin_anew(&mut work, source, state, tables).await?,
                None => begin_new(&mut work, source, state, tables).await?,
            };
            work.commit().await?;
            Ok(begun)
        })
        .await
    }

    /// Returns the largest key of a table's rows.
    pub(in crate::store) async fn last(
        &mut self,
        table: &str,
        key: &str,
    ) -> Result<Option<i64>, TargetFault> {
        let sql = format!("SELECT max({key})::bigint FROM {table}");
        let row = bounded(async {
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut self.db);
            Ok(row.await?)
        });
        Ok(row.await?.try_get(0)?)
    }

    /// Writes rows, all or none of them: lines in the text format of PostgreSQL's `COPY`.
    pub(in crate::store) async fn write(
        &mut self,
        table: &str,
        columns: &str,
        lines: &[u8],
    ) -> Result<(), TargetFault> {
        let sql = format!("COPY {table} ({columns}) FROM STDIN");
        bounded(async {
            let mut copy = self.db.copy_in_raw(&sql).await?;
            copy.send(lines).await?;
            copy.finish().await?;
            Ok(())
        })
        .await
    }

    /// Reads rows beyond a key, in the order of their keys: the first column is the key.
    pub(in crate::store) async fn page(
        &mut self,
        table: &str,
        columns: &str,
        after: i64,
        rows_max: i64,
    ) -> Result<Vec<Cells>, TargetFault> {
        let key = columns.split(',').next().unwrap_or(columns);
        let sql = format!("SELECT {columns} FROM {table} WHERE {key} > $1 ORDER BY {key} LIMIT $2");
        bounded(async {
            let rows = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(rows_max);
            let rows = rows.fetch_all(&mut self.db).await?;
            let rows: sqlx::Result<Vec<Cells>> = rows.iter().map(cells).collect();
            Ok(rows?)
        })
        .await
    }

    /// Notes that what was copied is not what the source holds, so that the next run starts over.
    pub(in crate::store) async fn spoil(&mut self) -> Result<(), TargetFault> {
        bounded(async { Ok(execute(&mut self.db, SPOIL.to_owned()).await?) }).await
    }

    /// Ends the copy: replicas may start. New rows of each given table get ids beyond the given one.
    pub(in crate::store) async fn end(&mut self, ids: &[(&str, i64)]) -> Result<(), TargetFault> {
        bounded(async {
            let mut work = self.db.begin_with("BEGIN").await?;
            for (table, used) in ids {
                let set = sqlx::query(SET_NEXT_ID).bind(*table).bind(*used);
                set.execute(&mut *work).await?;
            }
            execute(&mut work, END.to_owned()).await?;
            work.commit().await?;
            Ok(())
        })
        .await
    }
}

async fn execute(db: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(db).await.map(drop)
}

async fn note(
    db: &mut PgConnection,
    sql: &'static str,
    source: &str,
    state: &str,
) -> sqlx::Result<()> {
    let noted = sqlx::query(sql).bind(source).bind(state).execute(db);
    noted.await.map(drop)
}

/// Removes what an earlier run has copied, and notes that a copy has begun.
async fn begin_anew(
    db: &mut PgConnection,
    source: &str,
    state: &str,
    tables: &[&str],
) -> sqlx::Result<Begun> {
    let all = tables.join(", ");
    execute(db, format!("TRUNCATE {all}")).await?;
    note(db, BEGIN_ANEW, source, state).await?;
    Ok(Begun::Anew)
}

/// Notes that a copy has begun, if nothing is there.
async fn begin_new(
    db: &mut PgConnection,
    source: &str,
    state: &str,
    tables: &[&str],
) -> sqlx::Result<Begun> {
    if let Some(table) = first_in_use(db, tables).await? {
        return Ok(Begun::InUse(format!(
            "it is in use, since its table {table} has rows: create an empty database"
        )));
    }
    for table in ALWAYS_FILLED {
        execute(db, format!("DELETE FROM {table}")).await?;
    }
    note(db, INSERT_COPY, source, state).await?;
    Ok(Begun::New)
}

/// Tables that have one row from the beginning.
const ALWAYS_FILLED: [&str; 2] = ["event_sequence", "service"];

/// Returns the first of the tables that has rows, but for those that always have one.
async fn first_in_use<'a>(
    db: &mut PgConnection,
    tables: &[&'a str],
) -> sqlx::Result<Option<&'a str>> {
    for table in tables.iter().filter(|table| !ALWAYS_FILLED.contains(table)) {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *db).await?;
        if row.try_get(0)? {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn cells(row: &PgRow) -> sqlx::Result<Cells> {
    (0..row.len()).map(|column| cell(row, column)).collect()
}

fn cell(row: &PgRow, column: usize) -> sqlx::Result<Cell> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "BOOL" => Cell::Int(row.try_get::<bool, _>(column)?.into()),
        "INT2" => Cell::Int(row.try_get::<i16, _>(column)?.into()),
        "INT4" => Cell::Int(row.try_get::<i32, _>(column)?.into()),
        "INT8" => Cell::Int(row.try_get(column)?),
        "BYTEA" => Cell::Bytes(row.try_get(column)?),
        "TEXT" => Cell::Text(row.try_get(column)?),
        // Ids, which need no quotes.
        "TEXT[]" => Cell::Text(format!(
            "{{{}}}",
            row.try_get::<Vec<String>, _>(column)?.join(",")
        )),
        _ => Cell::Odd(format!("a value of the type {kind}")),
    })
}
