//! Calls of the ordering side over HTTP: a file for each resource. Here stands what all of them share.

mod active_numbers;
mod attachments;
mod available_numbers;
mod callback_configuration;
mod orders;
mod query;
mod regions;
mod registration;
mod requirements;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{Full, Limited};
use serde_json::Value;

use super::Ordering;
use super::faults::{Fault, Silence};
use super::model::Model;
use super::readings::{Readings, RetryAfter, Tokens, TooLarge};
use super::record::PlayedCall;
use super::refusal::{Refusal, Resource};
use super::wire::{self, ErrorBody};
use crate::api::ApiHandler;
use crate::lock;
use number_order::Time;
use sinch_numbers::api::Call;

/// Number of calls for which a short-lived token is good.
const SHORT_LIFE: usize = 4;

/// State that all calls of the ordering side share.
struct Api {
    handler: Arc<ApiHandler>,
    ordering: Arc<Ordering>,
}

/// Routes of all calls but that for a token.
pub(crate) fn router(handler: Arc<ApiHandler>, ordering: Arc<Ordering>) -> Router {
    Router::new()
        .merge(regions::routes())
        .merge(available_numbers::routes())
        .merge(requirements::routes())
        .merge(orders::routes())
        .merge(registration::routes())
        .merge(attachments::routes())
        .merge(active_numbers::routes())
        .merge(callback_configuration::routes())
        .with_state(Arc::new(Api { handler, ordering }))
}

/// Answer to a call that was done.
enum Done {
    Json(Value),
    /// The answer is an object, with another status than 200.
    WithStatus(StatusCode, Value),
    /// The answer has no body.
    Empty,
}

type Answer = Result<Done, Refusal>;

/// Request of a client, all but its query and its body.
struct Request {
    api: Arc<Api>,
    headers: HeaderMap,
    /// Parameters in the path of the request, by the names that the route gives them.
    params: HashMap<String, String>,
}

impl FromRequestParts<Arc<Api>> for Request {
    type Rejection = PathRejection;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, PathRejection> {
        let Path(params) = Path::from_request_parts(parts, api).await?;
        Ok(Request {
            api: api.clone(),
            headers: parts.headers.clone(),
            params,
        })
    }
}

impl Request {
    /// Returns a parameter in the path of the request.
    fn param(&self, name: &str) -> &str {
        let param = self.params.get(name);
        param.expect("the route has a parameter of this name")
    }

    fn project(&self) -> &str {
        self.param("project")
    }

    /// Answers the call that the request is, with the fault that the call meets. `act` does the call, unless the fault
    /// prevents it.
    async fn play_call(
        &self,
        call: Call,
        act: impl FnOnce(&mut Model, Time) -> Answer + Send,
    ) -> Response {
        let Api { handler, ordering } = &*self.api;
        let readings = ordering.readings();
        if let Some(response) = handler.outage().await {
            return ordering.record_answer(call, None, Some(response));
        }
        if let Some(refused) = self.refuse_early(&readings) {
            return ordering.record_answer(call, None, Some(refused));
        }
        let fault = ordering.next_fault(call);
        let response = match fault {
            None => Some(ordering.do_call(act)),
            Some(Fault::RequestLost(silence)) => return self.no_answer(call, fault, silence).await,
            Some(Fault::AnswerLost(silence)) => {
                ordering.do_call(act);
                return self.no_answer(call, fault, silence).await;
            }
            Some(Fault::AnswerBroken(status)) => {
                ordering.do_call(act);
                Some(error_answer(wire::failure(status, &readings)))
            }
            Some(Fault::Broken(status)) => Some(error_answer(wire::failure(status, &readings))),
            Some(Fault::Forbidden) => Some(error_answer(wire::forbidden())),
            Some(Fault::Throttled) => Some(throttled_answer(&readings)),
            Some(Fault::Unauthorized) => {
                handler.withdraw_token(&self.headers);
                Some(unauthorized_answer(&readings))
            }
        };
        ordering.record_answer(call, fault, response)
    }

