//! The feed of events, and their schemas.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{DEADLINE, Fixture};
use notifications::{SCHEMA_VERSION, schemas};

impl Fixture {
    /// Returns the id of the feed.
    async fn feed(&self) -> String {
        let page = self.get("/api/v1/events").await;
        page["feed"].as_str().expect("an id").to_owned()
    }
}

#[tokio::test]
async fn who_is_ahead_is_told_the_newest_number() {
    let world = Fixture::new().await;
    world.add_event("o1").await;
    let ahead = world.send("GET", "/api/v1/events?after=2", "").await.json();
    assert_eq!(ahead["newest"], 1, "{ahead}");
}

#[tokio::test]
async fn a_page_begins_at_a_time_where_it_continues_none() {
    let world = Fixture::new().await;
    for order in ["o1", "o2", "o3"] {
        world.add_event(order).await;
    }
    for (query, numbers) in [
        ("since=1970-01-01T00:00:00Z", 3),
        ("after=2&since=1970-01-01T00:00:00Z", 1),
    ] {
        let page = world
            .get(&format!("/api/v1/events?provisional=true&{query}"))
            .await;
        assert_eq!(
            page["events"].as_array().map(Vec::len),
            Some(numbers),
            "{query}: {page}"
        );
    }
}

/// Returns the first part of a stream.
fn beginning(feed: &str, after: usize) -> String {
    format!("retry: 2000\nevent: feed\ndata: {{\"feed\":\"{feed}\"}}\nid: {after}\n\n")
}

