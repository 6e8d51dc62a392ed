//! Parts of the queries for lists that are the same in every backend's SQL.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::alerts::{Range, ranges};
use crate::store::AlertQuery;

/// Restricts a query on `orders AS o JOIN projects AS p` to orders with an alert of the given code.
pub(in crate::store) fn push_alert<DB>(query: &mut QueryBuilder<DB>, alert: &AlertQuery)
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    query.push(" AND p.active AND (false");
    for (kind, range) in ranges(alert.now, &alert.limits) {
        if kind.code() != alert.code {
            continue;
        }
        match range {
            Range::Expiring(after, until) => {
                query.push(" OR o.confirmed_state = 'CREATED' AND o.expires_at > ");
                query.push_bind(after.0).push(" AND o.expires_at <= ");
                query.push_bind(until.0);
            }
            Range::Lasting(state, before) => {
                query
                    .push(" OR o.confirmed_state = ")
                    .push_bind(state.as_str());
                query.push(" AND o.updated_at <= ").push_bind(before.0);
            }
        }
    }
    query.push(")");
}

/// Ends a query by the page that begins after the given row: its order, by the id in the given column, and its length.
pub(in crate::store) fn push_page<DB>(
    query: &mut QueryBuilder<DB>,
    id: &str,
    newest_first: bool,
    after: Option<i64>,
    limit: u32,
) where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
{
    let (beyond, direction) = if newest_first {
        ("<", "DESC")
    } else {
        (">", "ASC")
    };
    if let Some(after) = after {
        query
            .push(format_args!(" AND {id} {beyond} "))
            .push_bind(after);
    }
    query.push(format_args!(" ORDER BY {id} {direction} LIMIT "));
    query.push_bind(i64::from(limit));
}
