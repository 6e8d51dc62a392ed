//! The simulated API: tokens and orders, with the faults of the world and the scripted ones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use fastrand::Rng;
use tokio::sync::watch;

use super::history::{OrderHistory, Reply};
use super::recorder::ApiRequest;
use super::{Shared, lock, wire};
use number_order::{Answer, Id};

/// Failure of the API as a whole: while it lasts, every call fails in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// No outage: the API works.
    None,
    /// 503, service unavailable.
    Unavailable {
        /// `Retry-After`, where there is one.
        retry_after: Option<Duration>,
    },
    /// 429, too many requests.
    Throttled {
        /// `Retry-After`, where there is one.
        retry_after: Option<Duration>,
    },
    /// 401, for tokens too: the key was withdrawn.
    Unauthorized,
    /// 200 with a page that an intermediary put in place of the answer.
    Garbled,
    /// No answer until the outage is over; then 503.
    Hang,
}

/// State of the simulated API, without the world.
pub(super) struct ApiHandler {
    pub shared: Arc<Shared>,
    /// Header that authorizes every call: `Basic` with the key's id and secret.
    basic: String,
    tokens: Mutex<BTreeSet<String>>,
    scripted: Mutex<BTreeMap<Id, VecDeque<Reply>>>,
    reply_rng: Mutex<BTreeMap<Id, Rng>>,
    outage: watch::Sender<Outage>,
}

impl ApiHandler {
    pub fn new(shared: Arc<Shared>, basic: String) -> ApiHandler {
        ApiHandler {
            shared,
            basic,
            tokens: Mutex::default(),
            scripted: Mutex::default(),
            reply_rng: Mutex::default(),
            outage: watch::Sender::new(Outage::None),
        }
    }

    pub fn set_outage(&self, outage: Outage) {
        self.outage.send_replace(outage);
    }

    pub fn revoke_tokens(&self) {
        lock(&self.tokens).clear();
    }

    pub fn push_reply(&self, order: &Id, reply: Reply) {
        lock(&self.scripted)
            .entry(order.clone())
            .or_default()
            .push_back(reply);
    }

    /// Returns the next scripted reply, or a random one.
    fn next_reply(&self, history: &OrderHistory, fetched_at: Duration) -> Reply {
        let scripted = lock(&self.scripted)
            .get_mut(&history.id)
            .and_then(VecDeque::pop_front);
        scripted.unwrap_or_else(|| {
            let mut reply_rng = lock(&self.reply_rng);
            let rng = reply_rng
                .entry(history.id.clone())
                .or_insert_with(|| self.shared.world.reply_rng(history));
            self.shared.world.answer(history, fetched_at, rng)
        })
    }

