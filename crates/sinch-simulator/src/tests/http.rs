//! Tests of the simulator from outside, over HTTP.

mod ordering;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use reqwest::{Client, Response};
use serde_json::Value;

use super::*;
use sinch_numbers::signature;

fn now() -> Time {
    START
}

fn options(world: World) -> Options {
    Options {
        world,
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        callback_url: None,
        secret: SecretString::from("a simulated secret"),
        key_id: "key".to_owned(),
        key_secret: SecretString::from("key secret"),
        now,
        senders: 4,
        retry_for: LIMIT,
    }
}

/// Client of one simulator.
struct Caller {
    client: Client,
    simulator: Simulator,
    token: String,
}

impl Caller {
    async fn new(world: World) -> Caller {
        let simulator = Simulator::start(options(world)).await;
        Caller::of(simulator.expect("starts")).await
    }

    async fn of(simulator: Simulator) -> Caller {
        // The simulator has installed the TLS provider that the client needs.
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut caller = Caller {
            client,
            simulator,
            token: String::new(),
        };
        caller.renew_token().await;
        caller
    }

    async fn renew_token(&mut self) {
        let answer = self.ask_token("key", "client_credentials").await;
        let answer = json(answer).await;
        assert_eq!(answer["expires_in"], 3599);
        answer["access_token"]
            .as_str()
            .expect("a token")
            .clone_into(&mut self.token);
    }

    async fn ask_token(&self, key_id: &str, grant_type: &str) -> Response {
        self.client
            .post(self.simulator.token_url())
            .basic_auth(key_id, Some("key secret"))
            .form(&[("grant_type", grant_type)])
            .send()
            .await
            .expect("an answer")
    }

    async fn get(&self, project: &Id, order: &str) -> Response {
        let base = self.simulator.api_url();
        self.client
            .get(format!("{base}/v1/projects/{project}/numberOrders/{order}"))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer")
    }

    async fn status(&self, order: &str) -> u16 {
        self.get(&project(), order).await.status().as_u16()
    }
}

async fn json(response: Response) -> Value {
    let body = response.text().await.expect("a body");
    serde_json::from_str(&body).expect("JSON")
}

fn one_order() -> World {
    let history = vec![
        (Duration::ZERO, State::Created),
        (Duration::from_micros(1), State::InReview),
    ];
    World::from_orders(project(), [OrderHistory::new(id("o1"), history)])
}

#[tokio::test]
async fn the_api_shows_an_order() {
    let caller = Caller::new(one_order()).await;
    let order = json(caller.get(&project(), "o1").await).await;
    for (name, expected) in [
        ("idNumberOrder", "o1"),
        ("state", "IN_REVIEW"),
        ("createTime", "2026-02-03T04:05:06.123456Z"),
        ("updateTime", "2026-02-03T04:05:06.123457Z"),
        ("numberType", "MOBILE"),
    ] {
        assert_eq!(order[name], expected, "{order}");
    }
    assert_eq!(order["expireTime"], Value::Null);
    assert_eq!(order["orderNumbers"][0]["phoneNumber"], "+447700900000");

    let error = json(caller.get(&project(), "o2").await).await;
    assert_eq!(error["error"]["code"], 404);
    assert_eq!(error["error"]["status"], "NOT_FOUND");
    assert_eq!(caller.get(&id("another"), "o1").await.status(), 404);

    let fetched_at: Vec<String> = caller
        .simulator
        .fetches()
        .into_iter()
        .map(|a| a.order)
        .collect();
    assert_eq!(fetched_at, ["o1", "o2", "o1"]);
    assert_eq!(caller.simulator.final_states()[&id("o1")], State::InReview);
    caller.simulator.shutdown().await;
}

#[tokio::test]
async fn only_the_key_and_its_tokens_open_the_api() {
    let mut caller = Caller::new(one_order()).await;
    let wrong_key = caller.ask_token("other", "client_credentials").await;
    assert_eq!(wrong_key.status(), 401);
    assert_eq!(caller.ask_token("key", "password").await.status(), 400);

    assert_eq!(caller.status("o1").await, 200);
    caller.simulator.revoke_tokens();
    assert_eq!(caller.status("o1").await, 401);
    caller.token = "guessed".to_owned();
    assert_eq!(caller.status("o1").await, 401);
    let base = caller.simulator.api_url();
    let url = format!("{base}/v1/projects/{}/numberOrders/o1", project());
    let basic = caller.client.get(url).basic_auth("key", Some("key secret"));
    assert_eq!(basic.send().await.expect("an answer").status(), 200);
    assert_eq!(caller.simulator.stats().tokens, 1);
}

