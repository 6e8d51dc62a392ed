//! Actions of operators: the statements that are the same in every backend's SQL, and the rows as values.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::columns::Columns;
use super::cursor::{List, last};
use super::reach::{ALL, Reach};
use super::unreadable::each_with;
use crate::store::{ActionFilter, ActionRow, Listing, NewAction};
use number_order::Time;

/// Builds the statement that records an action as one that begins, and returns its row.
pub(in crate::store) fn insert<DB>(action: &NewAction) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
    Option<String>: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query =
        QueryBuilder::new("INSERT INTO actions (acted_at, caller, method, path) VALUES (");
    query.push_bind(action.acted_at.0).push(", ");
    query.push_bind(action.caller.clone()).push(", ");
    query.push_bind(action.method.clone()).push(", ");
    query.push_bind(action.path.clone()).push(") RETURNING id");
    query
}

/// Builds the statement that records how an action ended.
pub(in crate::store) fn end<DB>(action: i64, status: u16, body: Option<String>) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    Option<String>: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new("UPDATE actions SET status = ");
    query.push_bind(i64::from(status)).push(", body = ");
    query.push_bind(body).push(" WHERE id = ");
    query.push_bind(action);
    query
}

/// Builds the query for a page of actions, after the given row.
pub(in crate::store) fn select_page<DB>(
    filter: &ActionFilter,
    after: Option<i64>,
) -> QueryBuilder<DB>
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
{
    let mut query = QueryBuilder::new(
        "SELECT id, acted_at, caller, method, path, body, status FROM actions WHERE true",
    );
    if let Some(caller) = &filter.caller {
        query.push(" AND caller = ").push_bind(caller.clone());
    }
    if let Some(since) = filter.since {
        query.push(" AND acted_at >= ").push_bind(since.0);
    }
    if let Some(until) = filter.until {
        query.push(" AND acted_at < ").push_bind(until.0);
    }
    let reach = Reach::after(after, filter.newest_first, &ALL);
    reach.push(&mut query, "id", filter.newest_first, filter.limit);
    query
}

/// Returns a page of actions.
pub(in crate::store) fn page<R: Columns>(
    found: &[R],
    filter: &ActionFilter,
) -> sqlx::Result<Listing<ActionRow>> {
    let found = each_with(found, "actions", |row| action_of_row(row))?;
    let ids = found.rows.iter().map(|row| row.id);
    let last = last(ids, &found.unreadable, filter.newest_first, filter.limit);
    Ok(Listing {
        items: found.rows,
        unreadable: found.unreadable,
        next: last.map(|row| List::Actions.cursor(row)),
    })
}

fn action_of_row(row: &impl Columns) -> sqlx::Result<ActionRow> {
    let text = |column| Ok::<_, sqlx::Error>(row.text_if_any(column)?.map(str::to_owned));
    Ok(ActionRow {
        id: row.int("id")?,
        acted_at: Time(row.int("acted_at")?),
        caller: text("caller")?,
        method: row.text("method")?.to_owned(),
        path: row.text("path")?.to_owned(),
        body: text("body")?,
        status: row
            .int_if_any("status")?
            .and_then(|status| status.try_into().ok()),
    })
}
