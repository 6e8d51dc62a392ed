//! `POST /callbacks`: the answer contract.
//!
//! Judged in this order: source, path and method, size and encoding, whether there is room, signature,
//! body. The first four touch neither body nor database. Whatever gets past the signature is genuine, and is
//! never refused: what cannot be understood is kept and parked. See `docs/answers.md` for each row and its reason.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use tower::service_fn;

use super::problem::Problem;
use super::refused::{Caller, Refused};
use super::rest;
use super::serve::Answering;
use super::source::Sources;
use crate::clock;
use crate::logged;
use crate::order::Id;
use crate::sinch::callback::{self, Content};
use crate::sinch::signature;
use crate::store::{Accepted, NewDelivery, Store, Subject};
use crate::vitals::{Refusal, Vitals};

/// What comes by a project's own path, which was registered as callback URL.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Whose callbacks come here. What the body says counts only after the signature.
    pub project: Id,
    /// The secrets in force; `None`: the operator has switched the check off.
    pub secrets: Option<Vec<SecretString>>,
}

/// What the callback listener is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may call.
    pub sources: Sources,
    /// One for each project, by its path.
    pub entrances: HashMap<String, Entrance>,
    /// The largest body taken.
    pub body_max_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// How long Sinch is asked to wait when the store cannot take a callback.
pub(super) const RETRY_AFTER_SECS: u32 = 5;

/// Whoever judges what comes.
struct Desk {
    settings: Settings,
    store: Store,
    vitals: Arc<Vitals>,
}

/// The callback listener's service. It is no router: a path leads to a project and to nothing else, and so the
/// whole contract stands in one place, in its order.
pub fn service(settings: Settings, store: Store, vitals: Arc<Vitals>) -> impl Answering {
    let desk = Arc::new(Desk {
        settings,
        store,
        vitals,
    });
    service_fn(move |request: Request<Incoming>| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.answer(request).await) }
    })
}

type Refusing = (Refusal, Problem);

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let (head, mut body) = request.into_parts();
        let caller = self.caller(&head);
        let tell = |why: Refusal, status, project| {
            let refused = Refused {
                caller,
                head: &head,
                project,
                status,
            };
            refused.tell(why, &self.settings, &self.vitals);
        };
        // Every source that is not allowed gets the same bytes, whatever it asked.
        if !self.settings.sources.allows(caller.source) {
            tell(Refusal::Source, StatusCode::FORBIDDEN, None);
            return rest::closing(Problem::new(StatusCode::FORBIDDEN).into_response());
        }
        let entrance = self.settings.entrances.get(head.uri.path());
        match self.take(entrance, &head, &mut body).await {
            Ok(accepted) => {
                self.vitals.accepted(accepted, clock::now());
                StatusCode::OK.into_response()
            }
            Err((why, problem)) => {
                tell(
                    why,
                    problem.status(),
                    entrance.map(|entrance| &entrance.project),
                );
                let answer = problem.into_response();
                match why {
                    // It had its time, or cannot be read on.
                    Refusal::Body => rest::closing(answer),
                    _ => {
                        let max = self.settings.body_max_bytes;
                        rest::settle(body, &head.headers, max, answer).await
                    }
                }
            }
        }
    }

    /// Whom a request comes from.
    fn caller(&self, head: &Parts) -> Caller {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let source = peer.and_then(|peer| self.settings.sources.source(peer, &head.headers));
        Caller { peer, source }
    }

    /// A callback from an allowed source, from here to the disk.
    async fn take(
        &self,
        entrance: Option<&Entrance>,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Accepted, Refusing> {
        let nobodys = || (Refusal::Path, Problem::new(StatusCode::NOT_FOUND));
        let entrance = entrance.ok_or_else(nobodys)?;
        check_method(&head.method)?;
        check_size(&head.headers, self.settings.body_max_bytes)?;
        check_encoding(&head.headers)?;
        // Before the costly part: with too much to do already, refusing is to cost next to nothing.
        if self.store.is_full() {
            return Err(unavailable());
        }
        let body = read(body, &self.settings).await?;
        check_signature(&head.headers, &body, entrance)?;
        self.keep(body, &entrance.project).await
    }

    /// Should Sinch change the form of its time stamps, events could no longer be put in order.
    fn warn_of(&self, project: &Id, timestamp: &str) {
        if let Some(left_out) = self.vitals.unreadable_timestamp(project, clock::now()) {
            tracing::warn!(
                %project,
                timestamp,
                left_out,
                "a callback's time stamp cannot be read: the event is kept, but cannot be put in order"
            );
        }
    }

    /// Keeps what is genuine. Only the store itself can still say no.
    async fn keep(&self, body: Bytes, project: &Id) -> Result<Accepted, Refusing> {
        let callback = callback::parse(&body, project);
        let subject = match callback.content {
            Content::Order {
                order,
                status,
                said_at,
                unreadable_timestamp,
            } => {
                if let Some(timestamp) = unreadable_timestamp {
                    self.warn_of(project, &timestamp);
                }
                Subject::Order {
                    order,
                    status,
                    said_at,
                }
            }
            Content::Other { resource_type } => Subject::Other(format!(
                "about {resource_type:?}, not a number order: recorded"
            )),
            Content::NotUnderstood(reason) => {
                let reason_logged = logged::masked(&reason);
                tracing::warn!(%project, reason = %reason_logged, "parked: a genuine callback was not understood");
                Subject::NotUnderstood(reason)
            }
        };
        let delivery = NewDelivery {
            project: project.clone(),
            event_id: callback.event_id.clone(),
            subject,
            received_at: clock::now(),
            body,
        };
        match self.store.accept(delivery).await {
            Ok(accepted) => {
                if accepted == Accepted::Conflict {
                    let event = logged::foreign(callback.event_id.as_deref().unwrap_or_default());
                    tracing::warn!(%project, event, "the same event came with another body; both are kept");
                }
                Ok(accepted)
            }
            Err(error) => {
                tracing::debug!(%error, "the store could not take a callback");
                Err(unavailable())
            }
        }
    }
}

