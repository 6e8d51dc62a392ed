//! `POST /callbacks`: the answer contract.
//!
//! The checks come in this order: source, path and method, size and encoding, room in the store, signature, body. The
//! first four touch neither body nor database. A callback that passes the signature check is genuine, and is never
//! refused for what it says: a callback that cannot be understood is stored and parked. See `docs/answers.md` for each
//! row and its reason.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
use super::refused_request::{Caller, RefusedRequest};
use super::server::HttpService;
use super::source::Sources;
use super::unread_body;
use crate::clock;
use crate::metrics::{Metrics, Refusal};
use crate::redact;
use crate::sinch::callback::{self, Content};
use crate::store::{Accepted, DeliveryContent, NewDelivery, Store};
use notifications::CallbackRefusal;
use number_order::{CallbackKey, Id};
use sinch_numbers::signature;

/// Route of a project's own path, the one in the callback URL at Sinch.
#[derive(Clone, Debug)]
pub struct CallbackRoute {
    /// Project whose callbacks come by this path. The content of a body counts only after the signature check.
    pub project: Id,
    /// Secrets in force; `None`: the operator has switched the signature check off.
    pub secrets: Option<Vec<SecretString>>,
}

/// Settings of the callback listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses that may send callbacks, and proxies that may name such addresses.
    pub sources: Sources,
    /// Routes of the projects, by path.
    pub routes: HashMap<String, CallbackRoute>,
    /// Maximum size of a callback's body, in bytes.
    pub body_max_bytes: usize,
    /// Maximum time for a callback's body to arrive.
    pub body_timeout: Duration,
}

impl Settings {
    /// Returns the route of a requested path: a project's own, or the one below it of a create, with the create's key.
    ///
    /// Any key is taken. A journal that was restored from a backup may not have it, and nothing genuine is refused.
    fn route(&self, path: &str) -> (Option<&CallbackRoute>, Option<CallbackKey>) {
        if let Some(route) = self.routes.get(path) {
            return (Some(route), None);
        }
        let below = path.rsplit_once('/').and_then(|(parent, key)| {
            let route = self.routes.get(parent)?;
            Some((route, CallbackKey::new(key)?))
        });
        below.map_or((None, None), |(route, key)| (Some(route), Some(key)))
    }
}

/// Handler that checks requests on the callback listener and stores the callbacks.
struct CallbackHandler {
    settings: Settings,
    store: Store,
    metrics: Arc<Metrics>,
}

/// Returns the callback listener's service. It is not a router: a path leads to a project and to nothing else. So the
/// whole contract is in one place, in the order of its checks.
pub fn service(settings: Settings, store: Store, metrics: Arc<Metrics>) -> impl HttpService {
    let handler = Arc::new(CallbackHandler {
        settings,
        store,
        metrics,
    });
    service_fn(move |request: Request<Incoming>| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
    })
}

/// Refusal of a request, with the response that reports it.
type Refused = (Refusal, Problem);

impl CallbackHandler {
    /// Responds to a request on the callback listener, and reports the request if it is refused.
    async fn handle(&self, request: Request<Incoming>) -> Response {
        let began = Instant::now();
        let (head, mut body) = request.into_parts();
        let caller = self.caller(&head);
        let report = |reason: Refusal, status, project| {
            let refused = RefusedRequest {
                caller,
                head: &head,
                project,
                status,
            };
            let Settings {
                routes,
                body_max_bytes,
                ..
            } = &self.settings;
            refused.report(reason, routes.keys(), *body_max_bytes, &self.metrics);
        };
        // Every source that is not allowed gets the same bytes for any request.
        if !self.settings.sources.allows(caller.source) {
            report(Refusal::Source, StatusCode::FORBIDDEN, None);
            return unread_body::close(Problem::new(StatusCode::FORBIDDEN).into_response());
        }
        let (route, key) = self.settings.route(head.uri.path());
        let project = route.map(|route| &route.project);
        match self.receive(route, key, &head, &mut body).await {
            Ok(accepted) => {
                if let Some(project) = project {
                    self.metrics.accepted(accepted, project, clock::now());
                }
                self.metrics
                    .spans()
                    .acknowledgement
                    .observe(began.elapsed());
                StatusCode::OK.into_response()
            }
            Err((reason, problem)) => {
                report(reason, problem.status(), project);
                self.note_refusal(reason, &head.method, project);
                let response = problem.into_response();
                if reason == Refusal::Body {
                    // The body has had its time, or cannot be read any further.
                    unread_body::close(response)
                } else {
                    let max = self.settings.body_max_bytes;
                    unread_body::drain_or_close(body, &head.headers, max, response).await
                }
            }
        }
    }

    /// Notes that a callback is refused because the address or the secret at Sinch is another one than here. Its source is
    /// allowed, so it is not the internet's noise; a request that is no POST is no callback.
    fn note_refusal(&self, reason: Refusal, method: &Method, project: Option<&Id>) {
        let refusal = if reason == Refusal::Signature {
            CallbackRefusal::Signature
        } else if reason == Refusal::Path && method == Method::POST {
            CallbackRefusal::Path
        } else {
            return;
        };
        self.metrics
            .callback_refused(refusal, project, clock::now());
    }

