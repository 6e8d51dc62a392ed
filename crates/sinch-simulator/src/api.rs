//! The simulated API: tokens and orders, with the faults of the world and the scripted ones.

use std::collections::{BTreeMap, VecDeque};
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

/// Failure of the simulated API as a whole: while it lasts, every call fails in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// No outage: the API works.
    None,
    /// Every call gets 503, service unavailable.
    Unavailable {
        /// Value of `Retry-After`; `None`: the header is not sent.
        retry_after: Option<Duration>,
    },
    /// Every call gets 429, too many requests.
    Throttled {
        /// Value of `Retry-After`; `None`: the header is not sent.
        retry_after: Option<Duration>,
    },
    /// Every call gets 401, one for a token too: the key was withdrawn.
    Unauthorized,
    /// Every call gets 200 with a page that an intermediary put in place of the answer.
    Garbled,
    /// A call gets no answer until the outage is over; then 503.
    Hang,
}

/// State of the simulated API, without the world.
pub(super) struct ApiHandler {
    pub shared: Arc<Shared>,
    /// Header that authorizes every call: `Basic` with the access key's id and secret.
    basic: String,
    /// Tokens that were issued and are good, each with the number of calls that it was good for.
    tokens: Mutex<BTreeMap<String, usize>>,
    scripted: Mutex<BTreeMap<Id, VecDeque<Reply>>>,
    reply_rng: Mutex<BTreeMap<Id, Rng>>,
    outage: watch::Sender<Outage>,
}

/// A fetch of an order that is in flight.
pub(super) struct FetchInFlight {
    shared: Arc<Shared>,
    order: String,
}

impl Drop for FetchInFlight {
    fn drop(&mut self) {
        self.shared
            .write(|recorder| recorder.fetch_ended(&self.order));
    }
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

    /// Returns the next scripted reply to a fetch of the order, or a random one.
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
            Outage::Unavailable { retry_after } => error_answer(503, "unavailable", retry_after),
            Outage::Throttled { retry_after } => {
                error_answer(429, "too many requests", retry_after)
            }
            Outage::Unauthorized => error_answer(401, "unknown key", None),
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
                error_answer(503, "unavailable", None)
            }
        };
        Some(response)
    }

    pub fn is_authorized(&self, headers: &HeaderMap) -> bool {
        match bearer_token(headers) {
            Some(token) => lock(&self.tokens).contains_key(token),
            None => authorization_header(headers) == Some(self.basic.as_str()),
        }
    }

    /// Forgets the token of a request. Returns `false` if the request has none.
    pub fn withdraw_token(&self, headers: &HeaderMap) -> bool {
        bearer_token(headers).is_some_and(|token| lock(&self.tokens).remove(token).is_some())
    }

    /// Counts a call with the token of a request. Returns `true`, and forgets the token, if it was good for this number of
    /// calls already. A token that is new is never refused.
    pub fn wears_out(&self, headers: &HeaderMap, calls_max: usize) -> bool {
        let mut tokens = lock(&self.tokens);
        let token = bearer_token(headers);
        let Some((token, calls)) = token.and_then(|token| Some((token, tokens.get_mut(token)?)))
        else {
            return false;
        };
        *calls += 1;
        *calls > calls_max && tokens.remove(token).is_some()
    }

    /// Records that a fetch of an order came. It is in flight until the value is dropped: once it is answered, or its
    /// client has hung up.
    pub fn note_fetch(&self, order: &str) -> FetchInFlight {
        let shared = self.shared.clone();
        let order = order.to_owned();
        let fetch = ApiRequest {
            order: order.clone(),
            at: shared.started_at.plus(shared.elapsed()),
        };
        shared.write(|recorder| recorder.fetch_came(fetch));
        FetchInFlight { shared, order }
    }

    /// Answers a fetch of an order, and counts the reply.
    async fn answer_fetch(&self, history: &OrderHistory) -> Response {
        let shared = &self.shared;
        let fetched_at = shared.elapsed();
        let reply = self.next_reply(history, fetched_at);
        let answer = history.shown(fetched_at, &reply, shared.started_at);
        let kind = kind_of_reply(&reply, answer.as_ref());
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
                json_answer(
                    StatusCode::OK,
                    wire::order(project, history, &snapshot, shared.started_at, extra),
                )
            }
            (Some(Answer::NotFound), _) => not_found_answer("number order not found", Some(id)),
            (None, Reply::Unauthorized) => error_answer(401, "token not accepted", None),
            (None, Reply::Throttled { retry_after }) => {
                error_answer(429, "too many requests", Some(retry_after))
            }
            (None, Reply::ServerError { status }) => error_answer(status, "", None),
            (None, Reply::Raw { status, body }) => json_answer(status_code(status), body),
            (
                None,
                Reply::Current
                | Reply::Stale(_)
                | Reply::Slow(_)
                | Reply::NotFound
                | Reply::Shows { .. },
            ) => error_answer(500, "", None),
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
    if authorization_header(&headers) != Some(handler.basic.as_str()) {
        return error_answer(401, "unknown key", None);
    }
    if !body
        .split('&')
        .any(|pair| pair == "grant_type=client_credentials")
    {
        return error_answer(400, "grant_type must be client_credentials", None);
    }
    let nth = handler.shared.write(|recorder| {
        recorder.stats.tokens += 1;
        recorder.stats.tokens
    });
    let token = format!("simulated-token-{nth}");
    let answer = wire::token(&token);
    lock(&handler.tokens).insert(token, 0);
    json_answer(StatusCode::OK, answer)
}

/// Answers a fetch of one of the orders of the world.
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
        return error_answer(401, "token not accepted", None);
    }
    let history = Id::new(order)
        .filter(|_| project == shared.world.project().as_str())
        .and_then(|id| shared.world.order(&id));
    if let Some(history) = history {
        handler.answer_fetch(history).await
    } else {
        shared.write(|recorder| recorder.replied("404, unknown"));
        not_found_answer("number order not found", Some(order))
    }
}

/// Returns the kind of a reply, by which replies are counted.
fn kind_of_reply(reply: &Reply, answer: Option<&Answer>) -> &'static str {
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

fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    authorization_header(headers)?.strip_prefix("Bearer ")
}

fn authorization_header(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn not_found_answer(message: &str, order: Option<&str>) -> Response {
    json_answer(StatusCode::NOT_FOUND, wire::error(404, message, order))
}

/// Makes an error answer in Sinch's form. `Retry-After` is in whole seconds, rounded up.
fn error_answer(status: u16, message: &str, retry_after: Option<Duration>) -> Response {
    let response = json_answer(status_code(status), wire::error(status, message, None));
    match retry_after {
        Some(span) => {
            let secs = span.as_micros().div_ceil(1_000_000).to_string();
            ([(header::RETRY_AFTER, secs)], response).into_response()
        }
        None => response,
    }
}

fn json_answer(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Converts the HTTP status of a script; an impossible one is a mistake in the script and becomes 500.
fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
