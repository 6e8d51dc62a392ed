//! Calls about the callback configuration: get, and update of the secret with which callbacks are signed.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::{Api, Call, Done, Request, read_json};
use crate::lock;

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/callbackConfiguration";
    Router::new().route(path, on_get(get_configuration).patch(update_configuration))
}

async fn get_configuration(request: Request) -> Response {
    let act = |_: &mut _, _| Ok(Done::Json(configuration_body(&request)));
    request.play_call(Call::GetCallbackConfiguration, act).await
}

async fn update_configuration(request: Request, body: Bytes) -> Response {
    let act = |_: &mut _, _| {
        let body = read_json(&body)?;
        let secret = body.get("hmacSecret").and_then(Value::as_str);
        let secret = secret
            .filter(|secret| is_allowed_secret(secret))
            .ok_or_else(|| {
                let rule = "must have 32 to 64 characters: letters, digits, hyphens";
                Refusal::of_field("hmacSecret", rule)
            })?;
        *lock(&request.api.handler.shared.secret) = SecretString::from(secret);
        Ok(Done::Json(configuration_body(&request)))
    };
    request
        .play_call(Call::UpdateCallbackConfiguration, act)
        .await
}

fn configuration_body(request: &Request) -> Value {
    let secret = lock(&request.api.handler.shared.secret);
    json!({"projectId": request.project(), "hmacSecret": secret.expose_secret()})
}

/// Returns `true` if Sinch's documentation allows a new secret.
fn is_allowed_secret(secret: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (32..=64).contains(&secret.len()) && secret.bytes().all(is_plain)
}
