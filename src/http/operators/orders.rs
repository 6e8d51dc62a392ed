//! Where orders stand, and what operators can have done about them.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::projects::{api_off, unknown_project};
use super::query::Words;
use super::readable::Readable;
use super::{Context, Page, Shared, id, page_size, path, watch};
use crate::clock;
use crate::http::problem::Problem;
use crate::order::{self, Id, OrderKey};
use crate::store::{Forgot, Found, OrderFilter, OrderHistory, OrderRow};

/// The largest list of orders that is taken at once: some 150,000 ids. They are made known a few thousand
/// at a time, and callbacks come in between.
pub(super) const IMPORT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What orders are listed under of which no state was ever said.
const UNKNOWN: &str = "UNKNOWN";

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route(
            "/api/v1/orders",
            get(list_orders)
                .post(watch::only_project)
                .layer(DefaultBodyLimit::max(IMPORT_MAX_BYTES)),
        )
        .route(
            "/api/v1/orders/{order}",
            get(find_order)
                .post(watch::many)
                .layer(DefaultBodyLimit::max(IMPORT_MAX_BYTES)),
        )
        .route(
            "/api/v1/orders/{project}/{order}",
            get(show_order).put(watch::one).delete(forget),
        )
        .route("/api/v1/orders/{project}/{order}/ask", post(ask_now))
}

/// The words by which orders can be listed.
const QUERY: [&str; 6] = ["state", "project", "parked", "settled", "limit", "after"];

async fn list_orders(
    State(context): Shared,
    query: RawQuery,
) -> Result<Readable<Page<OrderRow>>, Problem> {
    let words = Words::read(query, &QUERY)?;
    let limit = page_size(words.number("limit")?);
    let bad = |detail| Problem::with_detail(StatusCode::BAD_REQUEST, detail);
    let is_state = |word: &str| word == UNKNOWN || order::State::from_word(word).is_some();
    let state = words.text("state");
    if !state.is_none_or(is_state) {
        let words = order::State::ALL.map(order::State::as_str).join(", ");
        return Err(bad(format!("state: write one of {words}, {UNKNOWN}")));
    }
    let project = words.text("project").map(Id::new);
    let no_id = || bad("project: not the id of a project".to_owned());
    let filter = OrderFilter {
        state: state.map(str::to_owned),
        project: project.map(|id| id.ok_or_else(no_id)).transpose()?,
        parked: words.flag("parked")?.unwrap_or_default(),
        settled: words.flag("settled")?,
        after: words.number("after")?.unwrap_or_default(),
        limit,
    };
    if let Some(project) = &filter.project {
        must_be_known(&context, project).await?;
    }
    let orders = context.store.orders(&filter).await?;
    Ok(Readable(orders.into()))
}

/// Tells a name that is mistyped from a project that has no orders. One that is no longer configured may have some.
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

/// A project and an order, as a path names them.
type Asked = Result<Path<(String, String)>, PathRejection>;

async fn find_order(
    State(context): Shared,
    asked: Result<Path<String>, PathRejection>,
) -> Result<Readable<OrderHistory>, Problem> {
    let order = path(asked)?;
    match context.store.find(&id(order)?).await? {
        Found::Nothing => Err(unknown_order()),
        Found::One(history) => Ok(Readable(*history)),
        Found::Several => {
            let detail = "several projects have this order: ask /api/v1/orders/PROJECT/ORDER";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
    }
}

fn key(asked: Asked) -> Result<OrderKey, Problem> {
    let (project, order) = path(asked)?;
    Ok(OrderKey {
        project: id(project)?,
        order: id(order)?,
    })
}

async fn show_order(
    State(context): Shared,
    asked: Asked,
) -> Result<Readable<OrderHistory>, Problem> {
    let history = context.store.history(&key(asked)?).await?;
    history.map(Readable).ok_or_else(unknown_order)
}

/// An operator wants the truth now; a parked order gets all its tries again.
async fn ask_now(State(context): Shared, asked: Asked) -> Result<StatusCode, Problem> {
    let key = key(asked)?;
    may_be_asked(&context, &key.project)?;
    match context.store.ask_now(key, clock::now()).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(unknown_order()),
    }
}

/// Takes an order out again that was named by mistake.
async fn forget(State(context): Shared, asked: Asked) -> Result<StatusCode, Problem> {
    let stays = |why: &str| {
        let detail = format!("the order stays: {why}");
        Err(Problem::with_detail(StatusCode::CONFLICT, detail))
    };
    match context.store.forget(key(asked)?).await? {
        Forgot::Gone => Ok(StatusCode::NO_CONTENT),
        Forgot::Unknown => Err(unknown_order()),
        Forgot::Shown => stays("Sinch has shown it"),
        Forgot::Named => stays("a callback has named it"),
    }
}

/// Promises nothing that nobody would do.
pub(super) fn may_be_asked(context: &Context, project: &Id) -> Result<(), Problem> {
    match context.settings.projects.get(project) {
        Some(Some(_)) => Ok(()),
        Some(None) => Err(api_off()),
        None => Err(unknown_project()),
    }
}
