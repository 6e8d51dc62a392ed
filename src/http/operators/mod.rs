//! The operators' listener: health, status, and the state of every order with its reasons.
//!
//! A bearer token guards everything but the two health paths. Without a token, every web page is refused.

mod figures;
mod guard;
mod import;
mod inbox;
mod metrics;
mod orders;
mod projects;
mod query;
mod readable;
mod status;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use secrecy::SecretString;
use serde::Serialize;
use tokio::sync::Notify;
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;
use super::rest::{self, Lent, Returned};
use crate::metrics::Metrics;
use crate::store::{Listing, Store, StoreError, UnreadableRow};
use number_order::{Id, Limits};

/// Settings of the operators' listener.
pub struct Settings {
    /// Token that requests must bear. Without it the listener is open to every caller that can connect. The
    /// configuration is refused where that could be another machine.
    pub token: Option<SecretString>,
    /// Projects, each with the notification that closes its circuit at once; `None`: its API is off.
    pub projects: BTreeMap<Id, Option<Arc<Notify>>>,
    /// Limits at which an order needs attention.
    pub deadlines: Limits,
    /// Maximum time for a request's body to arrive.
    pub body_timeout: Duration,
}

struct Context {
    store: Store,
    metrics: Arc<Metrics>,
    settings: Settings,
}

type Shared = State<Arc<Context>>;

/// Returns the routes of the operators' listener.
pub fn router(store: Store, metrics: Arc<Metrics>, settings: Settings) -> Router {
    let context = Arc::new(Context {
        store,
        metrics,
        settings,
    });
    let guarded = status::routes()
        .merge(orders::routes())
        .merge(inbox::routes())
        .merge(projects::routes())
        .route_layer(middleware::from_fn_with_state(
            context.clone(),
            guard::token,
        ));
    let browser = middleware::from_fn_with_state(context.clone(), guard::browser);
    let lend = middleware::from_fn_with_state(context.clone(), lend);
    let no_store = HeaderValue::from_static("no-store");
    status::health()
        .merge(guarded)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            no_store,
        ))
        .layer(browser)
        .layer(lend)
        .with_state(context)
}

/// Limits the time for a request's body. Keeps or closes the connection where the body was not read to its end.
async fn lend(State(context): Shared, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    let (lent, mut returned) = Lent::new(body, context.settings.body_timeout);
    let headers = head.headers.clone();
    let request = Request::from_parts(head, Body::new(lent));
    let answer = next.run(request).await;
    let refuse = |status| rest::closing(Problem::new(status).into_response());
    match returned.try_recv() {
        Ok(Returned::Rest(body)) => rest::settle(body, &headers, REST_MAX_BYTES, answer).await,
        Ok(Returned::Slow) => refuse(StatusCode::REQUEST_TIMEOUT),
        Ok(Returned::Broken) => refuse(StatusCode::BAD_REQUEST),
        // A handler still holds the body.
        Err(_) => rest::closing(answer),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

#[derive(Serialize)]
struct Page<T> {
    items: Vec<T>,
    /// Value of `after` for the next page; `null`: this was the last page.
    next: Option<i64>,
    /// Rows that belong here and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<UnreadableRow>,
}

impl<T> From<Listing<T>> for Page<T> {
    fn from(listing: Listing<T>) -> Page<T> {
        Page {
            items: listing.items,
            next: listing.last,
            unreadable: listing.unreadable,
        }
    }
}

/// Maximum number of bytes that are read of the rest of a refused request's body.
const REST_MAX_BYTES: usize = 64 * 1024;

const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;

fn page_size(limit: Option<u32>) -> u32 {
    limit.unwrap_or(PAGE).clamp(1, PAGE_MAX)
}

/// Returns the parts of a path. A part that is not even text is answered as an unknown order.
fn path<T>(asked: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    asked
        .map(|Path(parts)| parts)
        .map_err(|_| orders::unknown_order())
}

/// Returns the id in a path. Text that cannot be an id is answered as an unknown order.
fn id(text: String) -> Result<Id, Problem> {
    Id::new(text).ok_or_else(orders::unknown_order)
}
