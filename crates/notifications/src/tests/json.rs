//! The bytes of events. Receivers, readers of the feed and stored copies have them, so they change by no oversight.

use crate::sample;

#[test]
fn the_bytes_of_events_are_those_that_were_published() {
    let events: Vec<String> = sample::all().iter().map(|event| event.json()).collect();
    let published: Vec<&str> = include_str!("events.jsonl").lines().collect();
    assert_eq!(events.len(), published.len());
    for (event, published) in events.iter().zip(published) {
        assert_eq!(event, published);
    }
}
