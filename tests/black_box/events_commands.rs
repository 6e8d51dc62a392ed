//! Commands about events and targets, and the receiver that shows what comes.

use number_order::State::{Completed, Created, InReview};
use serde_json::Value;
use sinch_simulator::{Simulator, World};

use tempfile::TempDir;
use testkit::{
    Ended, PROJECT, Process, Request, Service, Settings, TARGET_SECRET, event, folder, id,
    order_history, play, run, until,
};

/// A service that knows of one completed order, and can learn of another.
struct Place {
    service: Service,
    simulator: Simulator,
    environment: [(&'static str, String); 1],
    _folder: TempDir,
}

impl Place {
    async fn new(change: impl FnOnce(Settings) -> Settings) -> Place {
        let folder = folder();
        let history = [(0, Created), (1, InReview), (2, Completed)];
        let histories = ["o1", "o2"].map(|order| order_history(order, &history));
        let world = World::from_orders(id(PROJECT), histories);
        let settings = change(Settings::new(folder.path()));
        let (simulator, settings) = play(world, settings).await;
        let service = Service::start(&settings).await;
        let address = service.operators.to_string();
        let place = Place {
            service,
            simulator,
            environment: [("SINCH_CALLBACKS_OPERATORS__LISTEN", address)],
            _folder: folder,
        };
        place.complete("o1").await;
        place
    }

    async fn complete(&self, order: &str) {
        let said_at = self.simulator.started_at();
        let body = event(&format!("e-{order}"), order, "COMPLETED", said_at);
        self.service.deliver(body).await;
        self.service
            .order_when(order, "its number", |order| !order["ready_at"].is_null())
            .await;
    }

    /// Runs a command; it must end with the code.
    async fn run(&self, code: i32, arguments: &[&str]) -> Ended {
        let ended = Process::start_in(&self.environment, arguments)
            .ended()
            .await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        ended
    }
}

#[tokio::test]
async fn the_feed_is_listed_at_the_terminal() {
    let place = Place::new(|settings| settings).await;
    let out = place.run(0, &["events", "list"]).await.out;
    let heads: Vec<&str> = out
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    assert_eq!(heads, ["NUMBER", "TIME", "TYPE", "ORDER", "STATE", "ABOUT"]);
    assert!(
        out.contains("order.completed") && out.contains("number.ready"),
        "{out}"
    );
    let json = ["events", "list", "--types", "order.completed", "--json"];
    let out = place.run(0, &json).await.out;
    let listed: Value = serde_json::from_str(&out).expect("one JSON value");
    assert_eq!(
        listed["events"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    assert_eq!(listed["next"], place.service.status().await["newest_event"]);
    let beyond = ["events", "list", "--after", "100000", "--json"];
    let ended = place.run(1, &beyond).await;
    let failed: Value = serde_json::from_str(&ended.out).expect("one JSON value");
    assert_eq!(failed["error"]["code"], "service", "{failed}");
    assert!(ended.err.contains("restored"), "{ended:?}");
}

#[tokio::test]
async fn the_feed_is_followed_at_the_terminal() {
    let place = Place::new(|settings| settings).await;
    let following = ["events", "list", "--follow", "--json", "--after", "0"];
    let mut followed = Process::start_in(&place.environment, following);
    let of_order = async |followed: &Process, order: &str| {
        let order = format!("\"order\":\"{order}\"");
        until(&format!("an event of {order}"), async || {
            let mut lines = followed.lines().into_iter();
            lines.find(|line| line.contains(&order))
        })
        .await
    };
    of_order(&followed, "o1").await;
    place.complete("o2").await;
    let line: Value =
        serde_json::from_str(&of_order(&followed, "o2").await).expect("one JSON value a line");
    assert_eq!(line["data"]["confirmed"], true, "{line}");
    assert!(followed.is_running());
}

/// Starts the receiver; returns it with its address.
async fn listen(arguments: &[&str]) -> (Process, String) {
    let receiver = Process::start([&["listen", "--address", "127.0.0.1:0"], arguments].concat());
    let address = until("the address", async || {
        let lines = receiver.lines();
        let (_, rest) = lines.first()?.split_once("http://")?;
        rest.split_once('/').map(|(address, _)| address.to_owned())
    })
    .await;
    (receiver, address)
}

/// Puts the secret of targets into a file.
fn secret_file(folder: &TempDir) -> String {
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{TARGET_SECRET}\n")).expect("written");
    file.display().to_string()
}

#[tokio::test]
async fn what_a_target_was_told_is_seen_on_both_sides() {
    let secrets = folder();
    let file = secret_file(&secrets);
    let (receiver, address) = listen(&["--secret-file", &file]).await;
    let url = format!("http://{address}/hooks");
    let place = Place::new(|settings| settings.add_target("crm", &url)).await;
    until("both events to be told", async || {
        let told = receiver.lines().join("\n");
        let is_told = told.contains("order.completed") && told.contains("number.ready");
        is_told.then_some(())
    })
    .await;
    until("nothing to wait", async || {
        let status = place.service.status().await;
        (status["targets"]["crm"]["waiting"] == 0).then_some(())
    })
    .await;
    let story = place.run(0, &["order", "show", "o1"]).await.out;
    let told = story
        .lines()
        .find(|line| line.starts_with("order.completed"));
    assert!(told.is_some_and(|line| line.contains("crm")), "{story}");
    let out = place.run(0, &["events", "targets"]).await.out;
    assert!(out.lines().any(|line| line.starts_with("crm")), "{out}");

    let trial = ["events", "send-test", "crm", "order.blocked"];
    place.run(0, &trial).await;
    until("the test", async || {
        let told = receiver.lines().join("\n");
        (told.contains("order.blocked") && told.contains(" a test")).then_some(())
    })
    .await;
    let again = ["events", "redrive", "--id", "1", "--json"];
    let out = place.run(0, &again).await.out;
    assert!(out.contains("\"notifications\":1"), "{out}");
    until("the first one again", async || {
        let told = receiver.lines().join("\n");
        (told.matches("order.completed event").count() == 2).then_some(())
    })
    .await;
    let told = receiver.stop().await.out;
    assert!(
        told.contains("genuine: signed") && !told.contains("NOT GENUINE"),
        "{told}"
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
async fn targets_are_seen_to_at_the_terminal() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let environment = [(
        "SINCH_CALLBACKS_OPERATORS__LISTEN",
        service.operators.to_string(),
    )];
    for (arguments, code, words) in [
        (&["events", "targets"][..], 0, "No target"),
        (&["events", "notifications"], 0, "no notification"),
        (
            &["events", "notifications", "--target", "crm"],
            1,
            "no such target",
        ),
        (
            &["events", "notifications", "--phase", "lost"],
            2,
            "waiting",
        ),
        (&["events", "redrive"], 2, "--target"),
        (&["events", "redrive", "--dry-run"], 2, "--target"),
        (
            &["events", "redrive", "--phase", "delivered"],
            2,
            "--target",
        ),
        (
            &["events", "redrive", "--all", "--dry-run"],
            0,
            "0 notifications fit",
        ),
        (
            &["events", "redrive", "--all"],
            0,
            "0 notifications are sent",
        ),
        (
            &["events", "redrive", "--all", "--json"],
            0,
            "\"dry_run\":false",
        ),
        (
            &["events", "redrive", "--since", "today"],
            2,
            "'--since <TIME>': write a time",
        ),
        (
            &["events", "resume", "crm"],
            1,
            "not resumed: no such target",
        ),
        (
            &["events", "send-test", "crm", "order.completed"],
            1,
            "not sent: no such",
        ),
        (
            &["events", "send-test", "crm", "order.gone"],
            2,
            "order.completed",
        ),
    ] {
        let ended = Process::start_in(&environment, arguments).ended().await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    service.stop_well().await;
    let ended = Process::start_in(&environment, ["events", "targets"])
        .ended()
        .await;
    assert!(
        ended.code == Some(1) && ended.err.contains("no service"),
        "{ended:?}"
    );
}

/// Sends what a target would get, and returns the status of the answer.
async fn tell(address: &str, body: &str, signature: &str) -> u16 {
    let now = sinch_callbacks::clock::now().0 / 1_000_000;
    let signature = if signature.is_empty() {
        let key = notifications::SigningKey::new(TARGET_SECRET).expect("a key");
        notifications::sign(&[key], "evt_1", now, body.as_bytes())
    } else {
        signature.to_owned()
    };
    let request = Request::post("/hooks", body)
        .header("webhook-id", "evt_1")
        .header("webhook-timestamp", &now.to_string())
        .header("webhook-signature", &signature);
    let address = address.parse().expect("an address");
    let mut connection = testkit::Connection::connect(address)
        .await
        .expect("connects");
    connection
        .exchange(request.bytes())
        .await
        .expect("an answer")
        .status
}

#[tokio::test]
async fn what_a_target_is_sent_is_shown_with_its_verification() {
    let folder = folder();
    let file = secret_file(&folder);
    let (receiver, address) = listen(&["--secret-file", &file, "--status", "503"]).await;
    let body = r#"{"id":"evt_1","type":"order.completed","sequence":7,"data":{"order":"o1"}}"#;
    assert_eq!(tell(&address, body, "").await, 503);
    assert_eq!(tell(&address, body, "v1,AAAA").await, 503);
    let said = until("both", async || {
        let said = receiver.lines().join("\n");
        (said.matches("answered 503").count() == 2).then_some(said)
    })
    .await;
    for words in [
        "POST /hooks  order.completed event 7 (evt_1)",
        "genuine: signed with the key of --secret-file 1",
        "NOT GENUINE: no signature matches",
        "    \"order\": \"o1\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let ended = receiver.stop().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let ended = run(["listen", "--secret-file", "/nowhere"]).await;
    assert!(
        ended.code == Some(2) && ended.err.contains("no such file"),
        "{ended:?}"
    );
    let ended = run(["--config", "x", "listen"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
