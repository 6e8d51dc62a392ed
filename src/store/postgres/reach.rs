//! Parts of lists that one page looks through, as the database has them.

use std::ops::Range;

use sqlx::{PgConnection, Postgres};

use crate::store::sql::reach::{ALL, Listed, Reach, bounds_of_row};
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
    let mut query = listed.select_bounds::<Postgres>(since, until);
    let row = query.build().fetch_one(db).await?;
    bounds_of_row(&row, since, until)
}
