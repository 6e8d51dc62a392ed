//! Drift of a secret: Sinch signs callbacks with another one than the service has. It is told of before a callback is refused.

use secrecy::SecretString;
use serde_json::{Value, json};
use sinch_simulator::{Outage, Simulator, World};
use tempfile::TempDir;
use testkit::{
    PATH, PROJECT, Request, SECRET, Service, Settings, Target, event, folder, id, now, play, until,
};

/// A secret that a person has set at Sinch without a word.
const OTHER: &str = "another-secret-that-nobody-told-us-of-7kq";

struct Place {
    simulator: Simulator,
    settings: Settings,
    service: Service,
    target: Target,
    _folder: TempDir,
}

impl Place {
    async fn with(at_sinch: &str, change: impl FnOnce(Settings) -> Settings) -> Place {
        let folder = folder();
        let target = Target::willing().await;
        let settings = Settings::new(folder.path())
            .fix_addresses()
            .set("deadlines.quiet_secs", 30)
            .set("sinch.secret_check_secs", 10)
            .add_target("ops", &target.url())
            .set_target("types", json!(["alert.*"]));
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, change(settings)).await;
        simulator.set_secret(SecretString::from(at_sinch));
        let service = Service::start(&settings).await;
        Place {
            simulator,
            settings,
            service,
            target,
            _folder: folder,
        }
    }

    /// Waits until the target was told so, and returns the event.
    async fn told(&self, event_type: &str) -> Value {
        until(event_type, async || {
            let told = self.target.told();
            let mut events = told.iter().map(testkit::target::Told::json);
            events.find(|event| {
                event["type"] == event_type && event["data"]["alert"]["code"] == "secret-drift"
            })
        })
        .await
    }

    /// Waits until `/status` shows such a comparison, and returns what it shows of the project's secret.
    async fn shows(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let secret = self.service.status().await["secrets"][PROJECT].clone();
            is_so(&secret).then_some(secret)
        })
        .await
    }

    async fn metric(&self, series: &str) -> Option<String> {
        let body = self.service.get("/metrics").await.body;
        let text = String::from_utf8_lossy(&body).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map(|value| value.trim().to_owned())
    }

    async fn send(&self, secret: &str, name: &str) -> u16 {
        let body = event(name, name, "IN_REVIEW", now());
        let request = Request::signed(PATH, secret, body);
        self.service.send(&request).await.status
    }
}

#[tokio::test]
async fn drift_at_the_start_is_told_before_a_callback_and_after_one() {
    let place = Place::with(OTHER, |settings| settings).await;
    let fired = place.told("alert.fired").await;
    assert_eq!(fired["data"]["project"], PROJECT);
    let alert = &fired["data"]["alert"];
    assert_eq!(alert["fields"], json!({"drift": "other-secret"}));
    let text = alert["text"].as_str().unwrap_or_default();
    assert!(text.contains("rotate-secret"), "{text}");
    assert_eq!(place.service.refused("signature").await, 0);
    let drift = format!("sinch_callbacks_secret_drift{{project=\"{PROJECT}\"}}");
    assert_eq!(place.metric(&drift).await.as_deref(), Some("1.0"));

    // Afterwards it is told as well why callbacks are refused.
    assert_eq!(place.send(OTHER, "refused").await, 401);
    let status = until("both alerts", async || {
        let status = place.service.status().await;
        let alerts = status["service_alerts"].as_array().map_or(0, Vec::len);
        (alerts == 2).then_some(status)
    })
    .await;
    assert_eq!(
        status["secrets"][PROJECT]["comparison"]["code"],
        "other-secret"
    );
    let config = place.settings.path().display().to_string();
    let ended = testkit::run(["--config", &config, "status"]).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let cure = format!("rotate-secret {PROJECT}");
    assert!(ended.out.contains(&cure), "{ended:?}");

    // Once Sinch has the right one again, the alert ends.
    place.simulator.set_secret(SecretString::from(SECRET));
    place.told("alert.resolved").await;
    assert_eq!(place.metric(&drift).await.as_deref(), Some("0.0"));
    let told = place.target.told();
    let codes = told.iter().map(testkit::target::Told::json);
    let codes = codes.filter(|event| event["data"]["alert"]["code"] == "secret-drift");
    assert_eq!(codes.count(), 2, "once each");
    assert!(!place.service.said().contains(OTHER));
    place.service.stop_well().await;
}

