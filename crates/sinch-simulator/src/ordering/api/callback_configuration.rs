//! Callback configuration: get, and update of the secret with which callbacks are signed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::{Api, Call, Done, Request, read};
use crate::lock;

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/callbackConfiguration";
    Router::new().route(path, on_get(get).patch(update))
}

async fn get(
    State(api): State<Arc<Api>>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::GetCallbackConfiguration,
        project: &project,
        headers: &headers,
    };
    let act = |_: &mut _, _| Ok(Done::Json(shown(&api, &project)));
    request.play(act).await
}

async fn update(
    State(api): State<Arc<Api>>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::UpdateCallbackConfiguration,
        project: &project,
        headers: &headers,
    };
    let act = |_: &mut _, _| {
        let body = read(&body)?;
        let secret = body.get("hmacSecret").and_then(Value::as_str);
        let secret = secret.filter(|secret| is_allowed(secret)).ok_or_else(|| {
            let rule = "must have 32 to 64 characters: letters, digits, hyphens";
            Refusal::of_field("hmacSecret", rule)
        })?;
        *lock(&api.handler.shared.secret) = SecretString::from(secret);
        Ok(Done::Json(shown(&api, &project)))
    };
    request.play(act).await
}

fn shown(api: &Api, project: &str) -> Value {
    let secret = lock(&api.handler.shared.secret);
    json!({"projectId": project, "hmacSecret": secret.expose_secret()})
}

/// Sinch's rule for new secrets, by its documentation.
fn is_allowed(secret: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (32..=64).contains(&secret.len()) && secret.bytes().all(is_plain)
}
