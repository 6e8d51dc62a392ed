//! A reader of the feed: its position, and the events that it chooses.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::http::problem::Problem;
use crate::store::{EventPage, FeedEvent, Store, StoreError};
use notifications::TypePattern;

/// Number of events that are read from the store at a time, which bounds the memory of a reader.
const CHUNK: u32 = 100;

/// Size at which a batch ends, whatever its limit is.
const BATCH_BYTES: usize = 1024 * 1024;

/// Maximum time for which one call looks for events that are chosen. The caller learns how far it came.
const SCAN_MAX: Duration = Duration::from_secs(2);

/// Maximum time without a look at the store: that events were recorded may be told or not, and replicas do not tell.
const POLL: Duration = Duration::from_secs(1);

/// Pause of a reader that was told of events before it looks again. Without it each commit would make each reader ask the
/// database.
const PAUSE: Duration = Duration::from_millis(20);

/// Position at which a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// After the newest event.
    Newest,
    /// Before the oldest event of which all that came later are kept.
    Oldest,
    /// After the event with this number.
    After(i64),
}

/// Choice of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Types of events; empty: all.
    pub types: Vec<TypePattern>,
    /// `true`: also events about a provisional state alone.
    pub provisional: bool,
}

impl Choice {
    fn has(&self, event: &FeedEvent) -> bool {
        let mut types = self.types.iter();
        (self.provisional || !event.provisional)
            && (self.types.is_empty() || types.any(|one| one.matches(event.event_type)))
    }
}

/// Reason why a reader cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReadError {
    /// Events after its position are not kept any more. The feed can be read after the given number.
    Pruned { after: i64 },
    /// Its position is of no event yet.
    Ahead { newest: i64 },
    /// The store cannot be read.
    Store(StoreError),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> ReadError {
        ReadError::Store(error)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        match error {
            ReadError::Pruned { after } => {
                let detail = "after: later events are gone (retention.events_days). Read on after the number here; the \
                              orders of /api/v1/orders have what you missed";
                Problem::with_detail(StatusCode::GONE, detail).with_number("after", after)
            }
            ReadError::Ahead { newest } => {
                let detail = "after: no event has this number yet: the database was restored from a backup, or is \
                              another one. Read on after the newest, or from the oldest";
                Problem::with_detail(StatusCode::CONFLICT, detail).with_number("newest", newest)
            }
            ReadError::Store(error) => error.into(),
        }
    }
}

/// Events that a reader chose, and how far it came.
#[derive(Debug)]
pub(super) struct Batch {
    /// Chosen events, the oldest first.
    pub events: Vec<FeedEvent>,
    /// Number of the last event that was looked at.
    pub next: i64,
    /// `true` if there was no event after it.
    pub at_end: bool,
}

/// A reader of the feed.
pub(super) struct Reader {
    store: Store,
    choice: Choice,
    /// Number of the last event that was looked at.
    position: i64,
}

impl Reader {
    /// Returns a reader that begins at a position.
    ///
    /// # Errors
    ///
    /// Returns the reason why nothing can be read there.
    pub async fn open(store: Store, start: Start, choice: Choice) -> Result<Reader, ReadError> {
        let after = match start {
            Start::After(number) => Some(number),
            Start::Oldest => Some(0),
            Start::Newest => None,
        };
        let position = match (store.events(after, 1).await?, start) {
            (EventPage::Events { after, .. }, _) | (EventPage::Pruned { after }, Start::Oldest) => {
                after
            }
            (EventPage::Pruned { after }, _) => return Err(ReadError::Pruned { after }),
            (EventPage::Ahead { newest }, _) => return Err(ReadError::Ahead { newest }),
        };
        Ok(Reader {
            store,
            choice,
            position,
        })
    }

    /// Returns the number of the last event that was looked at.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Returns the store from which the reader reads.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads on, until there are `limit` chosen events or enough bytes, or the end is reached, or for a while.
    ///
    /// # Errors
    ///
    /// Returns the reason why nothing can be read. What was read before it is read again by the next call.
    pub async fn read(&mut self, limit: usize) -> Result<Batch, ReadError> {
        let began = Instant::now();
        let (mut position, mut bytes, mut events) = (self.position, 0, Vec::new());
        let mut at_end = false;
        'looking: while !at_end && began.elapsed() < SCAN_MAX {
            let page = match self.store.events(Some(position), CHUNK).await? {
                EventPage::Events { events, .. } => events,
                EventPage::Pruned { after } => return Err(ReadError::Pruned { after }),
                EventPage::Ahead { newest } => return Err(ReadError::Ahead { newest }),
            };
            at_end = page.len() < CHUNK as usize;
            for event in page {
                if events.len() >= limit || bytes >= BATCH_BYTES {
                    at_end = false;
                    break 'looking;
                }
                position = event.sequence;
                if self.choice.has(&event) {
                    bytes += event.body.len();
                    events.push(event);
                }
            }
        }
        self.position = position;
        Ok(Batch {
            events,
            next: position,
            at_end,
        })
    }
}

/// Waits until events may have been recorded, until a time, or until the service stops.
pub(super) async fn rest(told: Notified<'_>, until: Instant, stop: &CancellationToken) {
    let poll = Instant::now() + POLL;
    tokio::select! {
        () = told => {}
        () = sleep_until(until.min(poll)) => {}
        () = stop.cancelled() => {}
    }
}

/// Lets more events come together before the reader looks again.
pub(super) async fn pause(stop: &CancellationToken) {
    // The result says if the pause was cut short, which the caller sees by itself.
    let _ = stop.run_until_cancelled(sleep(PAUSE)).await;
}
