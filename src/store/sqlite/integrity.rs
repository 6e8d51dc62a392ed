//! Integrity check of all that a copy holds: it finds out if the copy is whole, and which rows the service would leave
//! out.

use std::ops::RangeInclusive;

use sqlx::{AssertSqlSafe, Executor, Row, SqliteConnection};

use super::savepoint::refused;

/// Contents of a copy of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Number of orders in the copy.
    pub orders: i64,
    /// Number of callbacks in the copy.
    pub deliveries: i64,
    /// Rows of the copy that are not as this program writes them, though the service can work with them: a sentence
    /// each.
    pub flaws: Vec<String>,
}

/// Maximum number of faulty rows that are named: an operator needs to see where to begin.
const NAMED_MAX: usize = 20;

/// Maximum number of SQLite's findings that are read. A file in which this many columns have values of a wrong type is
/// damaged.
const FINDINGS_MAX: usize = 1000;

/// Number of rows of a copy that are checked at once.
const ROWS_AT_ONCE: i64 = 500;

/// Examines a database and counts what it holds, or tells how it is damaged. A row that breaks a rule of the schema is
/// no damage. The connection must be one that may write, though nothing that lasts is written: SQLite examines no rules
/// of a file that it may only read.
pub(super) async fn check_integrity(
    db: &mut SqliteConnection,
) -> sqlx::Result<Result<Copied, String>> {
    let mut flaws = Vec::new();
    let found = sqlite_findings(db, 1).await?;
    if !found.is_empty() {
        db.execute("PRAGMA ignore_check_constraints = ON").await?;
        let grave = sqlite_findings(db, FINDINGS_MAX).await?;
        db.execute("PRAGMA ignore_check_constraints = OFF").await?;
        let is_grave = |outcome: &&String| !outcome.contains(" value in ");
        let damage = grave.iter().find(is_grave);
        if let Some(damage) = damage.or(grave.get(FINDINGS_MAX - 1)) {
            return Ok(Err(damage.clone()));
        }
        flaws = broken_rows(db).await?;
        if flaws.is_empty() {
            flaws = found;
        }
    }
    flaws.extend(lost_rows(db).await?);
    flaws.truncate(NAMED_MAX);
    let sql = "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM deliveries), \
               (SELECT count(*) FROM service)";
    let row = sqlx::query(sql).fetch_one(db).await?;
    if row.try_get::<i64, _>(2)? != 1 {
        return Ok(Err("its table service has lost its only row".to_owned()));
    }
    Ok(Ok(Copied {
        orders: row.try_get(0)?,
        deliveries: row.try_get(1)?,
        flaws,
    }))
}

/// Runs SQLite's own examination of a database.
async fn sqlite_findings(
    db: &mut SqliteConnection,
    findings_max: usize,
) -> sqlx::Result<Vec<String>> {
    let sql = format!("PRAGMA integrity_check({findings_max})");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(db).await?;
    let found: sqlx::Result<Vec<String>> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(found?.into_iter().filter(|found| found != "ok").collect())
}

/// Finds rows that refer to others which are not there.
async fn lost_rows(db: &mut SqliteConnection) -> sqlx::Result<Vec<String>> {
    let sql = r#"SELECT "table", rowid, parent FROM pragma_foreign_key_check LIMIT ?"#;
    let limit = i64::try_from(NAMED_MAX).unwrap_or(i64::MAX);
    let rows = sqlx::query(sql).bind(limit).fetch_all(db).await?;
    let named = rows.iter().map(|row| {
        let (table, id, parent): (&str, i64, &str) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(format!(
            "row {id} of {table} refers to a row of {parent} that is not there"
        ))
    });
    named.collect()
}

// SQLite names no row of a table without row ids, so such tables are left out.
const SELECT_TABLES: &str = "
    SELECT s.name, s.sql, (SELECT group_concat(name, ', ') FROM pragma_table_info(s.name)) AS columns
    FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.name
    WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite%' AND NOT l.wr";

/// Finds rows that break a rule of the schema. SQLite tells only the table in which there are some: so the rows are
/// copied into tables of the same schema, which refuse such a row.
async fn broken_rows(db: &mut SqliteConnection) -> sqlx::Result<Vec<String>> {
    db.execute("PRAGMA foreign_keys = OFF").await?;
    let mut named = Vec::new();
    for table in db.fetch_all(SELECT_TABLES).await? {
        let table = CheckedTable {
            name: table.try_get("name")?,
            schema: table.try_get("sql")?,
            columns: table.try_get("columns")?,
        };
        for row in table.find_broken(db).await? {
            named.push(format!(
                "row {row} of {} breaks a rule of the schema",
                table.name
            ));
        }
    }
    Ok(named)
}

struct CheckedTable {
    name: String,
    schema: String,
    columns: String,
}

impl CheckedTable {
    async fn find_broken(&self, db: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
        let name = &self.name;
        let Some(schema) = self.schema.strip_prefix("CREATE TABLE ") else {
            return Ok(Vec::new());
        };
        execute(db, format!("CREATE TEMP TABLE {schema}")).await?;
        let ids =
            format!(r#"SELECT rowid FROM main."{name}" WHERE rowid > ? ORDER BY rowid LIMIT ?"#);
        let (mut broken, mut last) = (Vec::new(), i64::MIN);
        while broken.len() < NAMED_MAX {
            let rows = sqlx::query(AssertSqlSafe(ids.clone()))
                .bind(last)
                .bind(ROWS_AT_ONCE);
            let rows = rows.fetch_all(&mut *db).await?;
            let rows: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
            let (Some(first), Some(newest)) = (rows.first(), rows.last()) else {
                break;
            };
            last = *newest;
            if !self.accepts_rows(db, *first..=last).await? {
                for row in rows {
                    if !self.accepts_rows(db, row..=row).await? {
                        broken.push(row);
                    }
                }
            }
        }
        execute(db, format!(r#"DROP TABLE temp."{name}""#)).await?;
        Ok(broken)
    }

    /// Returns `true` if the schema accepts all of the table's rows between two ids.
    async fn accepts_rows(
        &self,
        db: &mut SqliteConnection,
        rows: RangeInclusive<i64>,
    ) -> sqlx::Result<bool> {
        let CheckedTable { name, columns, .. } = self;
        let sql = format!(
            r#"INSERT INTO temp."{name}" ({columns}) SELECT {columns} FROM main."{name}" WHERE rowid BETWEEN ? AND ?"#
        );
        let inserted = sqlx::query(AssertSqlSafe(sql))
            .bind(*rows.start())
            .bind(*rows.end());
        let is_taken = refused(inserted.execute(&mut *db).await.map(drop))?.is_ok();
        execute(db, format!(r#"DELETE FROM temp."{name}""#)).await?;
        Ok(is_taken)
    }
}

async fn execute(db: &mut SqliteConnection, sql: String) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(db).await.map(drop)
}
