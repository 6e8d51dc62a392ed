//! State of orders, and operators' requests about them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::pretty_json::PrettyJson;
use super::projects::{may_be_fetched, must_be_known};
use super::query::QueryParams;
use super::{Context, Page, Shared, order_id, page_size, path_params, project_id, watch};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{
    AlertQuery, Cursor, Found, NumberQuery, OrderDetail, OrderFilter, OrderRow, Unwatched,
};
use number_order::{AlertKind, OrderKey, ParkReason, Readiness};
use strum::VariantNames;

/// Word for the state of orders of which no state was ever reported.
const UNKNOWN: &str = "UNKNOWN";

/// Word for numbers that have long not been ready.
const LATE: &str = "late";

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route(
            "/api/v1/orders",
            get(list_orders)
                .post(watch::watch_list_of_only_project)
                .layer(DefaultBodyLimit::max(watch::IMPORT_MAX_BYTES)),
        )
        .route(
            "/api/v1/orders/{order}",
            get(find_order)
                .post(watch::watch_list)
                .layer(DefaultBodyLimit::max(watch::IMPORT_MAX_BYTES)),
        )
        .route(
            "/api/v1/orders/{project}/{order}",
            get(show_order).put(watch::watch_order).delete(unwatch),
        )
        .route(
            "/api/v1/orders/{project}/{order}/fetch",
            post(request_fetch),
        )
}

/// Query parameters by which orders can be listed.
const LIST_PARAMS: [&str; 13] = [
    "state",
    "project",
    "parked",
    "park_reason",
    "settled",
    "alert",
    "region",
    "number",
    "readiness",
    "changed_since",
    "sort",
    "limit",
    "after",
];

async fn list_orders(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<OrderRow>>, Problem> {
    let params = QueryParams::read(query, &LIST_PARAMS)?;
    let filter = order_filter(&params, &context)?;
    if let Some(project) = &filter.project {
        must_be_known(&context, project).await?;
    }
    let orders = context.store.orders(&filter).await?;
    Ok(PrettyJson(orders.into()))
}

fn order_filter(params: &QueryParams, context: &Context) -> Result<OrderFilter, Problem> {
    let states = number_order::State::ALL.map(number_order::State::as_str);
    let states = [&states[..], &[UNKNOWN]].concat();
    let limits = &context.settings.deadlines;
    let alert = params.word("alert", AlertKind::VARIANTS)?;
    let readiness = params.word("readiness", &[Readiness::VARIANTS, &[LATE]].concat())?;
    Ok(OrderFilter {
        state: params.word("state", &states)?.map(str::to_owned),
        project: params.id("project")?,
        parked: params.flag("parked")?,
        park_code: params.word("park_reason", ParkReason::VARIANTS)?,
        settled: params.flag("settled")?,
        alert: alert.map(|code| AlertQuery {
            code,
            now: clock::now(),
            limits: limits.clone(),
        }),
        region: params.text("region").map(str::to_owned),
        number: params.text("number").map(digits).transpose()?,
        readiness: readiness.map(|word| match word {
            LATE => NumberQuery::Late,
            code => NumberQuery::Code(code),
        }),
        changed_since: params.time("changed_since")?,
        newest_first: params.newest_first()?,
        after: params.text("after").map(Cursor::from_caller),
        limit: page_size(params.number("limit")?),
    })
}

/// Returns the digits of a part of a number, as people and URLs write it: a plus may have become a blank.
fn digits(part: &str) -> Result<String, Problem> {
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    let is_number = part
        .chars()
        .all(|c| c.is_ascii_digit() || " +-.()/".contains(c));
    if digits.is_empty() || !is_number {
        let detail = "number: write digits of a telephone number";
        return Err(Problem::with_detail(StatusCode::BAD_REQUEST, detail));
    }
    Ok(digits)
}

pub(super) fn unknown_order() -> Problem {
    let detail = "no order with this id is known here";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

/// Parameters of a path that names a project and an order.
pub(super) type OrderPath = Result<Path<(String, String)>, PathRejection>;

async fn find_order(
    State(context): Shared,
    path: Result<Path<String>, PathRejection>,
) -> Result<PrettyJson<OrderDetail>, Problem> {
    let order = path_params(path, unknown_order)?;
    match context.store.find(&order_id(order)?).await? {
        Found::Nothing => Err(unknown_order()),
        Found::One(history) => Ok(PrettyJson(*history)),
        Found::Several => {
            let detail = "several projects have this order: ask /api/v1/orders/PROJECT/ORDER";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
    }
}

pub(super) fn key(path: OrderPath) -> Result<OrderKey, Problem> {
    let (project, order) = path_params(path, unknown_order)?;
    Ok(OrderKey {
        project: project_id(project)?,
        order: order_id(order)?,
    })
}

async fn show_order(
    State(context): Shared,
    path: OrderPath,
) -> Result<PrettyJson<OrderDetail>, Problem> {
    let history = context.store.history(&key(path)?).await?;
    history.map(PrettyJson).ok_or_else(unknown_order)
}

/// Requests a fetch at once for an operator. A parked order gets all its attempts again.
async fn request_fetch(State(context): Shared, path: OrderPath) -> Result<StatusCode, Problem> {
    let key = key(path)?;
    may_be_fetched(&context, &key.project)?;
    if context.store.request_fetch(key, clock::now()).await? {
        Ok(StatusCode::ACCEPTED)
    } else {
        Err(unknown_order())
    }
}

/// Removes an order that was named by mistake.
async fn unwatch(State(context): Shared, path: OrderPath) -> Result<StatusCode, Problem> {
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
