//! The service as operators and monitoring see it.

use std::time::Duration;

use number_order::State;
use serde_json::{Value, json};
use sinch_callbacks::clock;
use sinch_simulator::World;

use testkit::{
    File, HOME, Line, PROJECT, Request, Service, Settings, event, folder, id, life, play, until,
};

const TOKEN: &str = "operators-token-r72hxm";

#[tokio::test]
async fn health_is_answered_in_a_word() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    for (path, body) in [("/livez", "alive\n"), ("/readyz", "ready\n")] {
        let answer = until(path, async || {
            let answer = service.ask(path).await;
            (answer.status == 200).then_some(answer)
        })
        .await;
        assert_eq!(answer.body, body.as_bytes());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let mut file = File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;
    // Behind another write that waits for the lock, the probe has no answer in time.
    until("the reason", async || {
        let answer = service.ask("/readyz").await;
        answer.assert_refusal(503, "while the database is locked");
        let detail = answer.json()["detail"].take();
        detail.as_str()?.contains("locked").then_some(())
    })
    .await;
    assert_eq!(
        service.ask("/livez").await.status,
        200,
        "a restart would not help"
    );
    assert_eq!(service.ask("/status").await.status, 200, "reading goes on");
    file.execute("ROLLBACK").await;
    service.is_ready().await;
}

