//! The record of actions: what it keeps of a request, and what is refused because it could be read in two ways.

use serde_json::{Value, json};

use sinch_callbacks::clock;
use sinch_simulator::World;
use testkit::{PROJECT, Request, Service, Settings, event, folder, id, play};

/// Digits in every telephone number of these tests.
const DIGITS: &str = "491570156";

async fn actions(service: &Service) -> Vec<Value> {
    let listed = service.get("/api/v1/actions").await.json();
    listed["items"].as_array().expect("a list").clone()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each request")]
async fn the_record_of_actions_has_no_telephone_number_and_no_token() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let (_simulator, settings) = play(World::from_orders(id(PROJECT), []), settings).await;
    let service = Service::start(&settings).await;
    let number = json!({"region": "AU", "type": "MOBILE", "number": 61_491_570_156_u64});
    let count = json!({"dry_run": true}).to_string();
    let orders = format!("/api/v1/orders/{PROJECT}");
    let placement = format!("/api/v1/placements/{PROJECT}/form-c");
    let bulk = format!("/api/v1/bulk/orders/fetch?region=%2B61{DIGITS}&dry_run=true");
    for (method, path, body, status) in [
        ("PUT", placement, number.to_string(), 422),
        (
            "POST",
            format!("{orders}/%2B61{DIGITS}/fetch"),
            String::new(),
            404,
        ),
        (
            "POST",
            format!("{orders}/+61-491-570-156/forget"),
            count,
            404,
        ),
        ("PUT", format!("{orders}/+61{DIGITS}"), String::new(), 422),
        (
            "POST",
            format!("/api/v1/targets/+61{DIGITS}/test"),
            json!({"type": "order.completed", (DIGITS): DIGITS}).to_string(),
            422,
        ),
        ("POST", bulk, String::new(), 200),
    ] {
        let request = Request::new(method, &path).carrying(body);
        let answer = service.send_to_operators(&request).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    let recorded = actions(&service).await;
    assert_eq!(recorded.len(), 6, "{recorded:?}");
    for action in &recorded {
        let text = action.to_string();
        let is_masked = text.contains("(a number)") || text.contains("%28a+number%29");
        assert!(is_masked, "{text}");
    }
    let text = Value::from(recorded).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(!digits.contains(DIGITS), "{text}");

    for (path, unknown) in [
        ("/api/v1/reload".to_owned(), "token=s3cret"),
        (format!("{orders}/o1/fetch"), "note=%2B12015550119"),
        (
            "/api/v1/bulk/orders/fetch".to_owned(),
            "all=true&dry_run=true&note=1",
        ),
    ] {
        let request = Request::new("POST", &format!("{path}?{unknown}"));
        let answer = service.send_to_operators(&request).await;
        answer.assert_refusal(400, unknown);
        assert!(
            answer.timeless().contains("no such parameter"),
            "{answer:?}"
        );
    }
    assert_eq!(
        actions(&service).await.len(),
        6,
        "what is refused before is not recorded"
    );
}

#[tokio::test]
async fn a_row_is_named_by_plain_digits_and_stays_in_the_record() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    assert_eq!(service.get("/api/v1/deliveries/1").await.status, 200);
    for id in ["+1", "01", "-1", "1.0", "%2B1"] {
        let path = format!("/api/v1/deliveries/{id}");
        let answer = service.get(&path).await;
        answer.assert_refusal(404, &path);
    }
    let path = "/api/v1/deliveries/12345678/dismiss";
    let answer = service.send_to_operators(&Request::new("POST", path)).await;
    answer.assert_refusal(404, path);
    assert_eq!(actions(&service).await[0]["path"], path);
}

#[tokio::test]
async fn what_is_said_twice_is_refused() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let path = format!("/api/v1/orders/{PROJECT}/o1/forget");
    let body = r#"{"dry_run": true, "dry_run": false}"#;
    let request = Request::new("POST", &path).carrying(body.to_owned());
    let answer = service.send_to_operators(&request).await;
    answer.assert_refusal(422, body);
    assert!(answer.timeless().contains("written twice"), "{answer:?}");
}
