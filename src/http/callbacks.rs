//! `POST /callbacks`: the answer contract.
//!
//! The checks come in this order: source, path and method, size and encoding, room in the store, signature, body. The
//! first four touch neither body nor database. A callback that passes the signature check is genuine, and is never
//! refused for what it says: a callback that cannot be understood is stored and parked. See `docs/answers.md` for each
//! row and its reason.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tower::service_fn;

pub use super::callback_checks::{CallbackRoute, Settings};
use super::callback_checks::{
    Refused, check_encoding, check_method, check_signature, check_size, too_large,
};
use super::delivery::{self, ReadDelivery};
use super::examination::{Examiner, can_follow};
use super::problem::Problem;
use super::quarantine::{Doubtful, Quarantine};
use super::refused_request::{Caller, RefusedRequest};
use super::server::HttpService;
use super::traced::Received;
use super::unread_body;
use crate::clock;
use crate::metrics::{Metrics, Refusal};
use crate::redact;
use crate::store::{Accepted, DeliveryContent, QuarantineReason, Store};
use crate::traces::Traces;
use notifications::CallbackRefusal;
use number_order::{CallbackKey, Id};

/// Handler that checks requests on the callback listener and stores the callbacks.
struct CallbackHandler {
    settings: Arc<Settings>,
    store: Store,
    quarantine: Quarantine,
    examiner: Option<Arc<Examiner>>,
    metrics: Arc<Metrics>,
    traces: Traces,
}

/// Returns the callback listener's service. It is not a router: a path leads to a project and to nothing else. So the
/// whole contract is in one place, in the order of its checks. What is refused and passes one of the two checks is handed
/// over to the quarantine; the other way round than by a wrong signature only if there is an examiner.
pub fn service(
    settings: Arc<Settings>,
    store: Store,
    quarantine: Quarantine,
    examiner: Option<Arc<Examiner>>,
    metrics: Arc<Metrics>,
    traces: Traces,
) -> impl HttpService {
    let handler = Arc::new(CallbackHandler {
        settings,
        store,
        quarantine,
        examiner,
        metrics,
        traces,
    });
    service_fn(move |request: Request<Incoming>| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
    })
}

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
            } = &*self.settings;
            refused.report(reason, routes.keys(), *body_max_bytes, &self.metrics);
        };
        // Every source that is not allowed gets the same bytes for any request.
        if !self.settings.sources.allows(caller.source) {
            report(Refusal::Source, StatusCode::FORBIDDEN, None);
            self.examine(caller, head, body);
            return unread_body::close(Problem::new(StatusCode::FORBIDDEN).into_response());
        }
        let (route, key) = self.settings.route(head.uri.path());
        let project = route.map(|route| &route.project);
        match self.receive(route, key, caller, &head, &mut body).await {
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

    /// Has a request from a source that is not allowed examined, beside its response.
    fn examine(&self, caller: Caller, head: Parts, body: Incoming) {
        let (Some(examiner), Caller { peer, source, .. }) = (&self.examiner, caller) else {
            return;
        };
        // A source that a proxy does not name can never be allowed later.
        let Some((peer, source)) = peer.zip(source) else {
            return;
        };
        if can_follow(&head.headers)
            && let Some(examination) = examiner.begin(source)
        {
            tokio::spawn(examination.of_request(peer, head, body));
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
        let is_unnamed = source.is_some_and(|source| self.settings.sources.is_proxy(source));
        Caller {
            peer,
            source,
            is_unnamed,
        }
    }

    /// Checks a callback from an allowed source, and stores it on disk.
    async fn receive(
        &self,
        route: Option<&CallbackRoute>,
        key: Option<CallbackKey>,
        caller: Caller,
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
        match check_signature(&head.headers, &body, route) {
            Ok(None) => {}
            Ok(Some(secret)) => {
                let secrets = self.metrics.secrets();
                secrets.verified(&route.project, secret, clock::now());
            }
            Err(refused) => {
                if let Some((peer, source)) = caller.peer.zip(caller.source) {
                    self.quarantine.hand_over(Doubtful {
                        reason: QuarantineReason::WrongSignature,
                        route,
                        key,
                        head,
                        peer,
                        source,
                        body,
                    });
                }
                return Err(refused);
            }
        }
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
        let ReadDelivery {
            delivery,
            unreadable_timestamp,
        } = delivery::read(project.clone(), callback_key, clock::now(), body);
        if let Some(timestamp) = unreadable_timestamp {
            self.warn_of_timestamp(project, &timestamp);
        }
        if let DeliveryContent::NotUnderstood(reason) = &delivery.subject {
            let text = reason.to_string();
            let text = redact::redacted(&text);
            tracing::warn!(%project, reason = reason.code(), %text, "parked: a genuine callback was not understood");
        }
        let event_id = delivery.event_id.clone();
        let received = self.traces.is_on().then(|| Received::note(&delivery));
        match self.store.accept(delivery).await {
            Ok(accepted) => {
                if let Some(received) = received {
                    self.traces.record(|| received.span(accepted, clock::now()));
                }
                if accepted == Accepted::Conflict {
                    let event = redact::peer_text(event_id.as_deref().unwrap_or_default());
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
