//! A target's ledger of what it was told, compared with the feed of events and with the changes of state themselves.

use std::collections::{BTreeMap, HashMap, HashSet};

use number_order::Time;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Told;
use crate::postgres::Server;
use crate::{File, Service};

/// Types of events about orders and their numbers, as a target's `types` and as the feed's parameter.
pub const TYPES: [&str; 2] = ["order.*", "number.*"];

/// Number of events that are read at once.
const PAGE: usize = 1000;

/// Event of the feed.
#[derive(Clone, Debug)]
pub struct FeedEvent {
    /// Id of the event.
    pub id: String,
    /// JSON of the event, as the feed sent it.
    pub body: String,
}

/// Reads all events about orders and numbers, also provisional ones.
pub async fn feed(service: &Service) -> Vec<FeedEvent> {
    let (types, mut events, mut after) = (TYPES.join(","), Vec::new(), 0);
    loop {
        let query = format!("after={after}&provisional=true&types={types}&limit={PAGE}");
        let answer = service.get(&format!("/api/v1/events?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let (found, next) = read_page(&answer.body);
        events.extend(found);
        if next == after {
            return events;
        }
        after = next;
    }
}

fn read_page(body: &[u8]) -> (Vec<FeedEvent>, i64) {
    let page: Option<HashMap<&str, &RawValue>> = serde_json::from_slice(body).ok();
    let page = page.expect("a page of the feed");
    let events: Vec<&RawValue> = serde_json::from_str(page["events"].get()).expect("events");
    let event = |body: &RawValue| {
        let body = body.get().to_owned();
        let id = text(&json(body.as_bytes())["id"]);
        FeedEvent { id, body }
    };
    let next = page["next"].get().parse().expect("a number");
    (events.into_iter().map(event).collect(), next)
}

/// Change of an order's state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Change {
    /// Id of the order.
    pub order: String,
    /// Time at which the change was recorded.
    pub recorded_at: Time,
    /// State before; empty if there was none.
    pub from: String,
    /// State after.
    pub to: String,
    /// Code of the cause.
    pub cause: String,
}

/// Selects changes of state, on either database, each as one text.
pub const SELECT_CHANGES: &str = "
    SELECT o.sinch_id || '|' || t.recorded_at || '|' || coalesce(t.from_state, '') || '|' || t.to_state || '|' || t.cause
    FROM transitions AS t JOIN orders AS o ON o.id = t.order_id ORDER BY t.id";

/// Reads the changes of state from a database file.
pub async fn changes_in_file(file: &mut File) -> Vec<Change> {
    let lines = file.texts(SELECT_CHANGES).await;
    lines.iter().map(|line| read_change(line)).collect()
}

/// Reads the changes of state from a database on a server.
pub fn changes_on_server(server: &Server, database: &str) -> Vec<Change> {
    let lines = server.sql(database, SELECT_CHANGES);
    lines.lines().map(read_change).collect()
}

fn read_change(line: &str) -> Change {
    let mut columns = line.split('|');
    let mut next = || columns.next().expect("a column").to_owned();
    Change {
        order: next(),
        recorded_at: Time(next().parse().expect("a time")),
        from: next(),
        to: next(),
        cause: next(),
    }
}

/// Change of state that an event tells of; `None`: it tells of something else.
fn told_change(event: &FeedEvent) -> Option<Change> {
    let event = json(event.body.as_bytes());
    let data = &event["data"];
    let cause = data["cause"].as_str()?;
    let at: jiff::Timestamp = text(&event["timestamp"]).parse().expect("a time");
    Some(Change {
        order: text(&data["order"]),
        recorded_at: at.into(),
        from: text(&data["previous_state"]),
        to: text(&data["state"]),
        cause: cause.to_owned(),
    })
}

/// What is wrong with what a target was told. Each finding names an event or a change of state.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    /// Events of the feed that the target never took.
    pub missing: Vec<String>,
    /// Events that the target was told and the feed does not have.
    pub invented: Vec<String>,
    /// Events that the target was told with other bytes than before, or than the feed's.
    pub altered: Vec<String>,
    /// Events that the target took after a later one about the same order.
    pub out_of_sequence: Vec<String>,
    /// Changes of state without an event.
    pub untold: Vec<Change>,
    /// Changes of state that an event tells of and that did not happen.
    pub unfounded: Vec<Change>,
}

