//! Parts of the queries for lists that are the same in every backend's SQL.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::alerts::{Range, ranges};
use crate::store::{AlertQuery, DeliveryFilter, NumberQuery, OrderFilter};

/// Restricts a query on `orders AS o JOIN projects AS p` to orders with an alert of the given code.
pub(in crate::store) fn push_alert<DB>(query: &mut QueryBuilder<DB>, alert: &AlertQuery)
where
    DB: Database,
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    &'static str: for<'q> Encode<'q, DB> + Type<DB>,
{
    // The ids come from the indexes of these states, and so do the rows in the order of their ids.
    query.push(" AND p.active AND o.id IN (SELECT 0 WHERE false");
    for (kind, range) in ranges(alert.now, &alert.limits) {
        if kind.code() != alert.code {
            continue;
        }
        match range {
            Range::Expiring(after, until) => {
                query.push(" UNION ALL SELECT id FROM orders WHERE confirmed_state = 'CREATED' AND expires_at > ");
                query.push_bind(after.0).push(" AND expires_at <= ");
                query.push_bind(until.0);
            }
            Range::Lasting(state, before) => {
                query.push(" UNION ALL SELECT id FROM orders WHERE confirmed_state IN ('IN_REVIEW', 'BLOCKED') AND confirmed_state = ");
                query.push_bind(state.as_str());
                query.push(" AND updated_at <= ").push_bind(before.0);
            }
        }
    }
    query.push(")");
}

/// Returns `true` for digits that are so few that many numbers have them.
pub(in crate::store) fn is_in_many_numbers(digits: &str) -> bool {
    digits.len() < 5
}

/// Returns `true` if no index leads to the orders that a filter asks for, so that a page looks through orders one by one. The
/// indexes of what is open lead to few orders, whatever else is asked for.
pub(in crate::store) fn looks_through_orders(filter: &OrderFilter) -> bool {
    let leads_to_few = filter.parked == Some(true)
        || filter.park_code.is_some()
        || filter.settled == Some(false)
        || filter.alert.is_some()
        || matches!(&filter.number, Some(digits) if !is_in_many_numbers(digits))
        || matches!(filter.readiness, Some(readiness) if readiness != NumberQuery::Code("ready"));
    let asked = [
        filter.state.is_some(),
        filter.project.is_some(),
        filter.region.is_some(),
        filter.number.is_some(),
        filter.readiness.is_some(),
        filter.settled.is_some(),
        filter.parked.is_some(),
    ];
    let asked = asked.into_iter().filter(|is_asked| *is_asked).count();
    !leads_to_few && (asked > 1 || filter.changed_since.is_some() || filter.number.is_some())
}

/// Returns `true` if no index leads to the deliveries that a filter asks for.
pub(in crate::store) fn looks_through_deliveries(filter: &DeliveryFilter) -> bool {
    let leads_to_few = filter.order.is_some() || matches!(filter.phase, Some("parked" | "waiting"));
    let asked = [
        filter.project.is_some(),
        filter.decision.is_some(),
        filter.phase.is_some(),
    ];
    !leads_to_few && asked.contains(&true)
}
