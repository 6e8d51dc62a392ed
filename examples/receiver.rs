//! receiver.rs, with axum, `serde_json`, standardwebhooks and tokio: `WEBHOOK_SECRET=whsec_… cargo run --example receiver`

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use serde_json::Value;
use standardwebhooks::Webhook;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let webhook = Arc::new(Webhook::new(&std::env::var("WEBHOOK_SECRET")?)?);
    let receive = async move |headers: HeaderMap, body: Bytes| {
        if webhook.verify(&body, &headers).is_err() {
            return StatusCode::UNAUTHORIZED;
        }
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (order, state) = (text(&event["data"]["order"]), text(&event["data"]["state"]));
        // Store it here, once for each webhook-id: 204 says that it is safe with you.
        println!("{} {order} {state}", text(&event["type"]));
        StatusCode::NO_CONTENT
    };
    let port = std::env::var("PORT").map_or(Ok(8080), |port| port.parse::<u16>())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, Router::new().route("/hooks", post(receive))).await?;
    Ok(())
}
