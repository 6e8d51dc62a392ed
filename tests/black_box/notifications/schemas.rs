//! The schemas of events: those of the service and of the command are the same, and each event of the feed is as its says.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::Value;
use testkit::{run, until};

use super::Played;
use crate::feed_consumer::page;

/// Types of events that the test makes happen.
const SEEN: [&str; 6] = [
    "order.in_review",
    "order.blocked",
    "order.rejected",
    "order.completed",
    "number.ready",
    "alert.fired",
];

/// Returns the validators of all types, by the schemas that the service serves.
async fn validators(played: &Played) -> BTreeMap<String, Validator> {
    let mut validators = BTreeMap::new();
    for listed in played.service.list("/api/v1/events/schemas").await {
        let (event_type, path) = (&listed["type"], &listed["path"]);
        let (event_type, path) = (event_type.as_str(), path.as_str());
        let (event_type, path) = (event_type.expect("a type"), path.expect("a path"));
        let served = played.service.get(path).await;
        let printed = run(["events", "schema", event_type]).await.out;
        let schema: Value = served.json();
        assert_eq!(printed.trim_end().as_bytes(), served.body.trim_ascii_end());
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = options.build(&schema).expect("a schema");
        validators.insert(event_type.to_owned(), validator);
    }
    validators
}

#[tokio::test]
async fn each_event_of_the_feed_is_as_the_schema_of_the_same_service_says() {
    let orders = ["o1", "o2", "o3"];
    let played = Played::with(&orders, |settings| {
        settings.set("deadlines.blocked_secs", 1)
    })
    .await;
    played.enter("o2", "BLOCKED", 1).await;
    played.enter("o3", "REJECTED", 2).await;
    played.enter("o1", "IN_REVIEW", 1).await;
    played.enter("o1", "COMPLETED", 2).await;
    let events = until("all of these to happen", async || {
        let query = "after=0&provisional=true&limit=1000";
        let events = page(&played.service, query).await.events;
        let events = events.iter().map(|text| serde_json::from_str(text));
        let events: Vec<Value> = events.collect::<Result<_, _>>().expect("JSON");
        let types: BTreeSet<_> = events
            .iter()
            .filter_map(|event| event["type"].as_str())
            .collect();
        let are_there = SEEN.iter().all(|one| types.contains(one));
        are_there.then_some(events)
    })
    .await;
    let validators = validators(&played).await;
    let listed = run(["events", "schema"]).await.out;
    assert_eq!(
        listed.lines().collect::<BTreeSet<_>>(),
        validators.keys().map(String::as_str).collect()
    );
    for event in &events {
        let validator = &validators[event["type"].as_str().expect("a type")];
        let fault = validator
            .validate(event)
            .err()
            .map(|fault| fault.to_string());
        assert_eq!(fault, None, "{event}");
        // The control: what lacks its id is none.
        let mut lacking = event.clone();
        lacking.as_object_mut().expect("an object").remove("id");
        assert!(!validator.is_valid(&lacking), "{event}");
    }
    let ended = run(["events", "schema", "order.gone"]).await;
    assert!(
        ended.code == Some(2) && ended.err.contains("order.completed"),
        "{ended:?}"
    );
    played.service.stop_well().await;
}
