//! State of orders, and operators' requests about them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::pretty_json::PrettyJson;
use super::projects::{may_be_fetched, unknown_project};
use super::query::QueryParams;
use super::{Context, Page, Shared, id, page_size, path_params, watch};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{Forgot, Found, OrderDetail, OrderFilter, OrderRow};
use number_order::{Id, OrderKey};

/// Word under which orders are listed if no state of theirs was ever reported.
const UNKNOWN: &str = "UNKNOWN";

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
            get(show_order).put(watch::watch_order).delete(forget),
        )
        .route(
            "/api/v1/orders/{project}/{order}/fetch",
            post(request_fetch),
        )
}

/// Query parameters by which orders can be listed.
const LIST_PARAMS: [&str; 6] = ["state", "project", "parked", "settled", "limit", "after"];

async fn list_orders(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<OrderRow>>, Problem> {
    let params = QueryParams::read(query, &LIST_PARAMS)?;
    let limit = page_size(params.number("limit")?);
    let bad = |detail| Problem::with_detail(StatusCode::BAD_REQUEST, detail);
    let is_state = |word: &str| word == UNKNOWN || number_order::State::from_word(word).is_some();
    let state = params.text("state");
    if !state.is_none_or(is_state) {
        let states = number_order::State::ALL
            .map(number_order::State::as_str)
            .join(", ");
        return Err(bad(format!("state: write one of {states}, {UNKNOWN}")));
    }
    let project = params.text("project").map(Id::new);
    let no_id = || bad("project: not the id of a project".to_owned());
    let filter = OrderFilter {
        state: state.map(str::to_owned),
        project: project.map(|id| id.ok_or_else(no_id)).transpose()?,
        parked: params.flag("parked")?.unwrap_or_default(),
        settled: params.flag("settled")?,
        after: params.number("after")?.unwrap_or_default(),
        limit,
    };
    if let Some(project) = &filter.project {
        must_be_known(&context, project).await?;
    }
    let orders = context.store.orders(&filter).await?;
    Ok(PrettyJson(orders.into()))
}

/// Distinguishes a mistyped name from a project that has no orders. A project that is no longer configured may have
/// some.
async fn must_be_known(context: &Context, project: &Id) -> Result<(), Problem> {
    let is_configured = context.settings.projects.contains_key(project);
    if is_configured || context.store.knows(project).await? {
        return Ok(());
    }
    Err(unknown_project())
}

pub(super) fn unknown_order() -> Problem {
    let detail = "no order with this id is known here";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

/// Project and order in a path.
type OrderPath = Result<Path<(String, String)>, PathRejection>;

async fn find_order(
    State(context): Shared,
    path: Result<Path<String>, PathRejection>,
) -> Result<PrettyJson<OrderDetail>, Problem> {
    let order = path_params(path)?;
    match context.store.find(&id(order)?).await? {
        Found::Nothing => Err(unknown_order()),
        Found::One(history) => Ok(PrettyJson(*history)),
        Found::Several => {
            let detail = "several projects have this order: ask /api/v1/orders/PROJECT/ORDER";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
    }
}

fn key(path: OrderPath) -> Result<OrderKey, Problem> {
    let (project, order) = path_params(path)?;
    Ok(OrderKey {
        project: id(project)?,
        order: id(order)?,
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
async fn forget(State(context): Shared, path: OrderPath) -> Result<StatusCode, Problem> {
    let stays = |why: &str| {
        let detail = format!("the order stays: {why}");
        Err(Problem::with_detail(StatusCode::CONFLICT, detail))
    };
    match context.store.forget(key(path)?).await? {
        Forgot::Gone => Ok(StatusCode::NO_CONTENT),
        Forgot::Unknown => Err(unknown_order()),
        Forgot::Shown => stays("Sinch has shown it"),
        Forgot::Named => stays("a callback has named it"),
    }
}
