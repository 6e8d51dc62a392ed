//! The cure: what was refused is admitted once the secret or the address is mended.

use serde_json::{Value, json};
use testkit::{PATH, PROJECT, Request, SECRET, UNALLOWED, event, now, until};

use super::{OTHER_SECRET, callback, kept, nothing_secret_is_shown, reload, send_from};
use crate::operating::{ATTENTION, Place};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn what_a_wrong_secret_refused_is_admitted_in_one_command() {
    let orders = ["o1", "o2", "o3"];
    let place = Place::new(&orders, |settings| {
        let settings = settings.fix_addresses();
        settings.set_project("secrets", json!([OTHER_SECRET]))
    })
    .await;
    let service = &place.service;
    let callbacks: Vec<Request> = orders
        .iter()
        .map(|order| callback(SECRET, &format!("e-{order}"), order))
        .collect();
    for callback in &callbacks {
        for _ in 0..2 {
            service
                .send(callback)
                .await
                .assert_refusal(401, "a wrong signature");
        }
    }
    kept(service, 3).await;
    let listed = until("both of each", async || {
        let listed = service.list("/api/v1/quarantine").await;
        listed.iter().all(|row| row["times"] == 2).then_some(listed)
    })
    .await;
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(
        listed
            .iter()
            .all(|row| row["reason"] == "wrong-signature" && row["source"] == "127.0.0.1"),
        "{listed:?}"
    );
    let said = place.run(ATTENTION, &["status"]).await;
    assert!(
        said.contains("3 callbacks were refused and are perhaps genuine"),
        "{said}"
    );
    assert!(said.contains("sinch-callbacks reverify"), "{said}");
    let said = place.run(0, &["quarantine"]).await;
    assert!(
        said.contains("o2") && said.contains("wrong-signature"),
        "{said}"
    );
    let all = place.json(0, &["quarantine", "--project", PROJECT]).await;
    assert_eq!(all["callbacks"].as_array().map(Vec::len), Some(3), "{all}");

    // Nothing is mended yet.
    let done = place.json(0, &["reverify"]).await;
    assert_eq!(
        (&done["admitted"], &done["refused"]["wrong-signature"]),
        (&json!(0), &json!(3))
    );
    let mended = place
        .settings
        .clone()
        .set_project("secrets", json!([SECRET]));
    reload(service, &mended).await;
    let counted = place.json(0, &["reverify", "--dry-run"]).await;
    assert_eq!(
        (&counted["admitted"], &counted["dry_run"]),
        (&json!(3), &json!(true))
    );
    let none = place
        .json(0, &["reverify", "--reason", "unknown-source"])
        .await;
    assert_eq!(none["admitted"], 0, "{none}");
    assert_eq!(service.list("/api/v1/quarantine").await.len(), 3);
    assert_eq!(service.order("o1").await, Value::Null);

    // One of them comes again by itself before the others are admitted.
    assert_eq!(service.send(&callbacks[0]).await.status, 200);
    let done = place.json(0, &["reverify"]).await;
    assert_eq!(
        (&done["admitted"], &done["duplicates"]),
        (&json!(2), &json!(1)),
        "{done}"
    );
    for order in orders {
        let order = service.settles(order, "COMPLETED").await;
        assert_eq!(
            order["deliveries"].as_array().map(Vec::len),
            Some(1),
            "{order}"
        );
    }
    assert_eq!(
        place.run(0, &["quarantine"]).await,
        "Nothing is in quarantine."
    );
    let done = place.json(0, &["reverify"]).await;
    assert_eq!(
        (&done["admitted"], &done["duplicates"]),
        (&json!(0), &json!(0)),
        "{done}"
    );
    nothing_secret_is_shown(service, &callbacks).await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn a_new_address_of_sinchs_is_an_alert_and_what_it_sent_is_admitted() {
    let place = Place::new(&["o1", "o2"], |settings| {
        settings
            .fix_addresses()
            .set("callbacks.allow", json!(["127.0.0.1"]))
    })
    .await;
    let service = &place.service;
    let genuine = callback(SECRET, "e1", "o1");
    let answer = send_from(service, UNALLOWED, &genuine).await;
    // Whatever is sent, the answer is the same.
    let forged = callback(OTHER_SECRET, "e8", "o8");
    let elsewhere = Request::signed("/other", SECRET, event("e9", "o9", "COMPLETED", now()));
    let get = Request::new("GET", PATH);
    for other in [&forged, &elsewhere, &get] {
        let other = send_from(service, UNALLOWED, other).await;
        assert_eq!(other.timeless(), answer.timeless());
    }
    answer.assert_refusal(403, "an unknown source");
    kept(service, 1).await;
    // A body in pieces is one as well. The forged ones came before, so they would be there by now.
    let second = callback(SECRET, "e2", "o2");
    let chunked = second.clone().header("Transfer-Encoding", "chunked");
    let body = event("e2", "o2", "COMPLETED", now());
    let (start, end) = body.split_at(20);
    let signed = Request::signed(PATH, SECRET, body.clone()).head();
    let signature = signed
        .lines()
        .find(|line| line.starts_with("X-Sinch"))
        .expect("a signature");
    let head = chunked.head();
    let old = head
        .lines()
        .find(|line| line.starts_with("X-Sinch"))
        .expect("a signature");
    let head = head.replace(old, signature);
    let pieces = format!(
        "{head}14\r\n{start}\r\n{:x}\r\n{end}\r\n0\r\n\r\n",
        end.len()
    );
    service
        .send_unallowed(pieces)
        .await
        .assert_refusal(403, "an unknown source");
    let listed = kept(service, 2).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    for (row, order) in listed.iter().zip(["o1", "o2"]) {
        assert_eq!(
            (&row["order"], &row["source"]),
            (&json!(order), &json!("127.0.0.9"))
        );
        assert_eq!(row["reason"], "unknown-source");
    }
    let fires = async || {
        let status = service.status().await;
        let alerts = status["service_alerts"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let found = alerts
            .into_iter()
            .find(|one| one["alert"]["code"] == "unknown-source");
        found.map(|one| one["alert"]["text"].to_string())
    };
    let text = until("the alert", fires).await;
    assert!(text.contains("127.0.0.9"), "{text}");
    let done = place.json(0, &["reverify"]).await;
    assert_eq!(
        (&done["admitted"], &done["refused"]["unknown-source"]),
        (&json!(0), &json!(2))
    );

    let allowed = json!(["127.0.0.1", "127.0.0.9"]);
    let mended = place.settings.clone().set("callbacks.allow", allowed);
    reload(service, &mended).await;
    let said = place.run(0, &["reverify"]).await;
    assert_eq!(said, "2 callbacks are admitted");
    for order in ["o1", "o2"] {
        service.settles(order, "COMPLETED").await;
    }
    until("the end of the alert", async || {
        fires().await.is_none().then_some(())
    })
    .await;
    nothing_secret_is_shown(service, &[genuine]).await;
}