fn unavailable() -> Refusing {
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE);
    let problem = problem.with_header(header::RETRY_AFTER, RETRY_AFTER_SECS.into());
    (Refusal::Store, problem)
}

fn too_large(max: usize) -> Refusing {
    let detail = format!("the body may have at most {max} bytes");
    (
        Refusal::Size,
        Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail),
    )
}

fn check_method(method: &Method) -> Result<(), Refusing> {
    if method == Method::POST {
        return Ok(());
    }
    let post = HeaderValue::from_static("POST");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, post);
    Err((Refusal::Method, problem))
}

fn check_size(headers: &HeaderMap, max: usize) -> Result<(), Refusing> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(bytes) if bytes > max as u64 => Err(too_large(max)),
        Some(_) | None => Ok(()),
    }
}

/// The signature is over the raw body, and Sinch sends it plain. An empty header names no coding.
fn check_encoding(headers: &HeaderMap) -> Result<(), Refusing> {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|value| value.as_bytes().trim_ascii())
        .all(|value| value.is_empty() || value.eq_ignore_ascii_case(b"identity"));
    if plain {
        return Ok(());
    }
    let detail = "send the body as it is, without Content-Encoding";
    Err((
        Refusal::Encoding,
        Problem::with_detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
    ))
}

async fn read(body: &mut Incoming, settings: &Settings) -> Result<Bytes, Refusing> {
    let limited = Limited::new(body, settings.body_max_bytes).collect();
    match tokio::time::timeout(settings.body_timeout, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(settings.body_max_bytes)),
        // The peer broke off, or speaks broken HTTP: hardly anybody will read this.
        Ok(Err(_)) => Err((Refusal::Body, Problem::new(StatusCode::BAD_REQUEST))),
        Err(_) => Err((Refusal::Body, Problem::new(StatusCode::REQUEST_TIMEOUT))),
    }
}

/// Exactly one signature, by one of the project's secrets. Which of these is amiss is not said.
fn check_signature(headers: &HeaderMap, body: &[u8], entrance: &Entrance) -> Result<(), Refusing> {
    let Some(secrets) = &entrance.secrets else {
        return Ok(());
    };
    let mut signatures = headers.get_all(signature::HEADER).iter();
    let genuine = match (signatures.next(), signatures.next()) {
        (Some(only), None) => signature::verify(secrets, body, only.as_bytes()),
        (None, _) | (Some(_), Some(_)) => false,
    };
    if genuine {
        return Ok(());
    }
    Err((Refusal::Signature, Problem::new(StatusCode::UNAUTHORIZED)))
}
