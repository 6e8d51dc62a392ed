//! Lists that stand by time: transitions and alerts. Both backends run the same statements.

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::cursor::List;
use super::history::transition_of_row;
use super::unreadable::each_with;
use super::{Columns, codes, time};
use crate::store::{
    AlertFilter, AnyAlert, ListedAlert, ListedTransition, Listing, Span, StoreError,
    TransitionFilter,
};
use notifications::ServiceAlert;
use number_order::{AlertKind, Id, State, Time};

/// Kinds of alerts about the service whose subject is a project.
const ABOUT_PROJECTS: &str =
    "('orders-parked', 'deliveries-parked', 'provider-trouble', 'silence', 'callbacks-refused')";

/// Values that the statements of a database can bind.
pub(in crate::store) trait Binds: Database {
    fn bind_int(query: &mut QueryBuilder<Self>, value: i64)
    where
        Self: Sized;
    fn bind_text(query: &mut QueryBuilder<Self>, value: String)
    where
        Self: Sized;
}

impl<DB: Database> Binds for DB
where
    i64: for<'q> Encode<'q, DB> + Type<DB>,
    String: for<'q> Encode<'q, DB> + Type<DB>,
{
    fn bind_int(query: &mut QueryBuilder<DB>, value: i64) {
        query.push_bind(value);
    }

    fn bind_text(query: &mut QueryBuilder<DB>, value: String) {
        query.push_bind(value);
    }
}

/// Place in a list at which a page begins: the time of the last row before it, and the row's number among those.
type Place = Option<(i64, i64)>;

/// Returns the place after which a page begins.
pub(in crate::store) fn place(list: List, span: &Span) -> Result<Place, StoreError> {
    span.after
        .as_ref()
        .map(|cursor| list.place(cursor))
        .transpose()
}

/// Restricts rows to those of a span after a place, and ends their query by its order and its length. The columns are those
/// of the time and of the row's number among those of the same time.
fn push_span<DB: Binds>(
    query: &mut QueryBuilder<DB>,
    (at, number): (&str, &str),
    span: &Span,
    after: Place,
) {
    let mut bound = |sign: &str, time: i64| {
        query.push(format_args!(" AND {at} {sign} "));
        DB::bind_int(query, time);
    };
    if let Some(since) = span.since {
        bound(">=", since.0);
    }
    if let Some(until) = span.until {
        bound("<", until.0);
    }
    if let Some((time, place)) = after {
        let (from, beyond) = if span.newest_first {
            ("<=", "<")
        } else {
            (">=", ">")
        };
        bound(from, time);
        query.push(format_args!(" AND ({at} <> "));
        DB::bind_int(query, time);
        query.push(format_args!(" OR {number} {beyond} "));
        DB::bind_int(query, place);
        query.push(")");
    }
    push_end(query, (at, number), span);
}

fn push_end<DB: Binds>(query: &mut QueryBuilder<DB>, (at, number): (&str, &str), span: &Span) {
    let direction = if span.newest_first { "DESC" } else { "ASC" };
    query.push(format_args!(
        " ORDER BY {at} {direction}, {number} {direction} LIMIT "
    ));
    DB::bind_int(query, i64::from(span.limit));
}

/// Restricts rows to those of an order. It is looked up in each project: as a join SQLite would walk through all orders.
fn push_order<DB: Binds>(query: &mut QueryBuilder<DB>, column: &str, order: &Id) {
    query.push(format_args!(
        " AND {column} IN (SELECT id FROM orders WHERE project IN (SELECT id FROM projects) AND sinch_id = "
    ));
    DB::bind_text(query, order.to_string());
    query.push(")");
}

/// Restricts rows to those of a project. The databases must not begin with all of its orders.
fn push_project<DB: Binds>(query: &mut QueryBuilder<DB>, project: &Id) {
    query.push(" AND o.project + 0 = (SELECT id FROM projects WHERE sinch_id = ");
    DB::bind_text(query, project.to_string());
    query.push(")");
}

/// Builds the query for a page of transitions. Those of one order are few. All others are read for each state by the index that
/// has them by time, and of all of them the first.
pub(in crate::store) fn select_transitions<DB: Binds>(
    filter: &TransitionFilter,
    after: Place,
) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::new(
        "SELECT t.id, t.recorded_at, t.from_state, t.to_state, t.confirmed, t.said_at, t.cause, t.cause_fields, \
         p.sinch_id AS project, o.sinch_id AS order_sinch_id FROM (",
    );
    match (&filter.order, filter.state) {
        // Without the empty text the databases would walk through the index of the state.
        (Some(_), state) => {
            push_transitions(&mut query, "v.to_state || ''", state, filter, after);
        }
        (None, Some(state)) => {
            push_transitions(&mut query, "v.to_state", Some(state), filter, after);
        }
        (None, None) => {
            for (index, state) in State::ALL.iter().enumerate() {
                query.push(if index == 0 { "" } else { " UNION ALL " });
                push_transitions(
                    &mut query,
                    "v.to_state",
                    Some(state.as_str()),
                    filter,
                    after,
                );
            }
        }
    }
    query.push(
        ") AS t JOIN orders AS o ON o.id = t.order_id JOIN projects AS p ON p.id = o.project",
    );
    push_end(&mut query, ("t.recorded_at", "t.id"), &filter.span);
    query
}

