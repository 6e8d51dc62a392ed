//! The operators' listener: health, status, and the state of every order with its reasons.
//!
//! A bearer token guards everything but the two health paths, and each action is recorded with its caller. Without a
//! token, every web page is refused.

mod actions;
mod auth;
mod backup;
mod body;
mod bulk;
mod deliveries;
mod events;
mod figures;
mod import;
mod known_parameters;
mod metrics;
mod notifications;
mod openapi;
mod ordered;
mod orders;
mod pace;
mod parked;
mod placements;
mod pretty_json;
mod process;
mod projects;
mod quarantine;
mod query;
mod recorded;
mod reload;
mod retention;
mod row_id;
mod secrets;
mod status;
mod targets;
#[cfg(test)]
mod tests;
mod timeline;
mod unique_json;
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
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::callback_checks;
use super::problem::Problem;
use super::unread_body::{self, BodyState, TrackedBody};
use crate::metrics::Metrics;
use crate::store::{Cursor, Listing, RetentionPeriods, Store, StoreError, UnreadableRow};
pub use auth::{Caller, Scope};
use known_parameters::KnownParameters;
use number_order::{Id, Limits};
pub use openapi::document_text;
use pace::Pace;
pub use reload::{ReloadReceiver, ReloadSender};
pub use watch::IMPORT_MAX_BYTES;

/// Settings of the operators' listener.
pub struct Settings {
    /// Callers, one of whose tokens requests must bear. Without any the listener is open to everybody who can connect, and
    /// the configuration is refused where another machine could.
    pub callers: Vec<Caller>,
    /// Projects, each with the notification that closes its circuit at once; `None`: its API is off.
    pub projects: BTreeMap<Id, Option<Arc<Notify>>>,
    /// What the callback listener knows of projects and callers, by which what it refused is judged again.
    pub callbacks: Arc<callback_checks::Settings>,
    /// URLs of the projects' own callback paths, where it is known how Sinch reaches them.
    pub callback_urls: BTreeMap<Id, String>,
    /// Secrets with which callbacks of each project may be signed, in the order in which they are counted.
    pub secrets: BTreeMap<Id, Vec<SecretString>>,
    /// Sender of requests to read the configuration again.
    pub reload: ReloadSender,
    /// Thresholds at which alerts about orders fire.
    pub deadlines: Limits,
    /// Periods for which the service keeps data.
    pub retention: RetentionPeriods,
    /// Keys of the configuration with their values, without secrets, as operators see them.
    pub configuration: Value,
    /// Maximum time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Maximum number of readers of the feed of events that wait at the same time.
    pub feed_readers_max: usize,
}

struct Context {
    store: Store,
    metrics: Arc<Metrics>,
    settings: Settings,
    pace: Pace,
    /// Permits of the readers of the feed that wait.
    feed_readers: Arc<Semaphore>,
    /// Permit of the one backup that is made or sent at a time.
    backup: Arc<Semaphore>,
    /// Token that is cancelled when the service stops. Whatever waits for long ends then.
    stop: CancellationToken,
}

impl Context {
    fn new(
        store: Store,
        metrics: Arc<Metrics>,
        settings: Settings,
        stop: CancellationToken,
    ) -> Context {
        Context {
            store,
            metrics,
            pace: Pace::default(),
            feed_readers: Arc::new(Semaphore::new(settings.feed_readers_max)),
            backup: Arc::new(Semaphore::new(1)),
            settings,
            stop,
        }
    }
}

type Shared = State<Arc<Context>>;

/// Returns the routes of the operators' listener. Answers that wait, or have no end, end when `stop` is cancelled.
pub fn router(
    store: Store,
    metrics: Arc<Metrics>,
    settings: Settings,
    stop: CancellationToken,
) -> Router {
    router_of(Arc::new(Context::new(store, metrics, settings, stop)))
}