#[tokio::test]
async fn scripted_replies_come_first_and_once() {
    let caller = Caller::new(one_order()).await;
    let order = id("o1");
    let throttled = Reply::Throttled {
        retry_after: Duration::from_millis(1200),
    };
    let raw = Reply::Raw {
        status: 200,
        body: "{".to_owned(),
    };
    for reply in [
        throttled,
        Reply::NotFound,
        raw,
        Reply::ServerError { status: 504 },
    ] {
        caller.simulator.push_reply(&order, reply);
    }
    let first = caller.get(&project(), "o1").await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["retry-after"]),
        (429, &"2".parse().expect("a header"))
    );
    assert_eq!(caller.status("o1").await, 404);
    let raw = caller.get(&project(), "o1").await;
    assert_eq!(raw.text().await.expect("a body"), "{");
    assert_eq!(caller.status("o1").await, 504);
    assert_eq!(caller.status("o1").await, 200);
}

#[tokio::test]
async fn a_fetch_beside_another_of_its_order_is_counted() {
    let caller = Caller::new(one_order()).await;
    let at_once = || caller.simulator.stats().fetches_at_once;
    let slow = || {
        let slow = Reply::Slow(secs(600));
        caller.simulator.push_reply(&id("o1"), slow);
    };
    slow();
    // The first one ends when its client hangs up.
    let hung_up = async {
        let first = caller.status("o1");
        let came = async {
            while caller.simulator.stats().fetches < 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = first => {}
            () = came => {}
        }
    };
    within(hung_up).await;
    let ended = async {
        let beside = async || {
            let before = at_once();
            assert_eq!(caller.status("o1").await, 200);
            at_once() > before
        };
        while beside().await {}
    };
    within(ended).await;
    let before = at_once();
    slow();
    let both = async {
        tokio::select! {
            _ = caller.status("o1") => {}
            () = async {
                while caller.simulator.stats().fetches < 3 + before {
                    tokio::task::yield_now().await;
                }
                assert_eq!(caller.status("o1").await, 200);
            } => {}
        }
    };
    within(both).await;
    assert_eq!(at_once(), before + 1);
}

#[tokio::test]
async fn an_outage_fails_every_request_until_it_is_over() {
    let caller = Caller::new(one_order()).await;
    caller.simulator.set_outage(Outage::Unavailable {
        retry_after: Some(secs(7)),
    });
    let refused = caller.get(&project(), "o1").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "7");
    let no_token = caller.ask_token("key", "client_credentials").await;
    assert_eq!(no_token.status(), 503);

    caller.simulator.set_outage(Outage::Hang);
    let hanging = async {
        let status = caller.status("o1").await;
        assert_eq!(status, 503);
    };
    let lifting = async {
        while caller.simulator.stats().fetches < 2 {
            tokio::task::yield_now().await;
        }
        caller.simulator.set_outage(Outage::None);
    };
    within(async { tokio::join!(hanging, lifting) }).await;
    assert_eq!(caller.status("o1").await, 200);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_request_that_hangs() {
    let caller = Caller::new(one_order()).await;
    caller
        .simulator
        .push_reply(&id("o1"), Reply::Slow(secs(3600)));
    let request = caller.client.get(format!(
        "{}/v1/projects/{}/numberOrders/o1",
        caller.simulator.api_url(),
        project()
    ));
    let waiting = tokio::spawn(request.bearer_auth(&caller.token).send());
    within(async {
        while caller.simulator.stats().fetches < 1 {
            tokio::task::yield_now().await;
        }
        caller.simulator.shutdown().await;
    })
    .await;
    waiting.await.expect("no panic").expect("an answer");
}

/// Maximum time that a test waits for what must happen, on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs the work; fails if it takes longer than the limit.
async fn within<T>(work: impl Future<Output = T>) -> T {
    let limit = tokio::time::timeout(LIMIT, work);
    limit.await.expect("the work ends in time")
}

