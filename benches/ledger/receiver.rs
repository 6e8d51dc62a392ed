//! A receiver that answers at once, as a process of its own, and knows how many events it got, and how late.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::Timestamp;
use testkit::instant_api::{serve, start_self};
use testkit::{Connection, Outcome, Process, Request, Settings, free_address, now};

/// Property of an event before which its time stands.
const TIMESTAMP: &str = "\"timestamp\":\"";

/// Receives events until the process is told to stop.
pub async fn receive(listen: SocketAddr) -> io::Result<()> {
    let delays: Arc<Mutex<Vec<i64>>> = Arc::default();
    let noted = delays.clone();
    let note = move |body: Bytes| {
        let delay = delay_of(&body);
        let mut delays = noted.lock().unwrap_or_else(PoisonError::into_inner);
        delays.push(delay);
        std::future::ready(StatusCode::NO_CONTENT)
    };
    let taken = delays.clone();
    let count = move || {
        let delays = delays.lock().unwrap_or_else(PoisonError::into_inner);
        std::future::ready(delays.len().to_string())
    };
    let take = move || {
        let mut delays = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_string(&std::mem::take(&mut *delays));
        std::future::ready(text.unwrap_or_default())
    };
    let router = Router::new()
        .route("/hooks", post(note))
        .route("/count", get(count))
        .route("/delays", get(take));
    serve(listen, router).await
}

/// Time from the event to now, in microseconds.
fn delay_of(body: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(body);
    let told = text.split_once(TIMESTAMP).map_or("", |(_, rest)| rest);
    let at = told.split_once('"').map_or("", |(at, _)| at);
    let at: Timestamp = at.parse().unwrap_or_default();
    now().0 - at.as_microsecond()
}

/// A receiver of events that answers at once.
pub struct Receiver {
    address: SocketAddr,
    /// Process of the receiver, which ends when the value is dropped.
    _process: Process,
}

impl Receiver {
    pub async fn start() -> Receiver {
        let address = free_address();
        let process = start_self(&["--receiver", &address.to_string()], address).await;
        Receiver {
            address,
            _process: process,
        }
    }

    /// Adds the receiver as a target that is told of all changes, provisional ones too if asked.
    pub fn add(&self, settings: Settings, name: &str, provisional: bool) -> Settings {
        let url = format!("http://{}/hooks", self.address);
        settings
            .add_target(name, &url)
            .set_target("provisional", provisional)
    }

    /// Returns the number of events that were received.
    pub async fn count(&self) -> Outcome<usize> {
        Ok(self.ask("/count").await?.parse()?)
    }

    /// Returns the time from each event to its receipt, since this was last asked.
    pub async fn delays(&self) -> Outcome<Vec<Duration>> {
        let micros: Vec<i64> = serde_json::from_str(&self.ask("/delays").await?)?;
        let micros = micros
            .into_iter()
            .map(|micros| micros.max(0).cast_unsigned());
        Ok(micros.map(Duration::from_micros).collect())
    }

    async fn ask(&self, path: &str) -> Outcome<String> {
        let mut connection = Connection::connect(self.address).await?;
        let request = Request::new("GET", path).bytes();
        let answer = connection.exchange(request).await?;
        Ok(String::from_utf8(answer.body)?)
    }
}
