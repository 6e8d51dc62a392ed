//! `tail`: the story, live.

use serde_json::Value;

use testkit::{Process, Service, until};

use super::Place;

/// Waits for a line that has the words.
async fn line(tail: &Process, words: &str) -> String {
    until(&format!("a line with {words}"), async || {
        let mut lines = tail.lines().into_iter();
        lines.find(|line| line.contains(words))
    })
    .await
}

#[tokio::test]
async fn what_happens_is_told_of_all_orders_or_of_one() {
    let place = Place::new(&["o1", "o2"], |settings| settings).await;
    place.complete("o1").await;
    let of_one = place.started(&["tail", "o1"]);
    let from_the_start = place.started(&["tail", "--since", "1h", "--json"]);
    line(&of_one, "order.completed").await;
    let told = line(&from_the_start, "order.completed").await;
    let told: Value = serde_json::from_str(&told).expect("a JSON value a line");
    assert_eq!(told["data"]["order"], "o1");
    place.complete("o2").await;
    line(&from_the_start, "\"order\":\"o2\"").await;
    assert!(
        !of_one.lines().iter().any(|line| line.contains("o2")),
        "{:?}",
        of_one.lines()
    );
    let between = place
        .ended(&["tail", "--since", "1h", "--until", "0s", "--json"])
        .await;
    assert_eq!(between.code, Some(0), "{between:?}");
    // An order may be told of twice: as a callback claims it, and as Sinch confirms it.
    for order in ["o1", "o2"] {
        let is_told = |line: &str| line.contains("order.completed") && line.contains(order);
        assert!(between.out.lines().any(is_told), "{order}: {between:?}");
    }
    let before = ["tail", "--since", "2h", "--until", "1h"];
    let before = place.ended(&before).await;
    assert_eq!(
        (before.code, before.out.as_str()),
        (Some(0), ""),
        "{before:?}"
    );
    let [later, end] = ["2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z"];
    let later = place.started(&["tail", "--since", later, "--until", end]);
    until("what it waits for", async || {
        let said = later.said();
        let is_said = ["--since 2100-01-01", "ends at --until 2100-01-02"];
        is_said
            .iter()
            .all(|words| said.contains(words))
            .then_some(())
    })
    .await;
    assert!(later.lines().is_empty());
    let ended = place.ended(&["tail", "--since", "soon"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = place.ended(&["tail", "o9"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

#[tokio::test]
async fn a_tail_outlasts_a_restart_of_the_service() {
    let mut place = Place::new(&["o1", "o2"], |settings| settings).await;
    place.complete("o1").await;
    let tail = place.started(&["tail", "--since", "1h"]);
    line(&tail, "o1").await;
    let settings = place
        .settings
        .clone()
        .set("operators.listen", place.service.operators.to_string());
    place.service.stop_well().await;
    until("the loss to be told", async || {
        tail.said().contains("asking again").then_some(())
    })
    .await;
    place.service = Service::start(&settings).await;
    place.complete("o2").await;
    line(&tail, "o2").await;
    line(&tail, "order.completed  o2     COMPLETED").await;
    let told = tail.lines();
    let numbers = told.iter().skip(1).map(|line| line.split(' ').next());
    let numbers: Vec<i64> = numbers
        .map(|number| {
            number
                .and_then(|number| number.parse().ok())
                .expect("a number")
        })
        .collect();
    let expected: Vec<i64> = (1..=numbers.len() as i64).collect();
    assert_eq!(numbers, expected, "none twice, and none missing: {told:?}");
}