impl Findings {
    /// Compares what a target was told with the whole feed, and the feed with the changes of state.
    pub fn of(told: &[Told], feed: &[FeedEvent], changes: &[Change]) -> Findings {
        let mut bodies: HashMap<&str, &[u8]> = HashMap::new();
        for event in feed {
            bodies.insert(&event.id, event.body.as_bytes());
        }
        let of_feed: HashSet<&str> = bodies.keys().copied().collect();
        let mut found = Findings::default();
        let mut taken: HashSet<&str> = HashSet::new();
        let mut last: HashMap<String, i64> = HashMap::new();
        for one in told {
            let id = one.id();
            if !of_feed.contains(id) {
                found.invented.push(id.to_owned());
            }
            if *bodies.entry(id).or_insert(&one.body) != one.body {
                found.altered.push(id.to_owned());
            }
            if !one.taken {
                continue;
            }
            taken.insert(id);
            let body: Value = serde_json::from_slice(&one.body).unwrap_or_default();
            let data = &body["data"];
            let Some(sequence) = data["order_sequence"].as_i64() else {
                continue;
            };
            let last = last.entry(text(&data["order"])).or_insert(0);
            if sequence < *last {
                found.out_of_sequence.push(id.to_owned());
            }
            *last = sequence.max(*last);
        }
        let missing = feed.iter().filter(|event| !taken.contains(&*event.id));
        found.missing = missing.map(|event| event.id.clone()).collect();
        (found.untold, found.unfounded) = differences(changes, feed);
        found
    }

    /// Returns `true` if nothing is wrong.
    pub fn are_none(&self) -> bool {
        *self == Findings::default()
    }
}

/// Returns the changes without an event, and those that an event alone tells of. Two changes may be alike.
fn differences(changes: &[Change], feed: &[FeedEvent]) -> (Vec<Change>, Vec<Change>) {
    let mut surplus: BTreeMap<Change, i64> = BTreeMap::new();
    for change in changes {
        *surplus.entry(change.clone()).or_default() += 1;
    }
    for change in feed.iter().filter_map(told_change) {
        *surplus.entry(change).or_default() -= 1;
    }
    let of_sign = |sign: i64| {
        let of_sign = surplus.iter().filter(move |(_, count)| **count * sign > 0);
        of_sign.map(|(change, _)| change.clone()).collect()
    };
    (of_sign(1), of_sign(-1))
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON of an event")
}