#[tokio::test]
async fn a_secret_that_changes_meanwhile_is_found_without_a_callback() {
    let place = Place::with(SECRET, |settings| settings).await;
    let shown = place
        .shows("agreement", |secret| {
            secret["comparison"]["code"] == "matches"
        })
        .await;
    let comparison = &shown["comparison"];
    assert_eq!(comparison["fields"]["secret"], "projects[0].secrets[0]");
    place.simulator.set_secret(SecretString::from(OTHER));
    place.told("alert.fired").await;
    assert_eq!(place.service.refused("signature").await, 0);
    place.service.stop_well().await;
}

#[tokio::test]
async fn a_wrong_signature_has_the_secret_compared_soon() {
    let slow = |settings: Settings| settings.set("sinch.secret_check_secs", 3600);
    let place = Place::with(SECRET, slow).await;
    place
        .shows("agreement", |secret| {
            secret["comparison"]["code"] == "matches"
        })
        .await;
    place.simulator.set_secret(SecretString::from(OTHER));
    // At most once a minute, whatever is sent.
    let found = until("drift", async || {
        assert_eq!(place.send(OTHER, "refused").await, 401);
        let secret = place.service.status().await["secrets"][PROJECT].clone();
        (secret["drift"] == true).then_some(secret)
    })
    .await;
    assert_eq!(found["comparison"]["code"], "other-secret");
    place.service.stop_well().await;
}

#[tokio::test]
async fn a_comparison_that_fails_is_shown_and_is_no_drift() {
    let place = Place::with(SECRET, |settings| settings).await;
    place
        .shows("agreement", |secret| {
            secret["comparison"]["code"] == "matches"
        })
        .await;
    place
        .simulator
        .set_outage(Outage::Unavailable { retry_after: None });
    let shown = place
        .shows("a failure", |secret| secret["comparison_failed"] == true)
        .await;
    assert_eq!(shown["failure"]["code"], "not-now");
    assert_eq!(
        shown["failure"]["fields"]["endpoint"],
        "callback-configuration"
    );
    assert_eq!(
        (&shown["drift"], place.target.told().len()),
        (&json!(false), 0)
    );
    place.simulator.set_outage(Outage::None);
    place
        .shows("an answer", |secret| secret["comparison_failed"] == false)
        .await;
    place.service.stop_well().await;
}

/// Each secret is counted at its place, from the start.
#[tokio::test]
async fn each_secret_has_a_count_of_what_it_has_verified() {
    let two = |settings: Settings| settings.set_project("secrets", json!([OTHER, SECRET]));
    let place = Place::with(SECRET, two).await;
    let series = |secret: usize| {
        format!(
            "sinch_callbacks_callbacks_verified_total{{secret=\"projects[0].secrets[{secret}]\"}}"
        )
    };
    for secret in 0..2 {
        assert_eq!(place.metric(&series(secret)).await.as_deref(), Some("0"));
    }
    for name in ["a", "b", "c"] {
        assert_eq!(place.send(SECRET, name).await, 200);
    }
    assert_eq!(place.send(OTHER, "d").await, 200);
    assert_eq!(place.send("a wrong secret", "e").await, 401);
    assert_eq!(place.metric(&series(0)).await.as_deref(), Some("1"));
    assert_eq!(place.metric(&series(1)).await.as_deref(), Some("3"));
    let path = format!("/api/v1/projects/{PROJECT}/secrets");
    let shown = place.service.get(&path).await.json();
    let second = &shown["secrets"][1];
    assert_eq!(second["count"], 3);
    assert!(second["first_at"].as_str() < second["last_at"].as_str());
    let screen = testkit::run([
        "--config",
        &place.settings.path().display().to_string(),
        "status",
    ])
    .await;
    let line = "projects[0].secrets[1] has verified 3 callbacks since ";
    assert!(screen.out.contains(line), "{screen:?}");
    place.service.stop_well().await;
}
