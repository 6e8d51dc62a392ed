//! `POST /callbacks`: the answer contract.
//!
//! Judged in this order: source, path and method, size and encoding, whether there is room, signature,
//! body. The first four touch neither body nor database. Whatever gets past the signature is genuine, and is never refused:
//! what cannot be understood is kept and parked. See `docs/answers.md` for each row and its reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use secrecy::SecretString;

use super::problem::Problem;
use super::source::Sources;
use crate::clock;
use crate::order::Id;
use crate::sinch::callback::{self, Content};
use crate::sinch::signature;
use crate::store::{Accepted, NewDelivery, Store, Subject};
use crate::vitals::{Refusal, Vitals};

/// A project's own entrance.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// The path that was registered as callback URL.
    pub path: String,
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
    /// One for each project, with distinct paths.
    pub entrances: Vec<Entrance>,
    /// The largest body taken.
    pub body_max_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// How long Sinch is asked to wait when the store cannot take a callback.
const RETRY_AFTER_SECS: u32 = 5;

struct Context {
    entrance: Entrance,
    body_max_bytes: usize,
    body_timeout: Duration,
    store: Store,
    vitals: Arc<Vitals>,
}

/// The routes of the callback listener.
pub fn router(settings: Settings, store: Store, vitals: Arc<Vitals>) -> Router {
    let mut router = Router::new();
    for entrance in settings.entrances {
        let context = Arc::new(Context {
            body_max_bytes: settings.body_max_bytes,
            body_timeout: settings.body_timeout,
            store: store.clone(),
            vitals: vitals.clone(),
            entrance: entrance.clone(),
        });
        router = router.route(&entrance.path, post(receive).with_state(context));
    }
    let counting = vitals.clone();
    let refuse = move |why, status: StatusCode| {
        let vitals = counting.clone();
        move || async move {
            if vitals.refused(why, clock::now()) {
                let status = status.as_u16();
                tracing::warn!(?why, status, "refused a request; /status has the counts");
            }
            Problem::new(status)
        }
    };
    let inside = router
        .fallback(refuse(Refusal::Path, StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(refuse(Refusal::Method, StatusCode::METHOD_NOT_ALLOWED));
    let gate = Arc::new((settings.sources, vitals));
    // Around the whole router, and not only its routes: axum would add `Allow` to a refusal on a path
    // that is there, and so tell a stranger which paths there are.
    Router::new()
        .fallback_service(inside)
        .layer(middleware::from_fn_with_state(gate, admit))
}

/// Lets in only allowed sources; every other gets the same bytes, whatever it asked.
async fn admit(
    State(gate): State<Arc<(Sources, Arc<Vitals>)>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let (sources, vitals) = &*gate;
    let source = sources.source(peer.ip(), request.headers());
    if sources.allows(source) {
        return next.run(request).await;
    }
    if vitals.refused(Refusal::Source, clock::now()) {
        let (peer, source) = (peer.ip(), source.map(tracing::field::display));
        tracing::warn!(%peer, source, "refused: the source address is not allowed, or not readable");
    }
    let mut response = Problem::new(StatusCode::FORBIDDEN).into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

async fn receive(State(context): State<Arc<Context>>, request: Request) -> Response {
    match take(&context, request).await {
        Ok(accepted) => {
            context.vitals.accepted(accepted, clock::now());
            StatusCode::OK.into_response()
        }
        Err((why, problem)) => {
            if context.vitals.refused(why, clock::now()) {
                let project = &context.entrance.project;
                let status = problem.status().as_u16();
                tracing::warn!(%project, ?why, status, "refused a callback; /status has the counts");
            }
            problem.into_response()
        }
    }
}

type Refused = (Refusal, Problem);

/// A callback from an allowed source, from here to the disk.
async fn take(context: &Context, request: Request) -> Result<Accepted, Refused> {
    let (head, body) = request.into_parts();
    check_size(&head.headers, context.body_max_bytes)?;
    check_encoding(&head.headers)?;
    // Before the costly part: with too much to do already, refusing is to cost next to nothing.
    if context.store.is_full() {
        return Err(unavailable());
    }
    let body = read(body, context).await?;
    check_signature(&head.headers, &body, context)?;
    store(body, context).await
}

fn unavailable() -> Refused {
    (Refusal::Store, Problem::unavailable(RETRY_AFTER_SECS))
}

fn too_large(max: usize) -> Refused {
    let detail = format!("the body may have at most {max} bytes");
    (
        Refusal::Size,
        Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail),
    )
}

fn check_size(headers: &HeaderMap, max: usize) -> Result<(), Refused> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(bytes) if bytes > max as u64 => Err(too_large(max)),
        Some(_) | None => Ok(()),
    }
}

/// The signature is over the raw body, and Sinch sends it plain.
fn check_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if plain {
        return Ok(());
    }
    let detail = "the body must not be compressed";
    Err((
        Refusal::Encoding,
        Problem::with_detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
    ))
}

async fn read(body: Body, context: &Context) -> Result<Bytes, Refused> {
    let limited = Limited::new(body, context.body_max_bytes).collect();
    match tokio::time::timeout(context.body_timeout, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(context.body_max_bytes)),
        // The peer broke off, or speaks broken HTTP: hardly anybody will read this.
        Ok(Err(_)) => Err((Refusal::Body, Problem::new(StatusCode::BAD_REQUEST))),
        Err(_) => Err((Refusal::Body, Problem::new(StatusCode::REQUEST_TIMEOUT))),
    }
}

/// Exactly one signature, by one of the project's secrets. Which of these is amiss is not said.
fn check_signature(headers: &HeaderMap, body: &[u8], context: &Context) -> Result<(), Refused> {
    let Some(secrets) = &context.entrance.secrets else {
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

/// Keeps what is genuine. Only the store itself can still say no.
async fn store(body: Bytes, context: &Context) -> Result<Accepted, Refused> {
    let project = &context.entrance.project;
    let callback = callback::parse(&body, project);
    let subject = match callback.content {
        Content::Order {
            order,
            status,
            said_at,
        } => Subject::Order {
            order,
            status,
            said_at,
        },
        Content::Other { resource_type } => Subject::Other(format!(
            "about {resource_type:?}, not a number order: recorded"
        )),
        Content::NotUnderstood(reason) => {
            tracing::warn!(%project, reason, "parked: a genuine callback was not understood");
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
    match context.store.accept(delivery).await {
        Ok(accepted) => {
            if accepted == Accepted::Conflict {
                let event = callback.event_id.as_deref().unwrap_or_default();
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