#[tokio::test]
async fn a_page_has_what_was_chosen_and_says_how_far_it_looked() {
    let world = Fixture::new().await;
    let feed = world.feed().await;
    let empty = json!({ "feed": feed, "events": [], "next": 0 });
    assert_eq!(world.get("/api/v1/events").await, empty);
    assert_eq!(world.get("/api/v1/events?after=oldest").await, empty);
    for order in ["o1", "o2", "o3"] {
        world.add_event(order).await;
    }
    let page = async |query: &str| {
        let page = world.get(&format!("/api/v1/events?{query}")).await;
        let events = page["events"].as_array().expect("a list").len();
        (events, page["next"].as_i64().expect("a number"))
    };
    for (query, expected) in [
        ("", (0, 3)),
        ("after=0", (0, 3)),
        ("after=0&provisional=true", (3, 3)),
        ("after=oldest&provisional=true", (3, 3)),
        ("after=0&provisional=true&limit=2", (2, 2)),
        ("after=2&provisional=true&limit=2", (1, 3)),
        ("after=3&provisional=true&limit=2", (0, 3)),
        ("after=0&provisional=true&types=order.*", (3, 3)),
        (
            "after=0&provisional=true&types=number.*,order.blocked",
            (0, 3),
        ),
        (&format!("after=1&provisional=true&feed={feed}"), (2, 3)),
    ] {
        assert_eq!(page(query).await, expected, "{query}");
    }
    for (query, status, words) in [
        ("after=4", 409, "restored"),
        (
            "after=1&feed=another",
            409,
            "feed: another one. The database was restored",
        ),
        ("after=-1", 400, "after: write"),
        ("after=newest", 400, "after: write"),
        ("since=yesterday", 400, "is no time"),
        ("wait=61", 400, "is no number from 0 to 60"),
        ("types=order", 400, "types: \\\"order\\\" matches no event"),
        ("types=", 400, "matches no event"),
        ("provisional=yes", 400, "neither true nor false"),
        ("before=3", 400, "no such parameter"),
    ] {
        for path in ["events", "events/stream"] {
            let answer = world
                .send("GET", &format!("/api/v1/{path}?{query}"), "")
                .await;
            assert_eq!(answer.status.as_u16(), status, "{path} {query}");
            let is_page = path == "events" || !query.starts_with("wait");
            assert!(
                !is_page || answer.body.contains(words),
                "{query}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn readers_beyond_the_maximum_come_back_later_and_a_stop_lets_all_go() {
    let world = Arc::new(Fixture::new().await);
    let waiting = tokio::spawn({
        let world = world.clone();
        async move {
            loop {
                let answer = world.send("GET", "/api/v1/events?wait=60", "").await;
                if answer.status == StatusCode::OK {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let path = "/api/v1/events?after=0&wait=1";
    let refused = loop {
        let answer = world.send("GET", path, "").await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers["retry-after"], "5");
    let stream = world.send("GET", "/api/v1/events/stream", "").await;
    assert_eq!(stream.status, StatusCode::SERVICE_UNAVAILABLE);
    // One that does not wait is answered.
    assert_eq!(world.get("/api/v1/events?after=0").await["next"], 0);

    world.stop.cancel();
    let answer = tokio::time::timeout(DEADLINE, waiting).await;
    let answer = answer.expect("in time").expect("no panic");
    let feed = answer.json()["feed"].as_str().expect("an id").to_owned();
    let expected = json!({ "feed": feed, "events": [], "next": 0 });
    assert_eq!(answer.json(), expected);
    let stream = world.send("GET", "/api/v1/events/stream", "").await;
    assert_eq!(stream.body, beginning(&feed, 0));
}

#[tokio::test]
async fn a_stream_has_the_events_with_their_numbers_and_resumes_after_the_last() {
    let world = Fixture::new().await;
    for order in ["o1", "o2"] {
        world.add_event(order).await;
    }
    let streamed = async |last_seen: &str| {
        let path = "/api/v1/events/stream?after=0&provisional=true";
        let request = Request::get(path).header("host", "localhost");
        let request = request.header("last-event-id", last_seen);
        let request = request.body(Body::empty()).expect("a request");
        let answer = world
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("answers");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut body = answer.into_body();
        let mut text = String::new();
        while text.matches("\n\n").count() < 2 {
            let frame = http_body_util::BodyExt::frame(&mut body).await;
            let bytes = frame.expect("a part").expect("no error").into_data();
            text.push_str(&String::from_utf8_lossy(&bytes.expect("data")));
        }
        text
    };
    let page = world
        .send("GET", "/api/v1/events?after=0&provisional=true", "")
        .await;
    let body = |number: usize| {
        let page: Value = page.json();
        let event = page["events"][number - 1].clone();
        (event["id"].as_str().map(str::to_owned)).expect("an id")
    };
    let whole = streamed("").await;
    let feed = world.feed().await;
    let event = |after, number| {
        let begin = beginning(&feed, after);
        let id = body(number);
        format!("{begin}id: {number}\nevent: order.in_review\ndata: {{\"id\":\"{id}")
    };
    assert!(whole.starts_with(&event(0, 1)), "{whole}");
    assert!(
        whole.contains("\n\nid: 2\nevent: order.in_review\ndata: {"),
        "{whole}"
    );
    let resumed = streamed("1").await;
    assert!(resumed.starts_with(&event(1, 2)), "{resumed}");
}

#[tokio::test]
async fn each_type_has_its_schema() {
    let world = Fixture::new().await;
    let list = world.get("/api/v1/events/schemas").await;
    let list = list["items"].as_array().expect("a list");
    assert_eq!(list.len(), schemas().count());
    for (listed, (event_type, schema)) in list.iter().zip(schemas()) {
        assert_eq!(listed["type"], event_type.name());
        assert_eq!(listed["version"], SCHEMA_VERSION);
        let path = listed["path"].as_str().expect("a path");
        let answer = world.send("GET", path, "").await;
        assert_eq!(answer.headers["content-type"], "application/schema+json");
        assert_eq!(answer.body, schema, "byte for byte");
    }
    let unknown = world.send("GET", "/api/v1/events/schemas/order", "").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.body.contains("no such type"), "{}", unknown.body);
}
