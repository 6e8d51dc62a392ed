//! Address of the caller when proxies forward requests.

use std::net::Ipv4Addr;

use serde_json::json;
use sinch_callbacks::clock;

use testkit::{PATH, Request, SECRET, Service, Settings, event, folder, until};

const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER_PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const ALLOWED: Ipv4Addr = Ipv4Addr::LOCALHOST;
const UNALLOWED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set(
            "callbacks.allow",
            json!(["127.0.0.1", "54.76.19.159", "2001:db8::/32"]),
        )
        .set("callbacks.trusted_proxies", json!(["127.0.0.2/31"]));
    let service = Service::start(&settings).await;
    let mut refused = 0;
    for (peer, lines, expected) in [
        // The caller is the address that the proxy names.
        (PROXY, vec!["54.76.19.159"], 200),
        (PROXY, vec!["54.76.19.159:4711"], 200),
        (PROXY, vec![" 54.76.19.159 "], 200),
        (PROXY, vec!["::ffff:54.76.19.159"], 200),
        (PROXY, vec!["[2001:db8::7]:443"], 200),
        (PROXY, vec!["2001:db8::7"], 200),
        (PROXY, vec!["54.76.19.160"], 403),
        (PROXY, vec!["2001:db9::7"], 403),
        // A proxy that names no address speaks for itself.
        (PROXY, vec![], 403),
        // Entries to the left of an untrusted one were written by the caller.
        (PROXY, vec!["203.0.113.9, 54.76.19.159"], 200),
        (PROXY, vec!["rubbish, 54.76.19.159"], 200),
        (PROXY, vec!["54.76.19.159, 203.0.113.9"], 403),
        (PROXY, vec!["54.76.19.159", "203.0.113.9"], 403),
        (PROXY, vec!["203.0.113.9", "54.76.19.159"], 200),
        // One trusted proxy behind another.
        (PROXY, vec!["54.76.19.159, 127.0.0.3"], 200),
        (PROXY, vec!["54.76.19.159", "127.0.0.3:80"], 200),
        (OTHER_PROXY, vec!["54.76.19.159, 127.0.0.2"], 200),
        (PROXY, vec!["54.76.19.159, 127.0.0.9"], 403),
        // An entry that cannot be read names no caller.
        (PROXY, vec![""], 403),
        (PROXY, vec!["unknown"], 403),
        (PROXY, vec!["54.76.19.159,"], 403),
        (PROXY, vec!["54.76.19"], 403),
        (PROXY, vec!["54.76.19.159:port"], 403),
        (PROXY, vec!["54.76.19.159 54.76.19.159"], 403),
        // The header of a peer that is no trusted proxy is ignored, whatever it says.
        (UNALLOWED, vec!["54.76.19.159"], 403),
        (UNALLOWED, vec!["127.0.0.1, 127.0.0.2"], 403),
        (ALLOWED, vec!["203.0.113.9"], 200),
        (ALLOWED, vec!["rubbish"], 200),
    ] {
        let body = event("e1", "o1", "IN_REVIEW", clock::now());
        let mut request = Request::signed(PATH, SECRET, body);
        for line in &lines {
            request = request.header("X-Forwarded-For", line);
        }
        // A source that is not allowed has one second for its first byte, which can run out on a busy machine.
        let answer = until("an answer", async || {
            refused += i64::from(expected == 403);
            service.try_send_from(peer, &request).await
        })
        .await;
        assert_eq!(answer.status, expected, "{peer} {lines:?}");
    }
    assert_eq!(service.refused("source").await, refused);
}

#[tokio::test]
async fn without_trusted_proxies_the_header_means_nothing() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    let request = Request::signed(PATH, SECRET, body).header("X-Forwarded-For", "127.0.0.1");
    for source in [UNALLOWED, PROXY] {
        let answer = until("an answer", async || {
            service.try_send_from(source, &request).await
        });
        assert_eq!(answer.await.status, 403, "{source}");
    }
    assert_eq!(service.send_from(ALLOWED, &request).await.status, 200);
}
