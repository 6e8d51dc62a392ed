//! An outage of Sinch's API, as operators see it from its first minute on; and what a reload leaves of what they saw.

use serde_json::Value;
use sinch_simulator::Outage;
use testkit::{PROJECT, Signal, until};

use super::{ATTENTION, Place};

/// Waits until `status` has a line with the code, and returns its text.
async fn told(place: &Place, code: &str) -> String {
    until(code, async || {
        let ended = place.ended(&["status", "--json"]).await;
        let status: Value = serde_json::from_str(&ended.out).ok()?;
        let lines = status["attention"].as_array()?.iter();
        let line = lines.clone().find(|line| line["code"] == code)?;
        assert_eq!(ended.code, Some(ATTENTION), "{ended:?}");
        line["text"].as_str().map(str::to_owned)
    })
    .await
}

/// Returns what a command says on one line: where its lines end depends on the path of the program.
async fn said(place: &Place, arguments: &[&str]) -> String {
    let said = place.run(0, arguments).await;
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_outage_is_told_from_the_first_failures_in_a_row_on() {
    // So long a wait leaves time to look between the first failures and the open circuit.
    let place = Place::new(&["o1", "o2"], |settings| {
        settings
            .set("worker.backoff_base_secs", 3)
            .set("worker.backoff_cap_secs", 3)
    })
    .await;
    let down = Outage::Unavailable { retry_after: None };
    place.simulator.set_outage(down);
    for order in ["o1", "o2"] {
        place.say(order, "IN_REVIEW").await;
    }
    let text = told(&place, "fetches-fail").await;
    for words in [
        &format!("Project {PROJECT}: the last "),
        " fetches failed, the first ",
        "answered 503); 2 orders wait for an answer",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = told(&place, "circuit-open").await;
    assert!(
        text.contains("its circuit has been open since ") && text.contains("the next probe is "),
        "{text}"
    );
    let story = said(&place, &["order", "show", "o1"]).await;
    for words in [
        "the circuit of its project has been open since ",
        "answered 503); the next probe is ",
    ] {
        assert!(story.contains(words), "{words}: {story}");
    }
    place.simulator.set_outage(Outage::None);
    place.run(0, &["resume", PROJECT]).await;
    for order in ["o1", "o2"] {
        place.service.settles(order, "COMPLETED").await;
    }
    place.run(0, &["status"]).await;
    let story = said(&place, &["order", "show", "o1"]).await;
    assert!(!story.contains("circuit"), "{story}");
}

#[tokio::test]
async fn a_reload_begins_the_counts_anew_and_says_so() {
    let place = Place::new(&["o1"], |settings| settings).await;
    place.complete("o1").await;
    let before = said(&place, &["status"]).await;
    assert!(
        before.contains("has verified 1 callback since the start, the last "),
        "{before}"
    );
    assert!(!before.contains("reload"), "{before}");
    let up = until("two seconds to be over", async || {
        let up = place.service.status().await["uptime_secs"].as_u64()?;
        (up >= 2).then_some(up)
    })
    .await;
    place.service.signal(Signal::HUP);
    let status = until("the reload", async || {
        let ended = place.ended(&["status", "--json"]).await;
        let mut status: Value = serde_json::from_str(&ended.out).ok()?;
        let status = status["status"].take();
        status["reloaded_at"].is_string().then_some(status)
    })
    .await;
    assert!(status["uptime_secs"].as_u64() >= Some(up), "{status}");
    let after = said(&place, &["status"]).await;
    for words in [
        "has verified 0 callbacks since the reload ",
        " s, reloaded ",
    ] {
        assert!(after.contains(words), "{words}: {after}");
    }
}
