//! Requests of operators about orders: lists, their filters, unknown orders, and requests that make no sense.

use sinch_callbacks::clock;
use testkit::{PROJECT, Request, Service, Settings, event, folder, until};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list, asked for in every way")]
async fn orders_are_listed_by_page_state_and_project() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    for n in 0..25 {
        let status = ["IN_REVIEW", "COMPLETED"][n % 2];
        let body = event(&format!("e{n}"), &format!("o{n}"), status, clock::now());
        service.deliver(body).await;
    }
    until("everything to be looked at", async || {
        (service.status().await["deliveries_waiting"] == 0).then_some(())
    })
    .await;

    let mut seen = Vec::new();
    let mut path = "/api/v1/orders?limit=10".to_owned();
    let mut pages = 0;
    loop {
        let page = service.get(&path).await.json();
        pages += 1;
        let items = page["items"].as_array().expect("a list");
        seen.extend(
            items
                .iter()
                .map(|o| o["order"].as_str().expect("an id").to_owned()),
        );
        match page["next"].as_str() {
            Some(after) => path = format!("/api/v1/orders?limit=10&after={after}"),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    let expected: Vec<String> = (0..25).map(|n| format!("o{n}")).collect();
    assert_eq!(seen, expected, "each once, the oldest first");

    for (query, expected) in [
        ("state=IN_REVIEW", 13),
        ("state=COMPLETED", 12),
        ("state=REJECTED", 0),
        ("state=UNKNOWN", 0),
        ("parked=true", 0),
        ("parked=false", 25),
        ("settled=false", 25),
        ("settled=true", 0),
        ("sort=newest", 25),
        ("region=SE", 0),
        ("alert=overdue", 0),
        ("park_reason=attempts-used-up", 0),
        ("changed_since=2020-01-01T00:00:00Z", 25),
        ("number=%2B46700", 0),
        ("settled=false&state=COMPLETED", 12),
        ("settled=false&limit=3", 3),
        ("state=IN_REVIEW&limit=2", 2),
        ("limit=1000", 25),
        ("limit=1", 1),
    ] {
        let found = service.list(&format!("/api/v1/orders?{query}")).await;
        assert_eq!(found.len(), expected, "{query}");
    }
    let own = service
        .list(&format!("/api/v1/orders?project={PROJECT}"))
        .await;
    assert_eq!(own.len(), 25);
    let unknown = "no such project is configured";
    for (method, path) in [
        ("GET", "/api/v1/orders?project=another"),
        ("GET", "/api/v1/deliveries?project=another"),
        ("PUT", "/api/v1/orders/another/o1"),
        ("POST", "/api/v1/projects/another/resume"),
        ("POST", "/api/v1/projects/%FF/resume"),
        ("PUT", "/api/v1/orders/%FF/o1"),
    ] {
        let answer = service.send_to_operators(&Request::new(method, path)).await;
        answer.assert_refusal(404, path);
        assert_eq!(answer.json()["detail"], unknown, "{path}");
    }
    for query in [
        "limit=many",
        "status=IN_REVIEW",
        "after=x",
        "parked=maybe",
        "settled=1",
    ] {
        let answer = service.get(&format!("/api/v1/orders?{query}")).await;
        answer.assert_refusal(400, query);
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_one_form() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    service.order_with("o1", 1).await;
    for path in [
        "/",
        "/nothing",
        "/callbacks",
        "/api/v1",
        "/api/v1/orders/",
        "/api/v1/orders/o2",
        "/api/v1/orders/another/o1",
        "/api/v1/orders/a%2fb",
        "/api/v1/orders/%ff",
        "/api/v1/deliveries/2/body",
        "/api/v1/deliveries/x/body",
        "/api/v1/deliveries/%ff/body",
        "/api/v1/deliveries/99999999999999999999/body",
    ] {
        service.get(path).await.assert_refusal(404, path);
    }
    let [known, unknown] =
        ["o1", "o2"].map(|order| format!("/api/v1/orders/{PROJECT}/{order}/fetch"));
    for (method, path, expected) in [
        ("POST", "/status", 405),
        ("DELETE", "/api/v1/orders/o1", 405),
        ("GET", known.as_str(), 405),
        ("POST", &unknown, 404),
        ("POST", "/api/v1/orders/another/o1/fetch", 404),
    ] {
        let answer = service.send_to_operators(&Request::new(method, path)).await;
        answer.assert_refusal(expected, &format!("{method} {path}"));
    }
    let fetch = Request::new("POST", &known);
    assert_eq!(service.send_to_operators(&fetch).await.status, 202);
}

#[tokio::test]
async fn an_order_id_that_two_projects_have_needs_the_project() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set_project("api", "off")
        .add_project("second", "/second", "second-secret");
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "twin", "IN_REVIEW", clock::now()))
        .await;
    let body = event("e1", "twin", "COMPLETED", clock::now()).replace(PROJECT, "second");
    let answer = service
        .send(&Request::signed("/second", "second-secret", body))
        .await;
    assert_eq!(answer.status, 200);

    let answer = until("both to be known", async || {
        let answer = service.get("/api/v1/orders/twin").await;
        (answer.status == 409).then_some(answer)
    })
    .await;
    answer.assert_refusal(409, "twin");
    for (project, state) in [(PROJECT, "IN_REVIEW"), ("second", "COMPLETED")] {
        let order = service
            .order_when(&format!("{project}/twin"), state, |o| o["state"] == state)
            .await;
        // The same event id in two projects is two events.
        assert_eq!(order["deliveries"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_with_what_would() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    for (query, said) in [
        (
            "orders?limt=5",
            "limt: no such parameter; write one of state, project, parked, park_reason, settled, alert, region, number",
        ),
        ("orders?limit=many", "limit: \"many\" is no number"),
        ("orders?limit=-1", "limit: \"-1\" is no number"),
        ("orders?limit=99999999999999999999", "is no number"),
        ("orders?limit=0", "is no number from 1 to 1000"),
        ("orders?limit=1001", "is no number from 1 to 1000"),
        (
            "orders?after=x",
            "after: not the `next` of a page of this list",
        ),
        ("deliveries?after=1", "after: not the `next` of a page"),
        ("orders?limit=1&limit=2", "limit: written twice"),
        (
            "orders?parked=yes",
            "parked: \"yes\" is neither true nor false",
        ),
        ("orders?state=blocked", "state: write one of"),
        (
            "orders?alert=late",
            "alert: write one of expiring, overdue, ",
        ),
        (
            "orders?park_reason=x",
            "park_reason: write one of attempts-used-up",
        ),
        ("orders?number=+46a", "number: write digits"),
        (
            "orders?changed_since=now",
            "changed_since: \"now\" is no time",
        ),
        ("orders?sort=up", "sort: write one of oldest, newest"),
        (
            "deliveries?received_before=2026-01-31T12:00:00Z",
            "received_before: no such parameter; write one of order, project, decision, kind, since, until",
        ),
        ("deliveries?phase=lost", "phase: write one of waiting"),
        ("deliveries?decision=odd", "decision: write one of agrees"),
        ("parked?limit=", "limit: \"\" is no number"),
        (
            "parked?state=BLOCKED",
            "state: no such parameter; write one of limit, after",
        ),
    ] {
        let answer = service.get(&format!("/api/v1/{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let detail = answer.json()["detail"].to_string();
        let said = serde_json::to_string(said).expect("text");
        assert!(detail.contains(said.trim_matches('"')), "{query}: {detail}");
    }
    let empty = service
        .get("/api/v1/orders?state=BLOCKED&parked=true&limit=5")
        .await;
    assert_eq!(empty.status, 200, "{empty:?}");
}
