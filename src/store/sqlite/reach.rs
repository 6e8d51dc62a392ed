//! Parts of lists that one page looks through, as the database has them.

use std::ops::Range;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::store::sql::reach::{ALL, Listed, Reach, begin, bounds_of_row, end};
use number_order::Time;

/// Shortens a reach to what one page looks through.
pub(super) async fn shortened(
    db: &mut SqliteConnection,
    reach: Reach,
    listed: Listed,
    newest_first: bool,
) -> sqlx::Result<Reach> {
    let mut query = listed.select_ends::<Sqlite>(reach);
    let ends = query.build().fetch_one(db).await?;
    reach.shortened(listed, newest_first, &ends)
}

/// Returns the ids between which the rows of a span of time lie.
pub(super) async fn bounds(
    db: &mut SqliteConnection,
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

/// Builds the query for the rows between which those of a span of time lie. The times of the index's rows are read, and
/// never their number among all, so `+ 0` keeps SQLite from searching by id.
fn select_bounds(listed: Listed, since: Option<Time>, until: Option<Time>) -> QueryBuilder<Sqlite> {
    let Listed { id, time, .. } = listed;
    let sparse = listed.sparse();
    let mut query = QueryBuilder::new(format!(
        "SELECT (SELECT min({id} + 0) {sparse} AND {time} >= "
    ));
    query.push_bind(since.map_or(i64::MIN, begin));
    query.push(format_args!(
        ") AS first, (SELECT max({id} + 0) {sparse} AND {time} < "
    ));
    query.push_bind(until.map_or(i64::MAX, end));
    query.push(format_args!(
        ") AS last, (SELECT min({id}) {sparse}) AS oldest, (SELECT max({id}) {sparse}) AS newest"
    ));
    query
}
