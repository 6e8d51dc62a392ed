//! The operators' listener: health, status, and where every order stands and why.
//!
//! A bearer token guards everything but the two health paths.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;
use crate::clock;
use crate::order::{Id, OrderKey};
use crate::store::{OrderFilter, OrderHistory, OrderRow, ParkedRow, Store, StoreError, Summary};
use crate::vitals::{ApiView, Count, Refusal, Vitals};

struct Context {
    store: Store,
    vitals: Arc<Vitals>,
    token: Option<SecretString>,
}

type Shared = State<Arc<Context>>;

/// How long a write may take before the database counts as stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);

/// The routes of the operators' listener. Without a token they are open to whoever can connect, which
/// the configuration allows on loopback only.
pub fn router(store: Store, vitals: Arc<Vitals>, token: Option<SecretString>) -> Router {
    let context = Arc::new(Context {
        store,
        vitals,
        token,
    });
    let guarded = Router::new()
        .route("/status", get(status))
        .route("/api/v1/orders", get(list_orders))
        .route("/api/v1/orders/{order}", get(find_order))
        .route("/api/v1/orders/{project}/{order}", get(show_order))
        .route("/api/v1/orders/{project}/{order}/ask", post(ask_now))
        .route("/api/v1/parked", get(list_parked))
        .route("/api/v1/deliveries/{delivery}/body", get(show_body))
        .route_layer(middleware::from_fn_with_state(context.clone(), guard));
    let no_store = HeaderValue::from_static("no-store");
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            no_store,
        ))
        .with_state(context)
}

async fn guard(State(context): Shared, request: Request, next: Next) -> Response {
    if may_pass(context.token.as_ref(), request.headers()) {
        return next.run(request).await;
    }
    let detail = "send the operators' token: Authorization: Bearer …";
    let mut response = Problem::with_detail(StatusCode::UNAUTHORIZED, detail).into_response();
    let scheme = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    response
}

/// Compares digests, so that neither content nor length shows in the time it takes.
fn may_pass(token: Option<&SecretString>, headers: &HeaderMap) -> bool {
    let Some(token) = token else {
        return true;
    };
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .unwrap_or_default();
    let [sent, token] = [sent, token.expose_secret().as_bytes()].map(Sha256::digest);
    sent.as_slice().ct_eq(token.as_slice()).into()
}

/// Whether callbacks can be taken. That Sinch's API is down is no reason to send them elsewhere.
async fn ready(State(context): Shared) -> Response {
    let mut faults = Vec::new();
    if context.vitals.is_draining() {
        faults.push("draining".to_owned());
    }
    let write = context.store.beat(clock::now());
    match tokio::time::timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => faults.push(error.to_string()),
        Err(_) => faults.push("the database does not answer".to_owned()),
    }
    for worker in context.vitals.silent_workers() {
        faults.push(format!("worker {worker} is silent"));
    }
    match faults.is_empty() {
        true => "ready\n".into_response(),
        false => {
            Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, faults.join("; ")).into_response()
        }
    }
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    uptime_secs: u64,
    draining: bool,
    #[serde(flatten)]
    summary: Summary,
    callbacks_accepted: BTreeMap<&'static str, Count>,
    callbacks_refused: BTreeMap<Refusal, Count>,
    api: BTreeMap<String, ApiView>,
    silent_workers: Vec<String>,
}

async fn status(State(context): Shared) -> Result<Json<Status>, Problem> {
    let vitals = &context.vitals;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_secs: vitals.uptime().as_secs(),
        draining: vitals.is_draining(),
        summary: context.store.summary(clock::now()).await?,
        callbacks_accepted: vitals.accepted_counts(),
        callbacks_refused: vitals.refused_counts(),
        api: vitals.api_views(),
        silent_workers: vitals.silent_workers(),
    }))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderQuery {
    state: Option<String>,
    project: Option<String>,
    #[serde(default)]
    parked: bool,
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    /// What to pass as `after` for the next page; `null`: this was the last.
    next: Option<i64>,
}

impl<T> Page<T> {
    fn new(items: Vec<T>, limit: u32, row: impl Fn(&T) -> i64) -> Page<T> {
        let full = items.len() == limit as usize;
        let next = items.last().filter(|_| full).map(row);
        Page { items, next }
    }
}

const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;

fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let bad = |error: QueryRejection| Problem::with_detail(error.status(), error.body_text());
    query.map(|Query(query)| query).map_err(bad)
}

async fn list_orders(
    State(context): Shared,
    asked: Result<Query<OrderQuery>, QueryRejection>,
) -> Result<Json<Page<OrderRow>>, Problem> {
    let asked = query(asked)?;
    let limit = page_size(asked.limit);
    let filter = OrderFilter {
        state: asked.state,
        project: asked.project.map(id).transpose()?,
        parked: asked.parked,
        after: asked.after,
        limit,
    };
    let orders = context.store.orders(&filter).await?;
    Ok(Json(Page::new(orders, limit, |order| order.row)))
}

fn id(text: String) -> Result<Id, Problem> {
    Id::new(text).ok_or_else(unknown_order)
}

fn unknown_order() -> Problem {
    let detail = "no order with this id is known here";
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}

async fn find_order(
    State(context): Shared,
    asked: Result<Path<String>, PathRejection>,
) -> Result<Json<OrderHistory>, Problem> {
    let Path(order) = asked.map_err(no_text)?;
    let found = context.store.find(&id(order)?).await?;
    match found.as_slice() {
        [] => Err(unknown_order()),
        [key] => history(&context, key).await,
        [..] => {
            let detail = "several projects have this order: ask /api/v1/orders/PROJECT/ORDER";
            Err(Problem::with_detail(StatusCode::CONFLICT, detail))
        }
    }
}

/// What is not even text is the id of nothing.
fn no_text(_: PathRejection) -> Problem {
    unknown_order()
}

fn key(asked: Result<Path<(String, String)>, PathRejection>) -> Result<OrderKey, Problem> {
    let Path((project, order)) = asked.map_err(no_text)?;
    Ok(OrderKey {
        project: id(project)?,
        order: id(order)?,
    })
}

async fn show_order(
    State(context): Shared,
    asked: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<OrderHistory>, Problem> {
    history(&context, &key(asked)?).await
}

async fn history(context: &Context, key: &OrderKey) -> Result<Json<OrderHistory>, Problem> {
    let history = context.store.history(key).await?;
    history.map(Json).ok_or_else(unknown_order)
}

/// An operator wants the truth now; a parked order gets all its tries again.
async fn ask_now(
    State(context): Shared,
    asked: Result<Path<(String, String)>, PathRejection>,
) -> Result<StatusCode, Problem> {
    match context.store.ask_now(key(asked)?, clock::now()).await? {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(unknown_order()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParkedQuery {
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

async fn list_parked(
    State(context): Shared,
    asked: Result<Query<ParkedQuery>, QueryRejection>,
) -> Result<Json<Page<ParkedRow>>, Problem> {
    let asked = query(asked)?;
    let limit = page_size(asked.limit);
    let parked = context.store.parked(asked.after, limit).await?;
    Ok(Json(Page::new(parked, limit, |parked| parked.id)))
}

/// The raw bytes of a delivery, never to be taken for a page or a script.
async fn show_body(
    State(context): Shared,
    asked: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let unknown = || Problem::with_detail(StatusCode::NOT_FOUND, "there is no such delivery");
    let Path(delivery) = asked.map_err(|_| unknown())?;
    let delivery = delivery.parse().map_err(|_| unknown())?;
    let body = context.store.body(delivery).await?.ok_or_else(unknown)?;
    let kind = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((kind, body).into_response())
}