/// Receiver that checks signatures, and refuses some callbacks at first.
struct Receiver {
    refusals: AtomicUsize,
    bodies: Mutex<Vec<String>>,
}

async fn receive(shared: Shared<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let secrets = [SecretString::from("a simulated secret")];
    let signed = signature::verify(&secrets, &body, headers[signature::HEADER].as_bytes());
    assert_eq!(headers["content-type"], "application/json");
    if !signed {
        return StatusCode::UNAUTHORIZED;
    }
    let one_less = |left: usize| left.checked_sub(1);
    if shared
        .refusals
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
        .is_ok()
    {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    lock(&shared.bodies).push(String::from_utf8_lossy(&body).into_owned());
    StatusCode::OK
}

async fn receiver(refusals: usize) -> (Arc<Receiver>, String) {
    let receiver = Arc::new(Receiver {
        refusals: AtomicUsize::new(refusals),
        bodies: Mutex::default(),
    });
    let router = Router::new()
        .route("/", post(receive))
        .with_state(receiver.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (receiver, url)
}

#[tokio::test]
async fn callbacks_are_signed_and_sent_until_200() {
    let seed = 11;
    let mut faults = Faults::demo();
    faults.delay_max = Duration::from_millis(300);
    faults.lost = 0.3;
    let world = World::new(seed, &script(30, Duration::from_millis(500), faults));
    let (receiver, url) = receiver(5).await;
    let mut options = options(world);
    options.callback_url = Some(url);
    let simulator = Simulator::start(options).await.expect("starts");
    within(simulator.played_out()).await;

    let events = simulator.world().events();
    let sent: usize = events.iter().map(|event| event.sent_at.len()).sum();
    let bodies = lock(&receiver.bodies).clone();
    assert_eq!(bodies.len(), sent, "seed {seed}");
    let acknowledged = simulator.acknowledged();
    let lost = events.iter().filter(|n| n.sent_at.is_empty()).count();
    assert_eq!(acknowledged.len(), events.len() - lost, "seed {seed}");
    let answered: usize = acknowledged.iter().map(|a| 1 + a.again_at.len()).sum();
    assert_eq!(answered, sent, "seed {seed}");
    for event in acknowledged {
        assert!(bodies.contains(&event.body), "seed {seed}: {event:?}");
    }
    let stats = simulator.stats();
    assert_eq!(
        (stats.refused, stats.unanswered, stats.abandoned),
        (5, 0, 0),
        "seed {seed}: {stats:?}"
    );
    assert!(stats.overtaken > 0, "seed {seed}: {stats:?}");
    simulator.shutdown().await;
}

#[tokio::test]
async fn callbacks_wait_for_a_receiver_and_outlive_its_absence() {
    let mut world = one_order();
    let at = Duration::from_micros(1);
    world.add_event(SimulatedEvent::new(id("o1"), State::InReview, at));
    let simulator = Simulator::start(options(world)).await.expect("starts");
    // Without a receiver, the history alone counts.
    within(simulator.played_out()).await;
    assert_eq!(simulator.stats().sent, 0);

    simulator.set_callback_url(Some(nobody().await));
    within(async {
        while simulator.stats().unanswered == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (receiver, url) = receiver(0).await;
    simulator.set_callback_url(Some(url));
    within(simulator.played_out()).await;
    assert_eq!(lock(&receiver.bodies).len(), 1);
    assert_eq!(simulator.acknowledged()[0].order, id("o1"));
}

#[tokio::test]
async fn a_callback_is_abandoned_in_the_end() {
    let mut world = one_order();
    world.add_event(SimulatedEvent::new(
        id("o1"),
        State::InReview,
        Duration::ZERO,
    ));
    let mut options = options(world);
    options.callback_url = Some(nobody().await);
    options.retry_for = Duration::ZERO;
    let simulator = Simulator::start(options).await.expect("starts");
    within(simulator.played_out()).await;
    let stats = simulator.stats();
    assert_eq!((stats.sent, stats.abandoned), (1, 1));
    assert!(simulator.acknowledged().is_empty());
}

/// Returns an address on which nothing listens any more.
async fn nobody() -> String {
    // Nothing listens on the port any more, and no other process takes ports of this address.
    let listener = TcpListener::bind("127.0.0.77:0").await.expect("binds");
    format!("http://{}/", listener.local_addr().expect("an address"))
}
