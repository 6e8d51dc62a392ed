//! The journal of the orders that are placed from here, over HTTP.

use serde_json::{Value, json};
use sinch_simulator::World;

use testkit::{PROJECT, Request, Service, Settings, event, folder, id, play, until};

const PUBLIC: &str = "https://callbacks.example.com";

async fn json_of(service: &Service, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let path = format!("/api/v1/placements/{PROJECT}/{path}");
    let request = Request::new(method, &path).header("content-type", "application/json");
    let request = request.carrying(body.to_string());
    let answer = service.send_to_operators(&request).await;
    (answer.status, answer.json())
}

/// A service with the placement `form-1`, and a create whose answer was lost; returns the path of its callbacks too.
async fn lost(settings: &Settings) -> (Service, String) {
    let service = Service::start(settings).await;
    let ordered = json!({"region": "AU", "type": "MOBILE", "number": "+61400000001"});
    let (status, _) = json_of(&service, "PUT", "form-1", &ordered).await;
    assert_eq!(status, 201);
    assert_eq!(json_of(&service, "PUT", "form-1", &ordered).await.0, 200);
    let create = json!({"kind": {"code": "create"}, "available_before": true});
    let (status, begun) = json_of(&service, "POST", "form-1/steps", &create).await;
    assert_eq!(status, 201, "{begun}");
    let url = begun["callback_url"].as_str().expect("a URL");
    let path = url.strip_prefix(PUBLIC).expect("the public URL").to_owned();
    let step = begun["id"].as_i64().expect("a number");
    let unknown = json!({"outcome": "unknown"});
    let (status, placement) =
        json_of(&service, "PATCH", &format!("form-1/steps/{step}"), &unknown).await;
    assert_eq!(
        (status, &placement["standing"]["code"]),
        (200, &json!("may-be-created"))
    );
    let (status, refused) = json_of(&service, "POST", "form-1/steps", &create).await;
    assert_eq!(status, 409, "{refused}");
    (service, path)
}

#[tokio::test]
async fn a_lost_create_is_found_by_the_callback_to_its_own_path() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.public_url", PUBLIC);
    let (simulator, settings) = play(World::from_orders(id(PROJECT), []), settings).await;
    let (service, path) = lost(&settings).await;
    let body = event("e1", "lost-order", "EXPIRED", simulator.started_at());
    let request = Request::signed(&path, testkit::SECRET, body);
    assert_eq!(service.send(&request).await.status, 200);
    // The path of another create, or of none, is genuine too.
    let other = format!("{}{}", &path[..path.len() - 26], "a".repeat(26));
    let body = event("e2", "another-order", "EXPIRED", simulator.started_at());
    let request = Request::signed(&other, testkit::SECRET, body);
    assert_eq!(service.send(&request).await.status, 200);
    let placement = until("the order is found", async || {
        let (_, placement) = json_of(&service, "GET", "form-1", &Value::Null).await;
        (placement["standing"]["code"] == "created").then_some(placement)
    })
    .await;
    assert_eq!(placement["standing"]["fields"]["order"], "lost-order");
    service.order_with("another-order", 1).await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each request")]
async fn what_the_journal_cannot_take_is_refused_in_words() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.public_url", PUBLIC);
    let (_simulator, settings) = play(World::from_orders(id(PROJECT), []), settings).await;
    let service = Service::start(&settings).await;
    let number = json!({"region": "AU", "type": "MOBILE", "number": "+61400000001"});
    let both = json!({"region": "AU", "type": "MOBILE", "number": "+61400000001", "quantity": 2});
    let many = json!({"region": "AU", "type": "MOBILE", "quantity": 101});
    let create = json!({"kind": {"code": "create"}});
    let refused = json!({"outcome": "refused"});
    let succeeded = json!({"outcome": "succeeded", "order": "o1"});
    let telephone = json!({"outcome": "succeeded", "order": "+61400000001"});
    let person = json!({"kind": {"code": "register"}, "name": "Jane"});
    for (method, path, body, status, said) in [
        ("PUT", "Form 1", &number, 400, "reference"),
        ("PUT", "form-1", &both, 422, "either a number or a quantity"),
        ("PUT", "form-1", &many, 422, "from 1 to 100"),
        ("PUT", "form-1", &json!({}), 422, "region"),
        ("POST", "form-2/steps", &create, 404, "nothing was placed"),
        (
            "POST",
            "form-2/steps",
            &person,
            422,
            "there is no such property",
        ),
        ("GET", "form-2", &Value::Null, 404, "nothing was placed"),
        (
            "PATCH",
            "form-2/steps/7",
            &refused,
            404,
            "nothing was placed",
        ),
        ("PUT", "form-3", &number, 201, ""),
        (
            "PATCH",
            "form-3/steps/7",
            &refused,
            404,
            "form-3 has no step 7",
        ),
        ("PATCH", "form-3/steps/x", &refused, 404, "no such step"),
        (
            "PATCH",
            "form-3/steps/7",
            &telephone,
            422,
            "order: \"+61400000001\" is a telephone number",
        ),
        ("POST", "form-3/steps", &create, 201, ""),
        ("PATCH", "form-3/steps/1", &succeeded, 200, ""),
        ("PATCH", "form-3/steps/1", &succeeded, 200, ""),
        (
            "PATCH",
            "form-3/steps/1",
            &refused,
            409,
            "the outcome of this step is known and stays: succeeded",
        ),
    ] {
        let path = path.replace(' ', "%20");
        let (answered, problem) = json_of(&service, method, &path, body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{method} {path}: {problem}");
        assert!(detail.contains(said), "{method} {path}: {problem}");
    }
}