/// Adds a page of transitions, to one state or to any. The column is that of the state.
fn push_transitions<DB: Binds>(
    query: &mut QueryBuilder<DB>,
    column: &str,
    state: Option<&str>,
    filter: &TransitionFilter,
    after: Place,
) {
    query.push("SELECT * FROM (SELECT v.* FROM transitions AS v");
    if filter.project.is_some() {
        query.push(" JOIN orders AS o ON o.id = v.order_id");
    }
    query.push(" WHERE true");
    if let Some(state) = state {
        query.push(format_args!(" AND {column} = "));
        DB::bind_text(query, state.to_owned());
    }
    if let Some(order) = &filter.order {
        push_order(query, "v.order_id", order);
    }
    if let Some(project) = &filter.project {
        push_project(query, project);
    }
    push_span(query, ("v.recorded_at", "v.id"), &filter.span, after);
    query.push(") AS page");
}

/// Builds the query for a page of alerts: the first of those about orders and of those about the service.
pub(in crate::store) fn select_alerts<DB: Binds>(
    filter: &AlertFilter,
    after: Place,
) -> QueryBuilder<DB> {
    let mut query = QueryBuilder::new("SELECT * FROM (");
    // Open alerts are few, and have an index: the databases must not walk through all for their order.
    let (of_order, of_service) = if filter.open == Some(true) {
        (
            ("a.fired_at + 0", "a.id * 2"),
            ("a.fired_at + 0", "a.id * 2 + 1"),
        )
    } else {
        (("a.fired_at", "a.id * 2"), ("a.fired_at", "a.id * 2 + 1"))
    };
    let is_about_service = filter.order.is_none() && filter.of_orders != Some(true);
    if filter.of_orders != Some(false) || !is_about_service {
        query.push(
            "SELECT * FROM (SELECT a.id, a.id * 2 AS place, a.kind, a.kind_fields, CAST(NULL AS text) AS subject, \
             a.fired_at, a.resolved_at, p.sinch_id AS project, o.sinch_id AS order_sinch_id FROM alerts AS a \
             JOIN orders AS o ON o.id = a.order_id JOIN projects AS p ON p.id = o.project WHERE true",
        );
        if let Some(order) = &filter.order {
            push_order(&mut query, "a.order_id", order);
        }
        if let Some(project) = &filter.project {
            push_project(&mut query, project);
        }
        if filter.of_orders == Some(false) {
            query.push(" AND false");
        }
        push_kind(&mut query, filter);
        push_span(&mut query, of_order, &filter.span, after);
        query.push(") AS of_orders");
        query.push(if is_about_service { " UNION ALL " } else { "" });
    }
    if is_about_service {
        query.push(
            "SELECT * FROM (SELECT a.id, a.id * 2 + 1 AS place, a.kind, a.kind_fields, a.subject, a.fired_at, \
             a.resolved_at, CAST(NULL AS text) AS project, CAST(NULL AS text) AS order_sinch_id \
             FROM service_alerts AS a WHERE a.fired_at IS NOT NULL",
        );
        if let Some(project) = &filter.project {
            query.push(format_args!(
                " AND a.kind IN {ABOUT_PROJECTS} AND a.subject = "
            ));
            DB::bind_text(&mut query, project.to_string());
        }
        push_kind(&mut query, filter);
        push_span(&mut query, of_service, &filter.span, after);
        query.push(") AS of_service");
    }
    query.push(") AS first");
    push_end(&mut query, ("first.fired_at", "first.place"), &filter.span);
    query
}

fn push_kind<DB: Binds>(query: &mut QueryBuilder<DB>, filter: &AlertFilter) {
    match filter.open {
        Some(true) => query.push(" AND a.resolved_at IS NULL"),
        Some(false) => query.push(" AND a.resolved_at IS NOT NULL"),
        None => query,
    };
    if let Some(kind) = filter.kind {
        query.push(" AND a.kind = ");
        DB::bind_text(query, kind.to_owned());
    }
}

/// Returns a page of transitions.
pub(in crate::store) fn page_of_transitions<R: Columns>(
    found: &[R],
    span: &Span,
) -> sqlx::Result<Listing<ListedTransition>> {
    page(
        found,
        List::Transitions,
        "transitions",
        ("recorded_at", "id"),
        span,
        |row| {
            Ok(ListedTransition {
                project: row.text("project")?.to_owned(),
                order: row.text("order_sinch_id")?.to_owned(),
                transition: transition_of_row(row)?,
            })
        },
    )
}

/// Returns a page of alerts.
pub(in crate::store) fn page_of_alerts<R: Columns>(
    found: &[R],
    span: &Span,
) -> sqlx::Result<Listing<ListedAlert>> {
    page(
        found,
        List::Alerts,
        "alerts",
        ("fired_at", "place"),
        span,
        |row| {
            let project = row.text_if_any("project")?.map(str::to_owned);
            let order = row.text_if_any("order_sinch_id")?.map(str::to_owned);
            let (project, alert) = if order.is_some() {
                let alert: AlertKind = codes::require(row, "kind", "kind_fields")?;
                (project, AnyAlert::Order(alert))
            } else {
                let alert: ServiceAlert = codes::require(row, "kind", "kind_fields")?;
                let project = alert.project(row.text("subject")?);
                (project.map(String::from), AnyAlert::Service(alert))
            };
            Ok(ListedAlert {
                project,
                order,
                alert,
                fired_at: Time(row.int("fired_at")?),
                resolved_at: time(row, "resolved_at")?,
            })
        },
    )
}

fn page<R: Columns, T>(
    found: &[R],
    list: List,
    table: &'static str,
    (at, number): (&str, &str),
    span: &Span,
    read: fn(&R) -> sqlx::Result<T>,
) -> sqlx::Result<Listing<T>> {
    let last = found.last().filter(|_| found.len() == span.limit as usize);
    let last = last.map(|row| Ok::<_, sqlx::Error>((row.int(at)?, row.int(number)?)));
    let last = last.transpose()?;
    let found = each_with(found, table, read)?;
    Ok(Listing {
        items: found.rows,
        unreadable: found.unreadable,
        next: last.map(|place| list.cursor_at(place)),
    })
}
