//! State of orders, and operators' requests about them.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pretty_json::PrettyJson;
use super::projects::{may_be_fetched, must_be_known};
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, bad_parameter};
use super::{Context, Page, Shared, path_params};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{AlertQuery, Found, NumberQuery, OrderDetail, OrderFilter, OrderRow, Unwatched};
use number_order::{AlertKind, Id, OrderKey, ParkReason, Readiness};
use strum::VariantNames;

/// Word for the state of orders of which no state was ever reported.
const UNKNOWN: &str = "UNKNOWN";

/// Word for numbers that have long not been ready.
const LATE: &str = "late";

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_orders))
        .routes(routes!(find_order))
        .routes(routes!(show_order))
        .routes(routes!(unwatch))
        .routes(routes!(request_fetch))
}

/// Parameters that choose orders.
pub(super) const ORDER_FILTER: &[Param] = &[
    Param::new(
        "state",
        Kind::Words(states),
        "in this state, the provisional one before the confirmed one; `UNKNOWN`: no state was ever said",
    ),
    Param::new("project", Kind::Id, "of this project"),
    Param::new("parked", Kind::Flag, "that are parked, or not"),
    Param::new(
        "park_reason",
        Kind::Words(|| ParkReason::VARIANTS.to_vec()),
        "that are parked for this reason",
    ),
    Param::new(
        "settled",
        Kind::Flag,
        "that are settled; `false`: about which something is open, or that are parked",
    ),
    Param::new(
        "alert",
        Kind::Words(|| AlertKind::VARIANTS.to_vec()),
        "with an alert of this kind that fires now",
    ),
    Param::new(
        "region",
        Kind::Text,
        "of this region, as Sinch writes it: `AU`",
    ),
    Param::new(
        "number",
        Kind::Pattern(r"^[ +\-.()/]*[0-9][0-9 +\-.()/]*$"),
        "with a number in which these digits stand; blanks and signs do not count",
    ),
    Param::new(
        "readiness",
        Kind::Words(|| [Readiness::VARIANTS, &[LATE]].concat()),
        "with a number of this readiness; `late`: that was not ready three days after completion",
    ),
    Param::new(
        "changed_since",
        Kind::Time,
        "whose state changed at this time or later, by the service's clock",
    ),
];

/// Cursors of the list of orders.
pub(super) const AFTER_ORDER: Param = Param::after("^o[0-9a-f]{16}$");

/// Parameters by which orders can be listed.
struct OrderList;

impl Params for OrderList {
    const PARAMS: &'static [Param] = ORDER_FILTER;
    const ALSO: &'static [Param] = &[SORT, LIMIT, AFTER_ORDER];
}

/// Returns the words for the states of orders.
fn states() -> Vec<&'static str> {
    let states = number_order::State::ALL.map(number_order::State::as_str);
    [&states[..], &[UNKNOWN]].concat()
}

/// Lists orders, with their numbers.
#[utoipa::path(
    get,
    path = "/api/v1/orders",
    tag = "orders",
    params(Query<OrderList>),
    responses(
        (status = 200, description = "A page of orders", body = Page<OrderRow>),
        (status = 404, description = "The project is not known"),
    )
)]
async fn list_orders(
    State(context): Shared,
    query: Query<OrderList>,
) -> Result<PrettyJson<Page<OrderRow>>, Problem> {
    let filter = OrderFilter {
        newest_first: query.newest_first()?,
        limit: query.limit()?,
        ..order_filter(&query, &context).await?
    };
    let orders = context.store.orders(&filter).await?;
    Ok(PrettyJson(orders.into()))
}

/// Returns the filter that a query has, without the order and the length of the page.
pub(super) async fn order_filter<P: Params>(
    query: &Query<P>,
    context: &Context,
) -> Result<OrderFilter, Problem> {
    let project = query.id("project")?;
    if let Some(project) = &project {
        must_be_known(context, project).await?;
    }
    let alert = query.word("alert")?;
    let readiness = query.word("readiness")?;
    Ok(OrderFilter {
        state: query.word("state")?.map(str::to_owned),
        project,
        parked: query.flag("parked")?,
        park_code: query.word("park_reason")?,
        settled: query.flag("settled")?,
        alert: alert.map(|code| AlertQuery {
            code,
            now: clock::now(),
            limits: context.settings.deadlines.clone(),
        }),
        region: query.text("region").map(str::to_owned),
        number: query.text("number").map(digits).transpose()?,
        readiness: readiness.map(|word| match word {
            LATE => NumberQuery::Late,
            code => NumberQuery::Code(code),
        }),
        changed_since: query.time("changed_since")?,
        after: query.after(),
        ..OrderFilter::default()
    })
}