    /// Returns the addresses from which a request comes.
    fn caller(&self, head: &Parts) -> Caller {
        let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(peer)| peer.ip().to_canonical());
        let source = peer.and_then(|peer| self.settings.sources.source(peer, &head.headers));
        Caller { peer, source }
    }

    /// Checks a callback from an allowed source, and stores it on disk.
    async fn receive(
        &self,
        route: Option<&CallbackRoute>,
        key: Option<CallbackKey>,
        head: &Parts,
        body: &mut Incoming,
    ) -> Result<Accepted, Refused> {
        let not_found = || (Refusal::Path, Problem::new(StatusCode::NOT_FOUND));
        let route = route.ok_or_else(not_found)?;
        check_method(&head.method)?;
        check_size(&head.headers, self.settings.body_max_bytes)?;
        check_encoding(&head.headers)?;
        // This check comes before the costly ones: with too much to do already, a refusal must cost next to nothing.
        if self.store.is_full() {
            return Err(unavailable());
        }
        let body = read_body(body, &self.settings).await?;
        check_signature(&head.headers, &body, route)?;
        self.store_delivery(body, &route.project, key).await
    }

    /// Warns of a callback's unreadable time stamp. If Sinch changes the form of its time stamps, events can no longer
    /// be put in order.
    fn warn_of_timestamp(&self, project: &Id, timestamp: &str) {
        if let Some(left_out) = self.metrics.unreadable_timestamp(project, clock::now()) {
            let timestamp = redact::redacted(timestamp);
            tracing::warn!(
                %project,
                %timestamp,
                left_out,
                "a callback's time stamp cannot be read: the event is kept, but cannot be put in order"
            );
        }
    }

    /// Stores a genuine callback. Only the store itself can still refuse it.
    async fn store_delivery(
        &self,
        body: Bytes,
        project: &Id,
        callback_key: Option<CallbackKey>,
    ) -> Result<Accepted, Refused> {
        let callback = callback::read(&body, project);
        let subject = match callback.content {
            Content::Order {
                order,
                status,
                said_at,
                unreadable_timestamp,
            } => {
                if let Some(timestamp) = unreadable_timestamp {
                    self.warn_of_timestamp(project, &timestamp);
                }
                DeliveryContent::Order {
                    order,
                    status,
                    said_at,
                }
            }
            Content::Other(event) => DeliveryContent::Other(event),
            Content::NotUnderstood(reason) => {
                let text = reason.to_string();
                let text = redact::redacted(&text);
                tracing::warn!(%project, reason = reason.code(), %text, "parked: a genuine callback was not understood");
                DeliveryContent::NotUnderstood(reason)
            }
        };
        let delivery = NewDelivery {
            callback_key,
            project: project.clone(),
            event_id: callback.event_id.clone(),
            subject,
            received_at: clock::now(),
            body,
        };
        match self.store.accept(delivery).await {
            Ok(accepted) => {
                if accepted == Accepted::Conflict {
                    let event = redact::peer_text(callback.event_id.as_deref().unwrap_or_default());
                    tracing::warn!(%project, event, "the same event came with another body; both are kept");
                }
                Ok(accepted)
            }
            Err(error) => {
                tracing::debug!(%error, "the store could not accept a callback");
                Err(unavailable())
            }
        }
    }
}

fn unavailable() -> Refused {
    (Refusal::Store, Problem::unavailable())
}

fn too_large(max: usize) -> Refused {
    let detail = format!("the body may have at most {max} bytes");
    (
        Refusal::Size,
        Problem::with_detail(StatusCode::PAYLOAD_TOO_LARGE, detail),
    )
}

fn check_method(method: &Method) -> Result<(), Refused> {
    if method == Method::POST {
        return Ok(());
    }
    let post = HeaderValue::from_static("POST");
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, post);
    Err((Refusal::Method, problem))
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

/// Refuses a callback with an encoded body. The signature is over the raw body, and Sinch sends it plain. An empty
/// header names no coding.
fn check_encoding(headers: &HeaderMap) -> Result<(), Refused> {
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

async fn read_body(body: &mut Incoming, settings: &Settings) -> Result<Bytes, Refused> {
    let limited = Limited::new(body, settings.body_max_bytes).collect();
    match tokio::time::timeout(settings.body_timeout, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(settings.body_max_bytes)),
        // The peer broke off, or speaks broken HTTP, and will hardly read the response.
        Ok(Err(_)) => Err((Refusal::Body, Problem::new(StatusCode::BAD_REQUEST))),
        Err(_) => Err((Refusal::Body, Problem::new(StatusCode::REQUEST_TIMEOUT))),
    }
}

/// Requires that a callback have exactly one signature, by one of the project's secrets. The response does not say if
/// the header or the signature is wrong.
fn check_signature(headers: &HeaderMap, body: &[u8], route: &CallbackRoute) -> Result<(), Refused> {
    let Some(secrets) = &route.secrets else {
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