#[tokio::test]
async fn the_status_shows_the_figures() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [life("o1", &[(0, State::InReview)])]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let fresh = service.status().await;
    for (name, expected) in [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("draining", json!(false)),
        ("orders_by_state", json!({})),
        ("oldest_pending_at", Value::Null),
        ("orders_due", json!(0)),
        ("oldest_due_at", Value::Null),
        ("orders_unsettled", json!(0)),
        ("oldest_unsettled_at", Value::Null),
        ("orders_parked", json!(0)),
        ("deliveries_waiting", json!(0)),
        ("deliveries_parked", json!(0)),
        ("last_delivery_at", Value::Null),
        ("last_fetched_at", Value::Null),
        ("silent_workers", json!([])),
    ] {
        assert_eq!(fresh[name], expected, "{name}");
    }
    assert_eq!(fresh["api"][PROJECT]["last_at"], Value::Null);
    assert_eq!(fresh["api"][PROJECT]["failures"], 0);
    let began = clock::now();
    service
        .tell(event("e1", "o1", "IN_REVIEW", simulator.started_at()))
        .await;
    service.tell("no JSON").await;
    service.settles("o1", "IN_REVIEW").await;

    let status = service.status().await;
    assert_eq!(status["orders_by_state"], json!({"IN_REVIEW": 1}));
    assert_eq!(status["deliveries_parked"], 1);
    assert_eq!(status["callbacks_accepted"]["new"]["count"], 2);
    for at in ["last_delivery_at", "last_fetched_at"] {
        let at = status[at].as_str().expect("a time");
        assert!(at >= began.to_string().as_str(), "{at}");
    }
    assert!(
        status["database_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );
    until("what the API came to", async || {
        let api = service.status().await["api"][PROJECT].take();
        (api["answered"] == true && api["failures"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list, asked for in every way")]
async fn orders_are_listed_by_page_state_and_project() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    for n in 0..25 {
        let status = ["IN_REVIEW", "COMPLETED"][n % 2];
        let body = event(&format!("e{n}"), &format!("o{n}"), status, clock::now());
        service.tell(body).await;
    }
    until("everything to be looked at", async || {
        (service.status().await["deliveries_waiting"] == 0).then_some(())
    })
    .await;

    let mut seen = Vec::new();
    let mut path = "/api/v1/orders?limit=10".to_owned();
    let mut pages = 0;
    loop {
        let page = service.ask(&path).await.json();
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
        ("limit=100000", 25),
        ("limit=0", 1),
    ] {
        let found = service.list(&format!("/api/v1/orders?{query}")).await;
        assert_eq!(found.len(), expected, "{query}");
    }
    let own = service
        .list(&format!("/api/v1/orders?project={PROJECT}"))
        .await;
    assert_eq!(own.len(), 25);
    let unknown = service.ask("/api/v1/orders?project=another").await;
    unknown.assert_refusal(404, "a project that nobody knows");
    let put = Request::new("PUT", "/api/v1/orders/another/o1");
    let put = service.ask_with(&put).await;
    assert_eq!(unknown.json()["detail"], put.json()["detail"]);
    for query in [
        "limit=many",
        "status=IN_REVIEW",
        "after=x",
        "parked=maybe",
        "settled=1",
    ] {
        let answer = service.ask(&format!("/api/v1/orders?{query}")).await;
        answer.assert_refusal(400, query);
    }
}

#[tokio::test]
async fn a_history_shows_deliveries_fetches_and_transitions() {
    let folder = folder();
    let history = [
        (0, State::Created),
        (1, State::InReview),
        (2, State::Blocked),
    ];
    let world = World::from_orders(id(PROJECT), [life("o1", &history)]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let said_at = simulator.started_at().plus(Duration::from_millis(2));
    service.tell(event("e1", "o1", "BLOCKED", said_at)).await;
    let order = service.settles("o1", "BLOCKED").await;
    assert_eq!(
        order,
        service.order(&format!("{PROJECT}/o1")).await,
        "by either path"
    );

    let delivery = &order["deliveries"][0];
    for (name, expected) in [
        ("event", json!("e1")),
        ("status", json!("BLOCKED")),
        ("said_at", json!(said_at.to_string())),
        ("phase", json!("processed")),
        ("duplicates", json!(0)),
    ] {
        assert_eq!(delivery[name], expected, "{name}");
    }
    let answer = &order["fetches"][0];
    assert_eq!(answer["state"], "BLOCKED");
    assert_eq!(answer["updated_at"], said_at.to_string());
    let last = order["transitions"].as_array().and_then(|all| all.last());
    let last = last.expect("a transition");
    assert_eq!(
        (&last["to_state"], &last["confirmed"]),
        (&json!("BLOCKED"), &json!(true))
    );
    assert_eq!(order["updated_at"], said_at.to_string());
    assert_eq!(order["reopened"], false);
    assert_ne!(
        order["fetch_at"],
        Value::Null,
        "BLOCKED is not final: it is looked at again"
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_in_one_form() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    service
        .tell(event("e1", "o1", "IN_REVIEW", clock::now()))
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
        service.ask(path).await.assert_refusal(404, path);
    }
    for (method, path, expected) in [
        ("POST", "/status", 405),
        ("DELETE", "/api/v1/orders/o1", 405),
        (
            "GET",
            "/api/v1/orders/5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3/o1/fetch",
            405,
        ),
        (
            "POST",
            "/api/v1/orders/5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3/o2/fetch",
            404,
        ),
        ("POST", "/api/v1/orders/another/o1/fetch", 404),
    ] {
        let answer = service.ask_with(&Request::new(method, path)).await;
        answer.assert_refusal(expected, &format!("{method} {path}"));
    }
    let fetch = Request::new(
        "POST",
        "/api/v1/orders/5b0c1f2e-3d4a-4c5b-8a6d-7e8f90a1b2c3/o1/fetch",
    );
    assert_eq!(service.ask_with(&fetch).await.status, 202);
}

#[tokio::test]
async fn the_token_guards_everything_but_health() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("operators.token", TOKEN);
    let service = Service::start(&settings).await;
    let guarded = [
        ("GET", "/status"),
        ("GET", "/api/v1/orders"),
        ("GET", "/api/v1/orders/o1"),
        ("GET", "/api/v1/orders/p/o1"),
        ("POST", "/api/v1/orders/p/o1/fetch"),
        ("GET", "/api/v1/parked"),
        ("GET", "/api/v1/deliveries/1/body"),
    ];
    let wrong = [
        None,
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {TOKEN}x")),
        Some(format!("Bearer {}", &TOKEN[1..])),
        Some(format!("Bearer {}", TOKEN.to_uppercase())),
        Some(format!("Basic {TOKEN}")),
        Some(TOKEN.to_owned()),
    ];
    for (method, path) in guarded {
        for shown in &wrong {
            let mut request = Request::new(method, path);
            if let Some(shown) = shown {
                request = request.header("Authorization", shown);
            }
            let answer = service.ask_with(&request).await;
            answer.assert_refusal(401, &format!("{method} {path} {shown:?}"));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
            let shown = format!("{scheme} {TOKEN}");
            let request = Request::new(method, path)
                .header("Authorization", &shown)
                .header("Host", "operators.example")
                .header("Origin", "https://operators.example");
            let answer = service.ask_with(&request).await;
            assert!(
                matches!(answer.status, 200 | 404),
                "{method} {path} {scheme:?}: {answer:?}"
            );
        }
    }
    assert_eq!(service.ask("/livez").await.status, 200);
    service.is_ready().await;
}

#[tokio::test]
async fn an_order_id_that_two_projects_have_needs_the_project() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set_project("api", "off")
        .add_project("second", "/second", "second-secret");
    let service = Service::start(&settings).await;
    service
        .tell(event("e1", "twin", "IN_REVIEW", clock::now()))
        .await;
    let body = event("e1", "twin", "COMPLETED", clock::now()).replace(PROJECT, "second");
    let answer = service
        .send(&Request::signed("/second", "second-secret", body))
        .await;
    assert_eq!(answer.status, 200);

    let answer = until("both to be known", async || {
        let answer = service.ask("/api/v1/orders/twin").await;
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
async fn without_a_token_no_web_page_is_answered() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let fetch = format!("/api/v1/orders/{PROJECT}/o1/fetch");
    let requests = [
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/status"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/orders"),
        ("GET", "/nowhere"),
        ("POST", &fetch),
        ("POST", "/status"),
    ];
    for (method, path) in requests {
        for (name, value) in [
            ("Host", "evil.example:9090"),
            ("Host", "localhost.evil.example"),
            ("Host", ""),
            ("Host", "127.0.0.1 evil"),
            ("Origin", "http://evil.example"),
            ("Origin", "http://localhost:3000"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            let request = Request::new(method, path).header(name, value);
            let answer = service.ask_with(&request).await;
            answer.assert_refusal(403, &format!("{method} {path} {name}: {value}"));
        }
        for (name, value) in [
            ("Host", "localhost:9090"),
            ("Host", "127.0.0.1:9090"),
            ("Host", "[::1]:9090"),
            ("Sec-Fetch-Site", "none"),
        ] {
            let request = Request::new(method, path).header(name, value);
            let answer = service.ask_with(&request).await;
            assert_ne!(answer.status, 403, "{method} {path} {name}: {value}");
        }
    }
}

#[tokio::test]
async fn a_list_that_trickles_is_cut_off() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("callbacks.body_timeout_secs", 0.7);
    let service = Service::start(&settings).await;
    let path = format!("/api/v1/orders/{PROJECT}");
    let request = Request::post(&path, "").header("Content-Length", "100000");
    let mut line = Line::open(HOME, service.operators).await.expect("connects");
    line.send(request.head()).await;
    // Each byte comes well within the time limit; the whole list never does.
    let mut sent = 0;
    while !line.hangs_up_within(Duration::from_millis(100)).await {
        sent += 1;
        assert!(sent < 200, "it goes on and on");
        line.send("o").await;
    }
    line.answer()
        .await
        .expect("an answer")
        .assert_refusal(408, "a list that trickles");
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
        ("deliveries?phase=lost", "phase: write one of waiting"),
        ("deliveries?decision=odd", "decision: write one of agrees"),
        ("parked?limit=", "limit: \"\" is no number"),
        (
            "parked?state=BLOCKED",
            "state: no such parameter; write one of after, limit",
        ),
    ] {
        let answer = service.ask(&format!("/api/v1/{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        let detail = answer.json()["detail"].to_string();
        let said = serde_json::to_string(said).expect("text");
        assert!(detail.contains(said.trim_matches('"')), "{query}: {detail}");
    }
    let empty = service
        .ask("/api/v1/orders?state=BLOCKED&parked=true&limit=5")
        .await;
    assert_eq!(empty.status, 200, "{empty:?}");
}

#[tokio::test]
async fn the_status_shows_a_workers_failure_until_it_succeeds() {
    let folder = folder();
    let world = World::from_orders(id(PROJECT), [life("o1", &[(0, State::InReview)])]);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let service = Service::start(&settings).await;
    let (fetch, record) = (format!("fetch {PROJECT}"), format!("record {PROJECT}"));
    let all = [
        "alerts",
        "checkpoint",
        "inbox",
        "retention",
        &fetch,
        &record,
    ];
    let workers = async || service.status().await["workers"].take();
    let get_on = async || {
        let workers = workers().await;
        let is_well = |name: &&str| workers.get(name).is_some_and(Value::is_null);
        let count = workers.as_object().map_or(0, |workers| workers.len());
        (count == all.len() && all.iter().all(is_well)).then_some(())
    };
    until("all workers to get on", get_on).await;
    let mut file = File::open(&settings.database()).await;
    let refuses = "CREATE TRIGGER refuses BEFORE UPDATE OF processed_through ON service \
                   BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END";
    file.execute(refuses).await;
    service
        .tell(event("e1", "o1", "IN_REVIEW", simulator.started_at()))
        .await;
    until("the inbox worker to fail again", async || {
        let inbox = workers().await["inbox"].take();
        let error = inbox["error"].as_str()?;
        assert!(error.contains("refused by a trigger"), "{inbox}");
        assert!(inbox["since"].is_string(), "{inbox}");
        (inbox["times"].as_u64()? > 1).then_some(())
    })
    .await;
    file.execute("DROP TRIGGER refuses").await;
    until("all workers to get on", get_on).await;
    service.settles("o1", "IN_REVIEW").await;
}
