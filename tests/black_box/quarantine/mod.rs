//! Callbacks that were refused and are perhaps genuine: they are kept, within bounds, and admitted once both checks pass.

mod admitted;
mod kept;
mod unknown_sources;

use std::net::Ipv4Addr;

use serde_json::Value;
use testkit::{Answer, PATH, Request, SECRET, Service, Settings, Signal, event, now, until};

const OTHER_SECRET: &str = "another-secret-3vq8zt-5m0xw2";

fn callback(secret: &str, event_id: &str, order: &str) -> Request {
    Request::signed(PATH, secret, event(event_id, order, "COMPLETED", now()))
}

/// Waits until this number of callbacks is in quarantine, and returns them.
async fn kept(service: &Service, callbacks: usize) -> Vec<Value> {
    until("the quarantine", async || {
        let listed = service.list("/api/v1/quarantine").await;
        (listed.len() >= callbacks).then_some(listed)
    })
    .await
}

/// Sends from a source that is not allowed: it has one second for its first byte, which can run out on a busy machine.
async fn send_from(service: &Service, from: Ipv4Addr, request: &Request) -> Answer {
    until("an answer", async || {
        service.try_send_from(from, request).await
    })
    .await
}

/// Has the service go over to other settings.
async fn reload(service: &Service, settings: &Settings) {
    let count = || {
        let lines = service.lines();
        lines
            .iter()
            .filter(|line| line.contains("\"reloaded\""))
            .count()
    };
    let before = count();
    settings.write();
    service.signal(Signal::HUP);
    until("the reload", async || (count() > before).then_some(())).await;
    service.is_ready().await;
}

/// Asserts that nobody learns a signature or a secret from what the service says.
async fn nothing_secret_is_shown(service: &Service, callbacks: &[Request]) {
    let listed = service.get("/api/v1/quarantine").await.timeless();
    let status = service.status().await.to_string();
    for said in [listed, status, service.said()] {
        for callback in callbacks {
            let head = callback.head();
            let signature = head
                .lines()
                .find_map(|line| line.strip_prefix("X-Sinch-Signature: "));
            let signature = signature.expect("is signed");
            assert!(!said.contains(signature), "{said}");
        }
        assert!(
            !said.contains(SECRET) && !said.contains(OTHER_SECRET),
            "{said}"
        );
    }
}