    /// Refuses a call that has a bad token, or is about another project.
    fn refuse_early(&self, readings: &Readings) -> Option<Response> {
        let handler = &self.api.handler;
        if !handler.is_authorized(&self.headers) {
            return Some(unauthorized_answer(readings));
        }
        if readings.tokens == Tokens::Short && handler.wears_out(&self.headers, SHORT_LIFE) {
            return Some(unauthorized_answer(readings));
        }
        if self.project() == handler.shared.world.project().as_str() {
            return None;
        }
        let resource = Resource::CallbackConfiguration;
        let refusal = Refusal::missing(resource, self.project());
        Some(error_answer(wire::refusal(&refusal)))
    }

    async fn no_answer(&self, call: Call, fault: Option<Fault>, silence: Silence) -> Response {
        let Api { handler, ordering } = &*self.api;
        let response = ordering.record_answer(call, fault, None);
        if silence == Silence::Hang {
            handler.shared.stop.cancelled().await;
        }
        response
    }
}

impl Ordering {
    fn next_fault(&self, call: Call) -> Option<Fault> {
        let rates = lock(&self.model).script.faults.clone();
        lock(&self.faults).next(call, &rates)
    }

    /// Does a call, after every event that was due before it.
    fn do_call(&self, act: impl FnOnce(&mut Model, Time) -> Answer) -> Response {
        let (answer, readings) = {
            let mut model = lock(&self.model);
            let now = self.now();
            model.advance(now);
            let answer = act(&mut model, now);
            (answer, model.script.readings.clone())
        };
        self.changed.notify_one();
        match answer {
            Ok(Done::Json(body)) => json_answer(StatusCode::OK, body.to_string()),
            Ok(Done::WithStatus(status, body)) => json_answer(status, body.to_string()),
            Ok(Done::Empty) => StatusCode::OK.into_response(),
            Err(Refusal::TooLarge) if readings.too_large == TooLarge::Html => {
                error_answer(wire::too_large_page())
            }
            Err(refusal) => error_answer(wire::refusal(&refusal)),
        }
    }

    /// Records a call and its answer. Without an answer, the connection is closed.
    fn record_answer(
        &self,
        call: Call,
        fault: Option<Fault>,
        response: Option<Response>,
    ) -> Response {
        let status = response.as_ref().map(|response| response.status().as_u16());
        lock(&self.record).calls.push(PlayedCall {
            call,
            fault,
            status,
        });
        response.unwrap_or_else(closed_connection)
    }
}

/// Returns a response of which not a byte is sent: its body fails before its head is out, and the server closes the
/// connection.
fn closed_connection() -> Response {
    let longer_than_allowed = Full::new(Bytes::from_static(b"lost"));
    Response::new(Body::new(Limited::new(longer_than_allowed, 1)))
}

fn json_answer(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn error_answer(error: ErrorBody) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if error.is_page {
        "text/html"
    } else {
        "application/json"
    };
    (status, [(header::CONTENT_TYPE, kind)], error.text).into_response()
}

fn unauthorized_answer(readings: &Readings) -> Response {
    let challenge = "Bearer error=\"invalid_token\", error_description=\"Jwt expired\"";
    let headers = [(header::WWW_AUTHENTICATE, challenge)];
    (headers, error_answer(wire::unauthorized(readings))).into_response()
}

fn throttled_answer(readings: &Readings) -> Response {
    let response = error_answer(wire::throttled(readings));
    match readings.retry_after {
        RetryAfter::Sent => ([(header::RETRY_AFTER, "1")], response).into_response(),
        RetryAfter::Missing => response,
    }
}

/// Reads the JSON body of a call.
fn read_json(body: &[u8]) -> Result<Value, Refusal> {
    let read: Option<Value> = serde_json::from_slice(body).ok();
    read.filter(Value::is_object).ok_or(Refusal::Unreadable)
}