/// Returns the digits of a part of a number, as people and URLs write it: a plus may have become a blank.
fn digits(part: &str) -> Result<String, Problem> {
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    let is_number = part
        .chars()
        .all(|c| c.is_ascii_digit() || " +-.()/".contains(c));
    if digits.is_empty() || !is_number {
        let detail = "number: write digits of a telephone number".to_owned();
        return Err(bad_parameter(detail));
    }
    Ok(digits)
}

pub(super) fn unknown_order() -> Problem {
    let detail = "no order with this id is known here";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

/// Parameters of a path that names a project and an order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrderPath {
    /// Sinch's id of the project.
    project: Id,
    /// Sinch's id of the order.
    order: Id,
}

/// Returns the key of the order that a path names.
pub(super) fn key(path: Result<Path<OrderPath>, PathRejection>) -> Result<OrderKey, Problem> {
    let OrderPath { project, order } = path_params(path, unknown_order)?;
    Ok(OrderKey { project, order })
}

/// Parameter of a path that names an order by its id alone.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct AnyOrderPath {
    /// Sinch's id of the order.
    order: Id,
}

/// Returns an order with its history, by its id alone.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{order}",
    tag = "orders",
    params(AnyOrderPath),
    responses(
        (status = 200, description = "The order", body = OrderDetail),
        (status = 404, description = "No such order is known"),
        (status = 409, description = "Several projects have an order of this id"),
    )
)]
async fn find_order(
    State(context): Shared,
    path: Result<Path<AnyOrderPath>, PathRejection>,
) -> Result<PrettyJson<OrderDetail>, Problem> {
    let AnyOrderPath { order } = path_params(path, unknown_order)?;
    match context.store.find(&order).await? {
        Found::Nothing => Err(unknown_order()),
        Found::One(history) => Ok(PrettyJson(*history)),
        Found::Several => {
            let detail = "several projects have this order: ask /api/v1/orders/PROJECT/ORDER";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
    }
}

/// Returns an order with its history: deliveries, fetches, transitions, notifications and alerts.
#[utoipa::path(
    get,
    path = "/api/v1/orders/{project}/{order}",
    tag = "orders",
    params(OrderPath),
    responses(
        (status = 200, description = "The order", body = OrderDetail),
        (status = 404, description = "No such order is known"),
    )
)]
async fn show_order(
    State(context): Shared,
    path: Result<Path<OrderPath>, PathRejection>,
) -> Result<PrettyJson<OrderDetail>, Problem> {
    let history = context.store.history(&key(path)?).await?;
    history.map(PrettyJson).ok_or_else(unknown_order)
}

/// Requests a fetch at once for an operator. A parked order gets all its attempts again.
#[utoipa::path(
    post,
    path = "/api/v1/orders/{project}/{order}/fetch",
    tag = "orders",
    params(OrderPath),
    responses(
        (status = 202, description = "The order and its numbers are fetched as soon as slots, rate limit and circuit allow"),
        (status = 404, description = "No such order, or no such project is configured"),
        (status = 409, description = "The project's orders are not fetched"),
    )
)]
async fn request_fetch(
    State(context): Shared,
    path: Result<Path<OrderPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    fetch_order(&context, key(path)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Requests a fetch of one order at once.
pub(super) async fn fetch_order(context: &Context, key: OrderKey) -> Result<(), Problem> {
    may_be_fetched(context, &key.project)?;
    let is_known = context.store.request_fetch(key, clock::now()).await?;
    is_known.then_some(()).ok_or_else(unknown_order)
}

/// Removes an order that was named by mistake.
#[utoipa::path(
    delete,
    path = "/api/v1/orders/{project}/{order}",
    tag = "orders",
    params(OrderPath),
    responses(
        (status = 204, description = "The order is removed"),
        (status = 404, description = "No such order is known"),
        (status = 409, description = "The order stays: Sinch has shown it, or a callback has named it"),
    )
)]
async fn unwatch(
    State(context): Shared,
    path: Result<Path<OrderPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let stays = |why: &str| {
        let detail = format!("the order stays: {why}");
        Err(Problem::with_detail(StatusCode::CONFLICT, detail))
    };
    match context.store.unwatch(key(path)?).await? {
        Unwatched::Gone => Ok(StatusCode::NO_CONTENT),
        Unwatched::Unknown => Err(unknown_order()),
        Unwatched::Shown => stays("Sinch has shown it"),
        Unwatched::Named => stays("a callback has named it"),
    }
}
