//! Parts of lists that one page looks through, as the database has them.

use std::ops::Range;

use sqlx::{PgConnection, Postgres, QueryBuilder};

use crate::store::sql::reach::{ALL, Listed, Reach, begin, bounds_of_row, end};
use number_order::Time;

/// Shortens a reach to what one page looks through.
pub(super) async fn shortened(
    db: &mut PgConnection,
    reach: Reach,
    listed: Listed,
    newest_first: bool,
) -> sqlx::Result<Reach> {
    let mut query = listed.select_ends::<Postgres>(reach);
    let ends = query.build().fetch_one(db).await?;
    reach.shortened(listed, newest_first, &ends)
}

/// Returns the ids between which the rows of a span of time lie.
pub(super) async fn bounds(
    db: &mut PgConnection,
    listed: Listed,
    since: Option<Time>,
    until: Option<Time>,
) -> sqlx::Result<Range<i64>> {
    if since.is_none() && until.is_none() {
        return Ok(ALL);
    }
    let mut query = select_bounds(listed, since, until);
    let row = query.build().fetch_one(db).await?;
    bounds_of_row(&row, since, until)
}

/// Builds the query for the rows between which those of a span of time lie, at most one at each end.
pub(super) fn select_bounds(
    listed: Listed,
    since: Option<Time>,
    until: Option<Time>,
) -> QueryBuilder<Postgres> {
    let Listed { id, .. } = listed;
    let sparse = listed.sparse();
    let mut query = QueryBuilder::new("SELECT ");
    if let Some(since) = since {
        push_outermost(&mut query, listed, &SINCE, begin(since));
        query.push(format_args!(
            " AS first, (SELECT max({id}) {sparse}) AS newest"
        ));
    }
    if since.is_some() && until.is_some() {
        query.push(", ");
    }
    if let Some(until) = until {
        push_outermost(&mut query, listed, &UNTIL, end(until));
        query.push(format_args!(
            " AS last, (SELECT min({id}) {sparse}) AS oldest"
        ));
    }
    query
}

/// One side of a span of time, in SQL.
struct Side {
    /// Comparison of a row's time with that of the side, for a row within the span.
    within: &'static str,
    /// Direction of time from the side into the span.
    inwards: &'static str,
    /// Function of the ids that chooses the outermost.
    outermost: &'static str,
    /// The same, of two ids.
    outer: &'static str,
    /// Comparison of a row's id with another one's, for a row further out.
    beyond: &'static str,
}

const SINCE: Side = Side {
    within: ">=",
    inwards: "ASC",
    outermost: "min",
    outer: "least",
    beyond: "<",
};

const UNTIL: Side = Side {
    within: "<",
    inwards: "DESC",
    outermost: "max",
    outer: "greatest",
    beyond: ">",
};

/// Adds the outermost id of the rows within a side. It is seldom another one than that of the row whose time lies nearest, so
/// the index is searched for ids beyond that one. It has times and ids, so that it finds few rows, and the server looks up in
/// the table each row that an index finds, until a vacuum has passed there. `+ 0` keeps the server from searching by id.
fn push_outermost(query: &mut QueryBuilder<Postgres>, listed: Listed, side: &Side, at: i64) {
    let Listed { id, time, .. } = listed;
    let Side {
        within,
        inwards,
        outermost,
        outer,
        beyond,
    } = side;
    let sparse = listed.sparse();
    query.push(format_args!(
        "(SELECT {outer}(v.id, (SELECT {outermost}({id} + 0) {sparse} AND {id} {beyond} v.id AND {time} {within} "
    ));
    query.push_bind(at);
    query.push(format_args!(
        ")) FROM (SELECT {id} AS id {sparse} AND {time} {within} "
    ));
    query.push_bind(at);
    query.push(format_args!(" ORDER BY {time} {inwards} LIMIT 1) AS v)"));
}
