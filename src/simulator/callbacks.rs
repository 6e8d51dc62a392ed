//! The callback side: every planned callback at its time, signed, until somebody answers 200.
//!
//! Sinch's own schedule of retries is not documented. This one is short, because those who are called
//! here are restarted within seconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, header};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::journal::name;
use super::{Stage, lock};
use crate::sinch::signature;

/// How long a receiver may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The wait after the first failure; it doubles with each …
const WAIT_MIN: Duration = Duration::from_millis(100);
/// … up to this.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A callback that is still to be sent. The earliest due comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    /// Index of the notice.
    notice: usize,
    first_tried: Option<Instant>,
    tries: u32,
}

/// The queue of callbacks, and what sending takes.
pub(super) struct Post {
    stage: Arc<Stage>,
    client: Client,
    secret: SecretString,
    give_up: Duration,
    url: watch::Sender<Option<String>>,
    queue: Mutex<BinaryHeap<Reverse<Due>>>,
    /// How many are neither answered 200 nor given up.
    open: watch::Sender<usize>,
}

impl Post {
    pub fn new(
        stage: Arc<Stage>,
        url: Option<String>,
        secret: SecretString,
        give_up: Duration,
    ) -> reqwest::Result<Post> {
        // Somebody may have chosen one before: any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let planned = stage.world.notices().iter().enumerate();
        let queue: BinaryHeap<Reverse<Due>> = planned
            .flat_map(|(notice, planned)| planned.sent_at.iter().map(move |at| (notice, *at)))
            .map(|(notice, at)| {
                Reverse(Due {
                    at: stage.began + at,
                    notice,
                    first_tried: None,
                    tries: 0,
                })
            })
            .collect();
        Ok(Post {
            stage,
            client,
            secret,
            give_up,
            url: watch::Sender::new(url),
            open: watch::Sender::new(queue.len()),
            queue: Mutex::new(queue),
        })
    }

    pub fn set_url(&self, url: Option<String>) {
        self.url.send_replace(url);
    }

    /// Waits until nothing is open, or there is nobody to send to.
    pub async fn finished(&self) {
        if self.url.borrow().is_some() {
            let mut open = self.open.subscribe();
            // It fails only when the sender is gone, which `self` holds.
            let _ = open.wait_for(|open| *open == 0).await;
        }
    }

    /// One of several senders: carries the earliest, one at a time, until nothing is left.
    ///
    /// Whoever puts a callback back takes the earliest next, so none lies there while all wait for
    /// later ones; and so whoever finds nothing may go.
    pub async fn run(self: Arc<Self>) {
        while let Some(due) = self.next() {
            tokio::select! {
                () = self.stage.stop.cancelled() => return,
                () = self.carry(due) => {}
            }
        }
    }

    fn next(&self) -> Option<Due> {
        lock(&self.queue).pop().map(|Reverse(due)| due)
    }

    async fn carry(&self, due: Due) {
        let Some(notice) = self.stage.world.notices().get(due.notice) else {
            return;
        };
        sleep_until(due.at).await;
        let Some(url) = self.receiver().await else {
            return;
        };
        let body = notice.body(self.stage.world.project(), self.stage.started_at);
        let tried = Instant::now();
        let answered = self.send(&url, &body).await;
        let first_tried = due.first_tried.unwrap_or(tried);
        let at = self.stage.elapsed();
        let done = matches!(answered, Ok(StatusCode::OK));
        let given_up = !done && first_tried.elapsed() >= self.give_up;
        self.stage.write(|journal| {
            journal.stats.sent += 1;
            let failed = match answered {
                Ok(StatusCode::OK) => {
                    journal.acknowledge(due.notice, notice, body, self.stage.started_at, at);
                    return;
                }
                Ok(status) => {
                    journal.stats.refused += 1;
                    format!("answered {}", status.as_u16())
                }
                Err(_) => {
                    journal.stats.unanswered += 1;
                    "not answered".to_owned()
                }
            };
            journal.stats.given_up += u64::from(given_up);
            let then = if given_up {
                "given up"
            } else {
                "sent again soon"
            };
            let text = format!("{}: {failed}, {then}", name(&notice.says));
            journal.tell(&notice.order, at, text);
        });
        if done || given_up {
            self.open.send_modify(|open| *open -= 1);
        } else {
            let wait = WAIT_MIN
                .saturating_mul(1 << due.tries.min(16))
                .min(WAIT_MAX);
            lock(&self.queue).push(Reverse(Due {
                at: Instant::now() + wait,
                first_tried: Some(first_tried),
                tries: due.tries + 1,
                ..due
            }));
        }
    }

    /// Where to send to, as soon as that is known.
    async fn receiver(&self) -> Option<String> {
        let mut url = self.url.subscribe();
        let known = url.wait_for(Option::is_some).await.ok()?;
        known.clone()
    }

    async fn send(&self, url: &str, body: &str) -> reqwest::Result<StatusCode> {
        let response = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                signature::HEADER,
                signature::sign(&self.secret, body.as_bytes()),
            )
            .body(body.to_owned())
            .send()
            .await?;
        let status = response.status();
        // Read to its end, the connection serves again.
        let _ = response.bytes().await;
        Ok(status)
    }
}