fn router_of(context: Arc<Context>) -> Router {
    let require_token = middleware::from_fn_with_state(context.clone(), auth::require_token);
    let record = middleware::from_fn_with_state(context.clone(), actions::record);
    let keep_pace = middleware::from_fn_with_state(context.clone(), pace::keep);
    let guarded = paced_routes()
        .route_layer(keep_pace)
        .merge(unpaced_routes());
    let known = Arc::new(KnownParameters::of(guarded.get_openapi()));
    let refuse_unknown = middleware::from_fn_with_state(known, known_parameters::refuse_unknown);
    let guarded = guarded
        .route_layer(record)
        .route_layer(refuse_unknown)
        .route_layer(require_token);
    let no_web_pages = middleware::from_fn_with_state(context.clone(), auth::refuse_web_pages);
    let limit_body = middleware::from_fn_with_state(context.clone(), limit_body);
    let no_store = HeaderValue::from_static("no-store");
    let routes = Router::from(open_routes().merge(guarded));
    routes
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND) })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            no_store,
        ))
        .layer(no_web_pages)
        .layer(middleware::from_fn(auth::refuse_doubled_fields))
        .layer(limit_body)
        .with_state(context)
}

/// Returns the routes that are open to every caller that can connect.
fn open_routes() -> OpenApiRouter<Arc<Context>> {
    status::health()
}

/// Returns all routes that need the token.
fn guarded_routes() -> OpenApiRouter<Arc<Context>> {
    paced_routes().merge(unpaced_routes())
}

/// Returns the routes that need the token, and keep the pace.
fn paced_routes() -> OpenApiRouter<Arc<Context>> {
    status::routes()
        .merge(orders::routes())
        .merge(watch::routes())
        .merge(deliveries::routes())
        .merge(parked::routes())
        .merge(quarantine::routes())
        .merge(bulk::routes())
        .merge(timeline::routes())
        .merge(projects::routes())
        .merge(secrets::routes())
        .merge(reload::routes())
        .merge(placements::routes())
        .merge(targets::routes())
        .merge(notifications::routes())
        .merge(actions::routes())
        .merge(retention::routes())
}

/// Returns the routes that need the token, and keep no pace: the feed, whose answers may wait or last and read one index, a
/// backup, and what asks the store nothing.
fn unpaced_routes() -> OpenApiRouter<Arc<Context>> {
    events::routes()
        .merge(backup::routes())
        .merge(openapi::routes())
}

/// Limits the time for an operator's request to arrive. Keeps or closes the connection if the body was not read to its
/// end.
async fn limit_body(State(context): Shared, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    let (tracked, mut state) = TrackedBody::new(body, context.settings.body_timeout);
    let headers = head.headers.clone();
    let request = Request::from_parts(head, Body::new(tracked));
    let response = next.run(request).await;
    let refuse = |status| unread_body::close(Problem::new(status).into_response());
    match state.try_recv() {
        Ok(BodyState::Open(body)) => {
            unread_body::drain_or_close(body, &headers, DRAIN_MAX_BYTES, response).await
        }
        Ok(BodyState::TimedOut) => refuse(StatusCode::REQUEST_TIMEOUT),
        Ok(BodyState::Broken) => refuse(StatusCode::BAD_REQUEST),
        // A handler still holds the body.
        Err(_) => unread_body::close(response),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        if error == StoreError::NoSuchCursor {
            let detail =
                "after: not the `next` of a page of this list; write that, or leave `after` out";
            return Problem::with_detail(StatusCode::BAD_REQUEST, detail);
        }
        Problem::with_detail(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
struct Page<T> {
    items: Vec<T>,
    /// Value of the parameter `after` with which the next page is requested; `null` on the last page. A page before the last can
    /// have fewer items than asked for.
    #[schema(value_type = Option<String>)]
    next: Option<Cursor>,
    /// Rows that belong on the page and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<UnreadableRow>,
}

impl<T> From<Listing<T>> for Page<T> {
    fn from(listing: Listing<T>) -> Page<T> {
        Page {
            items: listing.items,
            next: listing.next,
            unreadable: listing.unreadable,
        }
    }
}

/// Maximum number of bytes that are read of the rest of a refused request's body.
const DRAIN_MAX_BYTES: usize = 64 * 1024;

/// Number of items on a page of a list, unless the query has a `limit`.
const PAGE_SIZE: u32 = 100;

/// Maximum number of items on a page of a list.
const PAGE_SIZE_MAX: u32 = 1000;

/// Returns the parameters in a request's path. A parameter that is not even text is answered as one that is `unknown`.
fn path_params<T>(
    path: Result<Path<T>, PathRejection>,
    unknown: fn() -> Problem,
) -> Result<T, Problem> {
    path.map(|Path(params)| params).map_err(|_| unknown())
}
