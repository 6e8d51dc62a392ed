//! Samples that stand for the rows of a span of ids, where these are too many to be gone over.

/// Number of places in a span of ids that stand for all of the span, where its rows are too many to be gone over.
const SAMPLES: i64 = 256;

/// Number of ids at each of those places that are looked up, to learn how many of a span's ids have a row.
const BLOCK: i64 = 16;

/// Prime by whose fractions samples lie in their steps, greater than any step.
const SPREAD_OF: i64 = 2_147_483_647;

/// Its golden section.
const SPREAD: i64 = 1_327_217_884;

/// Rows of a table, by a name that conditions give them.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub table: &'a str,
    pub id: &'a str,
    pub name: &'a str,
}

/// Returns the table of an expression WITH that has the samples of the ids beyond `low` and up to `high`, which `span` names:
/// the id `beyond` which each begins, and the number of ids that it takes. The samples lie a step apart, each at another place
/// within its step, since rows that stay may come at regular intervals: multiples of a fraction would keep to some interval
/// where the step has the wrong length, multiples of a square do not.
pub(super) fn samples(name: &str, span: &str) -> String {
    format!(
        "{name} AS (
            SELECT k, low, high, width, low + k * step + k * k * {SPREAD} % {SPREAD_OF} * step / {SPREAD_OF} AS beyond FROM (
                WITH RECURSIVE steps AS (
                    SELECT CAST(0 AS bigint) AS k, low, high, step, CASE WHEN step < {BLOCK} THEN step ELSE {BLOCK} END AS width
                    FROM (SELECT low, high, (high - low) / {SAMPLES} + 1 AS step FROM {span} AS s) AS s
                    UNION ALL
                    SELECT k + 1, low, high, step, width FROM steps WHERE low + (k + 1) * step < high)
                SELECT * FROM steps) AS s)"
    )
}

/// Returns the table `whole` of an expression WITH that has the span of all ids of a table beyond an id.
pub(super) fn whole(of: Rows<'_>, beyond: &str) -> String {
    let Rows { table, id, .. } = of;
    format!(
        "whole AS MATERIALIZED (
            SELECT coalesce((SELECT {id} FROM {table} WHERE {id} > {beyond} ORDER BY {id} LIMIT 1) - 1, {beyond}) AS low,
                (SELECT coalesce(max({id}), {beyond}) FROM {table}) AS high)"
    )
}

/// Returns the expression of how many rows a span has by its samples: `least` at least, which are known to be there. They may
/// all lie between the blocks.
pub(super) fn estimate(samples: &str, of: Rows<'_>, least: i64) -> String {
    let Rows { table, id, .. } = of;
    format!(
        "(SELECT CASE WHEN n > {least} THEN n ELSE {least} END FROM (
            SELECT CAST((max(high) - max(low)) * sum((SELECT count(*) FROM {table}
                WHERE {id} > beyond AND {id} <= beyond + width)) / sum(width) AS bigint) AS n FROM {samples}) AS v)"
    )
}

/// Returns the expression of how many of `all` rows go: the share that goes of the blocks' first rows. A row counts for its own
/// block alone, and not for a gap before it. Where no block has a row, all go.
pub(super) fn share(all: &str, samples: &str, of: Rows<'_>, goes: &str) -> String {
    let Rows { table, id, name } = of;
    format!(
        "coalesce((SELECT {all} * count(*) FILTER (WHERE {goes}) / nullif(count(*), 0) FROM
                (SELECT (SELECT min({id}) FROM {table} WHERE {id} > beyond AND {id} <= beyond + width) AS id
                    FROM {samples}) AS s
                CROSS JOIN {table} AS {name} WHERE {name}.{id} = s.id), {all})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{Connection, Row, SqliteConnection};

    /// Whatever the length of a step, places have each residue of an interval, none of them nearly twice as often as evenly.
    #[tokio::test]
    async fn places_keep_to_no_interval() {
        let db = SqliteConnection::connect("sqlite::memory:").await;
        let mut db = db.expect("opens");
        let far = [65_536, 131_072, 196_608, 1_000_000, 100_000_000];
        for step in (17..1000).chain(far) {
            let span = format!("(SELECT 0 AS low, {} AS high)", (step - 1) * SAMPLES);
            let sql = format!(
                "WITH {} SELECT beyond FROM places",
                samples("places", &span)
            );
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut db);
            let places: Vec<i64> = rows
                .await
                .expect("reads")
                .iter()
                .map(|row| row.get(0))
                .collect();
            for interval in 2..=8 {
                let even = places.len() as i64 / interval;
                for residue in 0..interval {
                    let count = places
                        .iter()
                        .filter(|place| *place % interval == residue)
                        .count() as i64;
                    assert!(
                        (count - even).abs() * 4 <= even * 3,
                        "steps of {step}: {count} of {} places, every {interval}th",
                        places.len()
                    );
                }
            }
        }
    }
}