    /// Returns the answer that the outage gives, if there is an outage.
    pub async fn outage(&self) -> Option<Response> {
        let outage = self.outage.borrow().clone();
        let response = match outage {
            Outage::None => return None,
            Outage::Unavailable { retry_after } => failure(503, "unavailable", retry_after),
            Outage::Throttled { retry_after } => failure(429, "too many requests", retry_after),
            Outage::Unauthorized => failure(401, "unknown key", None),
            Outage::Garbled => {
                let page = "<html><body>It works!</body></html>";
                ([(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
            Outage::Hang => {
                let mut watched = self.outage.subscribe();
                tokio::select! {
                    () = self.shared.stop.cancelled() => {}
                    _ = watched.wait_for(|outage| *outage != Outage::Hang) => {}
                }
                failure(503, "unavailable", None)
            }
        };
        Some(response)
    }

    pub fn is_authorized(&self, headers: &HeaderMap) -> bool {
        match bearer(headers) {
            Some(token) => lock(&self.tokens).contains(token),
            None => authorization(headers) == Some(self.basic.as_str()),
        }
    }

    /// Forgets the token of a request. Returns `false` if it has none.
    pub fn withdraw_token(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|token| lock(&self.tokens).remove(token))
    }

    /// Records that a fetch of an order came.
    pub fn note_fetch(&self, order: &str) {
        let shared = &self.shared;
        let request = ApiRequest {
            order: order.to_owned(),
            at: shared.started_at.plus(shared.elapsed()),
        };
        shared.write(|recorder| {
            recorder.stats.fetches += 1;
            recorder.fetches.push(request);
        });
    }

    /// Answers a fetch of an order, and counts the reply.
    async fn show(&self, history: &OrderHistory) -> Response {
        let shared = &self.shared;
        let fetched_at = shared.elapsed();
        let reply = self.next_reply(history, fetched_at);
        let answer = history.shown(fetched_at, &reply, shared.started_at);
        let kind = kind(&reply, answer.as_ref());
        shared.write(|recorder| recorder.replied(kind));
        if let Reply::Slow(by) = &reply {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = tokio::time::sleep(*by) => {}
            }
        }
        let id = history.id.as_str();
        match (answer, reply) {
            (Some(Answer::Found(snapshot)), _) => {
                let extra = fetched_at.as_micros().is_multiple_of(5);
                let project = shared.world.project();
                json(
                    StatusCode::OK,
                    wire::order(project, history, &snapshot, shared.started_at, extra),
                )
            }
            (Some(Answer::NotFound), _) => not_found("number order not found", Some(id)),
            (None, Reply::Unauthorized) => failure(401, "token not accepted", None),
            (None, Reply::Throttled { retry_after }) => {
                failure(429, "too many requests", Some(retry_after))
            }
            (None, Reply::ServerError { status }) => failure(status, "", None),
            (None, Reply::Raw { status, body }) => json(code(status), body),
            (
                None,
                Reply::Current
                | Reply::Stale(_)
                | Reply::Slow(_)
                | Reply::NotFound
                | Reply::Shows { .. },
            ) => failure(500, "", None),
        }
    }
}

/// Route of the token endpoint.
pub(super) fn router(handler: Arc<ApiHandler>) -> Router {
    Router::new()
        .route("/oauth2/token", post(give_token))
        .with_state(handler)
}

async fn give_token(
    State(handler): State<Arc<ApiHandler>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if let Some(response) = handler.outage().await {
        return response;
    }
    if authorization(&headers) != Some(handler.basic.as_str()) {
        return failure(401, "unknown key", None);
    }
    if !body
        .split('&')
        .any(|pair| pair == "grant_type=client_credentials")
    {
        return failure(400, "grant_type must be client_credentials", None);
    }
    let nth = handler.shared.write(|recorder| {
        recorder.stats.tokens += 1;
        recorder.stats.tokens
    });
    let token = format!("simulated-token-{nth}");
    let answer = wire::token(&token);
    lock(&handler.tokens).insert(token);
    json(StatusCode::OK, answer)
}

/// Answers a fetch of one of the world's orders.
pub(super) async fn get_order(
    handler: &ApiHandler,
    project: &str,
    order: &str,
    headers: &HeaderMap,
) -> Response {
    let shared = &handler.shared;
    if let Some(response) = handler.outage().await {
        shared.write(|recorder| recorder.replied("outage"));
        return response;
    }
    if !handler.is_authorized(headers) {
        shared.write(|recorder| recorder.replied("401, no valid token"));
        return failure(401, "token not accepted", None);
    }
    let history = Id::new(order)
        .filter(|_| project == shared.world.project().as_str())
        .and_then(|id| shared.world.order(&id));
    if let Some(history) = history {
        handler.show(history).await
    } else {
        shared.write(|recorder| recorder.replied("404, unknown"));
        not_found("number order not found", Some(order))
    }
}

/// Returns the kind of a reply, by which replies are counted.
fn kind(reply: &Reply, answer: Option<&Answer>) -> &'static str {
    match reply {
        Reply::Current if answer == Some(&Answer::NotFound) => "404, not there",
        Reply::Current => "true",
        Reply::Stale(_) => "stale",
        Reply::Slow(_) => "slow",
        Reply::NotFound => "404, too young",
        Reply::Unauthorized => "401",
        Reply::Throttled { .. } => "429",
        Reply::ServerError { .. } => "5xx",
        Reply::Shows { .. } | Reply::Raw { .. } => "scripted",
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    authorization(headers)?.strip_prefix("Bearer ")
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn not_found(message: &str, order: Option<&str>) -> Response {
    json(StatusCode::NOT_FOUND, wire::error(404, message, order))
}

/// Makes an error in Sinch's form. `Retry-After` is in whole seconds, rounded up.
fn failure(status: u16, message: &str, retry_after: Option<Duration>) -> Response {
    let response = json(code(status), wire::error(status, message, None));
    match retry_after {
        Some(span) => {
            let secs = span.as_micros().div_ceil(1_000_000).to_string();
            ([(header::RETRY_AFTER, secs)], response).into_response()
        }
        None => response,
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Converts a status; an impossible one is a mistake in a script and becomes 500.
fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
