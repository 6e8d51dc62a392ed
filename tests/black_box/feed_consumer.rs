//! Consumers of the feed: one that asks page by page or streams, and is cut off at random.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use testkit::{PATIENCE, Service};

/// Page of the feed, each event as it was sent.
pub struct Page {
    pub events: Vec<String>,
    pub next: i64,
}

fn read_page(text: &str) -> Page {
    #[derive(Deserialize)]
    struct Sent<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
        next: i64,
    }
    let sent: Sent = serde_json::from_str(text).unwrap_or_else(|_| panic!("no page: {text}"));
    Page {
        events: sent
            .events
            .iter()
            .map(|event| event.get().to_owned())
            .collect(),
        next: sent.next,
    }
}

pub async fn page(service: &Service, query: &str) -> Page {
    let answer = service.get(&format!("/api/v1/events?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    read_page(&String::from_utf8(answer.body).expect("text"))
}

/// Numbers of events.
pub fn sequences(events: &[String]) -> Vec<i64> {
    let number = |event: &String| {
        let event: Value = serde_json::from_str(event).expect("JSON");
        event["sequence"].as_i64().expect("a number")
    };
    events.iter().map(number).collect()
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    client.build().expect("a client")
}

/// An event of a stream.
#[derive(Debug)]
pub struct Streamed {
    pub id: i64,
    pub event_type: String,
    pub data: String,
}

/// A stream of events.
pub struct Stream {
    response: reqwest::Response,
    unread: String,
}

impl Stream {
    /// Opens a stream that goes on after the event that was last seen.
    pub async fn open(operators: SocketAddr, query: &str, last_seen: Option<i64>) -> Stream {
        let url = format!("http://{operators}/api/v1/events/stream?{query}");
        let mut request = client().get(url);
        if let Some(last_seen) = last_seen {
            request = request.header("Last-Event-ID", last_seen);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{response:?}");
        Stream {
            response,
            unread: String::new(),
        }
    }

    /// Returns the next event; `None`: the stream has ended.
    pub async fn next(&mut self) -> Option<Streamed> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let streamed = read_block(block);
                self.unread = rest.into();
                if streamed.is_some() {
                    return streamed;
                }
            }
            let bytes = self.response.chunk().await.ok()??;
            self.unread.push_str(str::from_utf8(&bytes).expect("text"));
        }
    }
}

/// Reads an event; `None`: the block has none, or says which feed this is.
fn read_block(block: &str) -> Option<Streamed> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    if field("event: ") == Some("feed") {
        return None;
    }
    Some(Streamed {
        data: field("data: ")?.to_owned(),
        id: field("id: ")?.parse().expect("a number"),
        event_type: field("event: ")?.to_owned(),
    })
}

/// All that a consumer has read.
#[derive(Default)]
pub struct Read {
    pub events: Vec<String>,
    /// Number of times that the consumer was cut off.
    pub cut_off: u32,
}

/// A consumer that reads everything from the beginning until it is told where the end is.
pub struct Consumer {
    end: watch::Sender<i64>,
    task: JoinHandle<Read>,
}

impl Consumer {
    pub fn start(operators: SocketAddr, seed: u64) -> Consumer {
        let (end, last) = watch::channel(i64::MAX);
        let task = tokio::spawn(consume(operators, fastrand::Rng::with_seed(seed), last));
        Consumer { end, task }
    }

    /// Returns what the consumer has read once it has reached the event with the given number.
    pub async fn until(self, last: i64) -> Read {
        self.end.send_replace(last);
        let read = tokio::time::timeout(PATIENCE, self.task).await;
        read.expect("in time").expect("no panic")
    }
}

async fn consume(operators: SocketAddr, mut rng: fastrand::Rng, end: watch::Receiver<i64>) -> Read {
    let (mut read, mut after) = (Read::default(), 0);
    while after < *end.borrow() {
        if rng.bool() {
            let limit = rng.u32(1..20);
            let query = format!("after={after}&provisional=true&limit={limit}&wait=1");
            let url = format!("http://{operators}/api/v1/events?{query}");
            let answer = client().get(url).send().await.expect("an answer");
            if rng.u32(..3) == 0 {
                // The answer is lost on the way, or the consumer dies before it has stored it.
                read.cut_off += 1;
                continue;
            }
            let page = read_page(&answer.text().await.expect("text"));
            read.events.extend(page.events);
            after = page.next;
        } else {
            let mut stream = Stream::open(operators, "after=0&provisional=true", Some(after)).await;
            for _ in 0..rng.u32(1..10) {
                if after >= *end.borrow() {
                    break;
                }
                let next = tokio::time::timeout(PATIENCE / 90, stream.next()).await;
                let Ok(Some(event)) = next else { break };
                assert!(event.event_type.contains('.'), "{event:?}");
                read.events.push(event.data);
                after = event.id;
            }
            read.cut_off += 1;
        }
    }
    read
}
