//! The operators' listener: health, status, and where every order stands and why.
//!
//! A bearer token guards everything but the two health paths.

mod import;
mod inbox;
mod metrics;
mod orders;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Notify;
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;
use crate::order::{Id, Limits};
use crate::store::{Store, StoreError};
use crate::vitals::Vitals;

/// What the operators' listener is to know.
pub struct Settings {
    /// What requests must bear. Without it the listener is open to whoever can connect: the
    /// configuration is refused where that could be another machine.
    pub token: Option<SecretString>,
    /// The projects, each with what makes asking for it go on at once; `None`: its API is off.
    pub projects: BTreeMap<Id, Option<Arc<Notify>>>,
    /// When an order needs attention.
    pub deadlines: Limits,
}

struct Context {
    store: Store,
    vitals: Arc<Vitals>,
    settings: Settings,
}

type Shared = State<Arc<Context>>;

/// The routes of the operators' listener.
pub fn router(store: Store, vitals: Arc<Vitals>, settings: Settings) -> Router {
    let context = Arc::new(Context {
        store,
        vitals,
        settings,
    });
    let guarded = status::routes()
        .merge(orders::routes())
        .merge(inbox::routes())
        .route_layer(middleware::from_fn_with_state(context.clone(), guard));
    let no_store = HeaderValue::from_static("no-store");
    status::health()
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
    if may_pass(context.settings.token.as_ref(), request.headers()) {
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

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
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

/// The parts of a path; what is not even text is the id of nothing.
fn path<T>(asked: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    asked
        .map(|Path(parts)| parts)
        .map_err(|_| orders::unknown_order())
}

/// An id out of a path; one that cannot be any is as unknown as any other.
fn id(text: String) -> Result<Id, Problem> {
    Id::new(text).ok_or_else(orders::unknown_order)
}