/// Returns a JSON text; empty if the value is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Three changes of two orders, the events about them, and a target that took all of them.
    fn good() -> (Vec<Told>, Vec<FeedEvent>, Vec<Change>) {
        let changes = [
            "o1|1000000||IN_REVIEW|event",
            "o2|1000000||IN_REVIEW|event",
            "o1|2000000|IN_REVIEW|COMPLETED|answer",
        ];
        let changes: Vec<Change> = changes.into_iter().map(read_change).collect();
        let mut sequences: HashMap<&str, i64> = HashMap::new();
        let mut feed = Vec::new();
        for (n, change) in changes.iter().enumerate() {
            let sequence = sequences.entry(&change.order).or_insert(0);
            *sequence += 1;
            let previous = Some(&change.from).filter(|from| !from.is_empty());
            let id = format!("evt_{n}");
            let body = json!({
                "id": id, "timestamp": change.recorded_at,
                "data": {
                    "order": change.order, "order_sequence": *sequence, "state": change.to,
                    "cause": change.cause, "previous_state": previous,
                },
            });
            feed.push(FeedEvent {
                id,
                body: body.to_string(),
            });
        }
        // An event that tells of no change of state.
        let expiring = json!({ "id": "evt_3", "data": { "order": "o2", "order_sequence": 2 } });
        feed.push(FeedEvent {
            id: "evt_3".to_owned(),
            body: expiring.to_string(),
        });
        let told = feed.iter().map(|event| told(event, true)).collect();
        (told, feed, changes)
    }

    fn told(event: &FeedEvent, taken: bool) -> Told {
        Told {
            head: format!("POST / HTTP/1.1\r\nwebhook-id: {}\r\n\r\n", event.id),
            body: event.body.clone().into_bytes(),
            at: Time(0),
            taken,
        }
    }

    #[test]
    fn what_was_told_well_has_no_findings_whatever_is_repeated() {
        let (mut told, feed, changes) = good();
        let mut first = told[0].clone();
        told.insert(0, first.clone());
        first.taken = false;
        told.insert(0, first.clone());
        // An attempt that fails may be late.
        told.push(first);
        let found = Findings::of(&told, &feed, &changes);
        assert!(found.are_none(), "{found:#?}");
    }

    #[test]
    fn an_event_that_was_never_taken_is_missing() {
        let (mut told, feed, changes) = good();
        told[1].taken = false;
        told.pop();
        let found = Findings::of(&told, &feed, &changes);
        let missing = ["evt_1", "evt_3"].map(str::to_owned).into();
        assert_eq!(
            found,
            Findings {
                missing,
                ..Findings::default()
            }
        );
    }

    #[test]
    fn an_event_that_the_feed_has_not_is_invented() {
        let (told, mut feed, changes) = good();
        feed.pop();
        let found = Findings::of(&told, &feed, &changes);
        assert_eq!(
            found,
            Findings {
                invented: vec!["evt_3".to_owned()],
                ..Findings::default()
            }
        );
    }

    #[test]
    fn other_bytes_are_found_whether_the_event_was_taken_or_not() {
        for place in [0, 4] {
            let (mut told, feed, changes) = good();
            let mut changed = told[0].clone();
            changed.body.push(b' ');
            changed.taken = false;
            told.insert(place, changed);
            let found = Findings::of(&told, &feed, &changes);
            assert_eq!(found.altered, ["evt_0"], "{found:#?}");
            assert!(found.missing.is_empty() && found.invented.is_empty());
        }
    }

    #[test]
    fn an_event_after_a_later_one_of_its_order_is_out_of_sequence() {
        let (mut told, feed, changes) = good();
        told.swap(0, 2);
        let found = Findings::of(&told, &feed, &changes);
        assert_eq!(
            found,
            Findings {
                out_of_sequence: vec!["evt_0".to_owned()],
                ..Findings::default()
            }
        );
    }

    #[test]
    fn a_change_without_an_event_is_untold_and_an_event_without_a_change_unfounded() {
        let (mut told, mut feed, changes) = good();
        told.remove(0);
        feed.remove(0);
        let found = Findings::of(&told, &feed, &changes);
        assert_eq!(found.untold, changes[..1]);
        assert!(found.unfounded.is_empty() && found.missing.is_empty());
        let (told, feed, mut changes) = good();
        let gone = changes.remove(2);
        let found = Findings::of(&told, &feed, &changes);
        assert_eq!(found.unfounded, [gone]);
        assert!(found.untold.is_empty());
        // Of two changes that are alike, each has its own event.
        let (told, feed, mut changes) = good();
        changes.push(changes[0].clone());
        let found = Findings::of(&told, &feed, &changes);
        assert_eq!(found.untold, changes[..1]);
    }

    #[test]
    fn a_page_keeps_the_bytes_of_its_events() {
        let (events, next) = read_page(br#"{"events":[{"id":"e1" ,"a":1.0}],"next":7}"#);
        assert_eq!(events[0].id, "e1");
        assert_eq!(events[0].body, r#"{"id":"e1" ,"a":1.0}"#);
        assert_eq!(next, 7);
    }
}
