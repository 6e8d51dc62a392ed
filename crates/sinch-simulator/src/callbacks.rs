//! Sends every planned callback at its time, signed, until the receiver answers 200.
//!
//! Sinch's own schedule of retries is not documented. This one is short, because the simulator's receivers are
//! restarted within seconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, header};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Shared, lock};
use sinch_numbers::signature;

/// Maximum time that a receiver may take to answer a callback. Even on a busy machine no receiver needs as long.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Wait after the first failure to send a callback; it doubles with each failure, up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(100);
/// Maximum wait between two attempts to send a callback.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Callback that is still to be sent; of several, the one that is due first comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct DueCallback {
    at: Instant,
    /// Index of the callback's event in the world.
    event: usize,
    first_sent: Option<Instant>,
    attempts: u32,
}

/// Sender of callbacks: their queue, and everything that sending needs.
pub(super) struct CallbackSender {
    shared: Arc<Shared>,
    client: Client,
    retry_for: Duration,
    url: watch::Sender<Option<String>>,
    queue: Mutex<BinaryHeap<Reverse<DueCallback>>>,
    /// Permits to send callbacks that no world has planned.
    places: Semaphore,
    /// Number of callbacks that are neither answered 200 nor abandoned.
    open: watch::Sender<usize>,
}

impl CallbackSender {
    pub fn new(
        shared: Arc<Shared>,
        url: Option<String>,
        retry_for: Duration,
        senders: usize,
    ) -> reqwest::Result<CallbackSender> {
        // The process may have installed a TLS provider before: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let planned = shared.world.events().iter().enumerate();
        let queue: BinaryHeap<Reverse<DueCallback>> = planned
            .flat_map(|(event, planned)| planned.sent_at.iter().map(move |at| (event, *at)))
            .map(|(event, at)| {
                Reverse(DueCallback {
                    at: shared.began + at,
                    event,
                    first_sent: None,
                    attempts: 0,
                })
            })
            .collect();
        Ok(CallbackSender {
            shared,
            client,
            retry_for,
            url: watch::Sender::new(url),
            open: watch::Sender::new(queue.len()),
            places: Semaphore::new(senders.max(1)),
            queue: Mutex::new(queue),
        })
    }

    pub fn set_url(&self, url: Option<String>) {
        self.url.send_replace(url);
    }

    /// Waits until no callback is open any more, or there is no receiver.
    pub async fn finished(&self) {
        if self.url.borrow().is_some() {
            let mut open = self.open.subscribe();
            // The wait fails only if the sender is dropped, and `self` holds the sender.
            let _ = open.wait_for(|open| *open == 0).await;
        }
    }

    /// Runs one of several senders: sends the earliest callback, one at a time, until none is left.
    ///
    /// A sender that puts a callback back takes the earliest next. So no callback stays in the queue while
    /// all senders wait for later ones, and a sender that finds the queue empty may stop.
    pub async fn run(self: Arc<Self>) {
        while let Some(due) = self.take_earliest() {
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                () = self.deliver(due) => {}
            }
        }
    }

    fn take_earliest(&self) -> Option<DueCallback> {
        lock(&self.queue).pop().map(|Reverse(due)| due)
    }

    async fn deliver(&self, due: DueCallback) {
        let Some(event) = self.shared.world.events().get(due.event) else {
            return;
        };
        sleep_until(due.at).await;
        let Some(url) = self.destination().await else {
            return;
        };
        let body = event.body(self.shared.world.project(), self.shared.started_at);
        let attempt = Instant::now();
        let answered = self.send_once(&url, &body).await;
        let first_sent = due.first_sent.unwrap_or(attempt);
        let at = self.shared.elapsed();
        let done = matches!(answered, Ok(StatusCode::OK));
        let abandoned = !done && first_sent.elapsed() >= self.retry_for;
        self.shared.write(|recorder| {
            recorder.sent(&answered, abandoned);
            if done {
                recorder.acknowledge(due.event, event, body, self.shared.started_at, at);
            }
        });
        if done || abandoned {
            self.open.send_modify(|open| *open -= 1);
        } else {
            lock(&self.queue).push(Reverse(DueCallback {
                at: Instant::now() + wait_after(due.attempts),
                first_sent: Some(first_sent),
                attempts: due.attempts + 1,
                ..due
            }));
        }
    }

    /// Sends a callback that no world has planned: to this URL, or to the one that is set, until it is answered 200 or
    /// abandoned. Returns `true` if it was answered 200.
    pub async fn send_until_answered(&self, url: Option<String>, body: &str) -> bool {
        let first_sent = Instant::now();
        let mut failures = 0;
        loop {
            let url = match &url {
                Some(own) => own.clone(),
                None => match self.destination().await {
                    Some(set) => set,
                    None => return false,
                },
            };
            // A place is taken only while a request is in flight, so that no callback waits for another's retry.
            let place = self.places.acquire().await;
            let answered = self.send_once(&url, body).await;
            drop(place);
            let done = matches!(answered, Ok(StatusCode::OK));
            let abandoned = !done && first_sent.elapsed() >= self.retry_for;
            self.shared.write(|recorder| {
                recorder.sent(&answered, abandoned);
                recorder.stats.acknowledged += u64::from(done);
            });
            if done || abandoned {
                return done;
            }
            sleep(wait_after(failures)).await;
            failures += 1;
        }
    }

    /// Returns the destination of callbacks as soon as one is set.
    async fn destination(&self) -> Option<String> {
        let mut url = self.url.subscribe();
        let known = url.wait_for(Option::is_some).await.ok()?;
        known.clone()
    }

    async fn send_once(&self, url: &str, body: &str) -> reqwest::Result<StatusCode> {
        let signed = signature::sign(&lock(&self.shared.secret), body.as_bytes());
        let response = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature::HEADER, signed)
            .body(body.to_owned())
            .send()
            .await?;
        let status = response.status();
        // The connection can be reused once the body is read to its end.
        let _ = response.bytes().await;
        Ok(status)
    }
}

/// Returns the wait before the next attempt to send a callback, after this many failures before the latest.
fn wait_after(failures: u32) -> Duration {
    WAIT_MIN.saturating_mul(1 << failures.min(16)).min(WAIT_MAX)
}
