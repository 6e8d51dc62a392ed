//! The API side: tokens and orders, with whatever trouble is due.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fastrand::Rng;
use tokio::sync::watch;

use super::journal::{Ask, secs};
use super::world::{Life, Reply};
use super::{Stage, lock, wire};
use crate::order::{Answer, Id};

/// A failure of the API as a whole: while it lasts, every call to it fails so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outage {
    /// None: it works.
    None,
    /// 503.
    Unavailable {
        /// `Retry-After`, where there is one.
        retry_after: Option<Duration>,
    },
    /// 429.
    Throttled {
        /// `Retry-After`, where there is one.
        retry_after: Option<Duration>,
    },
    /// 401, for tokens too: the key was withdrawn.
    Unauthorized,
    /// 200 with a page that somebody put in between.
    Garbled,
    /// No answer until it is over; then 503.
    Hang,
}

/// What the API side knows beside the world.
pub(super) struct Desk {
    stage: Arc<Stage>,
    /// The header that opens everything: `Basic` with the key's id and secret.
    basic: String,
    tokens: Mutex<BTreeSet<String>>,
    scripted: Mutex<BTreeMap<Id, VecDeque<Reply>>>,
    dice: Mutex<BTreeMap<Id, Rng>>,
    outage: watch::Sender<Outage>,
}

impl Desk {
    pub fn new(stage: Arc<Stage>, basic: String) -> Desk {
        Desk {
            stage,
            basic,
            tokens: Mutex::default(),
            scripted: Mutex::default(),
            dice: Mutex::default(),
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

    /// The next scripted reply, or what chance decides.
    fn next_reply(&self, life: &Life, asked: Duration) -> Reply {
        let scripted = lock(&self.scripted)
            .get_mut(&life.id)
            .and_then(VecDeque::pop_front);
        scripted.unwrap_or_else(|| {
            let mut dice = lock(&self.dice);
            let rng = dice
                .entry(life.id.clone())
                .or_insert_with(|| self.stage.world.dice(life));
            self.stage.world.answer(life, asked, rng)
        })
    }

    /// The answer that the outage gives, if there is one.
    async fn outage(&self) -> Option<Response> {
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
                    () = self.stage.stop.cancelled() => {}
                    _ = watched.wait_for(|outage| *outage != Outage::Hang) => {}
                }
                failure(503, "unavailable", None)
            }
        };
        Some(response)
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = authorization(headers) else {
            return false;
        };
        match shown.strip_prefix("Bearer ") {
            Some(token) => lock(&self.tokens).contains(token),
            None => shown == self.basic,
        }
    }

    /// Answers for an order; says in the story how.
    async fn show(&self, life: &Life) -> Response {
        let stage = &self.stage;
        let asked = stage.elapsed();
        let reply = self.next_reply(life, asked);
        let answer = life.shown(asked, &reply, stage.started_at);
        let (kind, words) = describe(&reply, answer.as_ref(), asked);
        stage.write(|journal| {
            journal.replied(kind);
            journal.tell(&life.id, asked, format!("GET answered {words}"));
        });
        if let Reply::Slow(by) = &reply {
            tokio::select! {
                () = stage.stop.cancelled() => {}
                () = tokio::time::sleep(*by) => {}
            }
        }
        let id = life.id.as_str();
        match (answer, reply) {
            (Some(Answer::Found(snapshot)), _) => {
                let extra = asked.as_micros().is_multiple_of(5);
                let project = stage.world.project();
                json(
                    StatusCode::OK,
                    wire::order(project, life, &snapshot, stage.started_at, extra),
                )
            }
            (Some(Answer::NotFound), _) => not_found("number order not found", Some(id)),
            (None, Reply::Unauthorized) => failure(401, "token not accepted", None),
            (None, Reply::Throttled { retry_after }) => {
                failure(429, "too many requests", Some(retry_after))
            }
            (None, Reply::Broken { status }) => failure(status, "", None),
            (None, Reply::Raw { status, body }) => json(code(status), body),
            (
                None,
                Reply::True
                | Reply::Stale(_)
                | Reply::Slow(_)
                | Reply::Missing
                | Reply::Says { .. },
            ) => failure(500, "", None),
        }
    }
}

/// The two calls that the simulator plays.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/oauth2/token", post(give_token))
        .route(
            "/v1/projects/{project}/numberOrders/{order}",
            get(get_order),
        )
        .with_state(desk)
}

async fn give_token(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: String) -> Response {
    if let Some(response) = desk.outage().await {
        return response;
    }
    if authorization(&headers) != Some(desk.basic.as_str()) {
        return failure(401, "unknown key", None);
    }
    if !body
        .split('&')
        .any(|pair| pair == "grant_type=client_credentials")
    {
        return failure(400, "grant_type must be client_credentials", None);
    }
    let nth = desk.stage.write(|journal| {
        journal.stats.tokens += 1;
        journal.stats.tokens
    });
    let token = format!("simulated-token-{nth}");
    let answer = wire::token(&token);
    lock(&desk.tokens).insert(token);
    json(StatusCode::OK, answer)
}

async fn get_order(
    State(desk): State<Arc<Desk>>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let stage = &desk.stage;
    let ask = Ask {
        order: order.clone(),
        at: stage.started_at.plus(stage.elapsed()),
    };
    stage.write(|journal| {
        journal.stats.asks += 1;
        journal.asks.push(ask);
    });
    if let Some(response) = desk.outage().await {
        stage.write(|journal| journal.replied("outage"));
        return response;
    }
    if !desk.is_authorized(&headers) {
        stage.write(|journal| journal.replied("401, no valid token"));
        return failure(401, "token not accepted", None);
    }
    let life = Id::new(order.clone())
        .filter(|_| project == stage.world.project().as_str())
        .and_then(|id| stage.world.order(&id));
    match life {
        Some(life) => desk.show(life).await,
        None => {
            stage.write(|journal| journal.replied("404, unknown"));
            not_found("number order not found", Some(&order))
        }
    }
}

/// A reply's kind, for the counts, and in words, for the story.
fn describe(reply: &Reply, answer: Option<&Answer>, asked: Duration) -> (&'static str, String) {
    let shown = match answer {
        Some(Answer::Found(snapshot)) => snapshot.state.to_string(),
        Some(Answer::NotFound) => "404".to_owned(),
        None => String::new(),
    };
    match reply {
        Reply::True if answer == Some(&Answer::NotFound) => {
            ("404, not there", "404: not there".to_owned())
        }
        Reply::True => ("true", format!("truly: {shown}")),
        Reply::Stale(by) => {
            let as_of = secs(asked.saturating_sub(*by));
            ("stale", format!("stale: {shown} as of {as_of}"))
        }
        Reply::Slow(by) => ("slow", format!("truly but {} late: {shown}", secs(*by))),
        Reply::Missing => ("404, too young", "404: too young".to_owned()),
        Reply::Unauthorized => ("401", "401".to_owned()),
        Reply::Throttled { retry_after } => {
            ("429", format!("429, Retry-After {}", secs(*retry_after)))
        }
        Reply::Broken { status } => ("5xx", status.to_string()),
        Reply::Says { .. } => ("scripted", format!("as scripted: {shown}")),
        Reply::Raw { status, .. } => ("scripted", format!("as scripted: {status}")),
    }
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()
}

fn not_found(message: &str, order: Option<&str>) -> Response {
    json(StatusCode::NOT_FOUND, wire::error(404, message, order))
}

/// An error in Sinch's form. `Retry-After` is in whole seconds, rounded up.
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

/// What cannot be a status becomes 500: a slip of a script.
fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
