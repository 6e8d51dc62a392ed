//! The sender's parts against receivers that misbehave, and the sender itself on a real database.

mod command;
mod hostile;
mod sending;
mod ssrf;

use std::time::Duration;

use ipnet::IpNet;
use notifications::{Attempt, Content, Format, SigningKey};
use testkit::TARGET_SECRET;

use super::http::Endpoint;

/// Id of the event in these tests.
const EVENT: &str = "evt_0123456789abcdef";

fn content() -> Content {
    Format::Json.render(r#"{"type":"order.completed"}"#, EVENT, "x")
}

fn nets(allow: &[&str]) -> Vec<IpNet> {
    let nets = allow.iter().map(|text| text.parse().expect("a network"));
    nets.collect()
}

/// Tells the URL an event, with these networks allowed.
async fn post(url: &str, allow: &[&str], timeout: Duration) -> Attempt {
    let keys = vec![SigningKey::new(TARGET_SECRET).expect("a key")];
    let endpoint = Endpoint::new(url, keys, nets(allow), 2, timeout).expect("a client");
    endpoint.post(EVENT, content()).await
}
