//! A reader of the feed: its position, and the events that it chooses.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::http::problem::Problem;
use crate::store::{EventPage, FeedEvent, FeedRequest, Store, StoreError};
use notifications::EventType;
use number_order::{Id, Time};

/// Number of events that are read from the store at a time, which bounds the memory of a reader.
const CHUNK: usize = 100;

/// Size at which a batch ends, whatever its limit is.
const BATCH_BYTES: usize = 1024 * 1024;

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
    /// A little before the first event of this time or later.
    Since(Time),
}

/// What a reader asks for.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Position at which the reader begins.
    pub start: Start,
    /// Id of the feed in which the position was given, if the reader names it.
    pub feed: Option<String>,
    /// Types of events; empty: all.
    pub types: Vec<EventType>,
    /// `true`: also events about a provisional state alone.
    pub provisional: bool,
    /// Id of the order that the events are about; `None`: about any, or about none.
    pub order: Option<Id>,
}

/// Reason why a reader cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReadError {
    /// Events after its position are not kept any more. The feed can be read after the given number.
    Pruned { after: i64 },
    /// Its position is of no event yet.
    Ahead { newest: i64 },
    /// Its position was given in another feed.
    Other { newest: i64 },
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
            ReadError::Other { newest } => {
                let detail = "feed: another one. The database was restored from a backup, or replaced, and numbers are given \
                              again. Read on without feed, from the oldest, and take each id once";
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
    /// Request for the next page: after the last event that was looked at, in the feed in which the reader began.
    request: FeedRequest,
}

impl Reader {
    /// Returns a reader that begins at a position.
    ///
    /// # Errors
    ///
    /// Returns the reason why nothing can be read there.
    pub async fn open(store: Store, choice: Choice) -> Result<Reader, ReadError> {
        let mut request = FeedRequest {
            after: match choice.start {
                Start::After(number) => Some(number),
                Start::Oldest => Some(0),
                Start::Newest => None,
                Start::Since(time) => Some(store.events_since(time).await?),
            },
            feed: choice.feed,
            types: choice.types,
            provisional: choice.provisional,
            order: choice.order,
            limit: 1,
        };
        let mut page = store.events(&request).await?;
        if let (EventPage::Pruned { after }, Start::Oldest | Start::Since(_)) =
            (&page, choice.start)
        {
            request.after = Some(*after);
            page = store.events(&request).await?;
        }
        let page = read_page(page)?;
        request.feed = Some(page.feed);
        request.after = Some(page.after);
        Ok(Reader { store, request })
    }

    /// Returns the number of the last event that was looked at.
    pub fn position(&self) -> i64 {
        self.request.after.unwrap_or_default()
    }

    /// Returns the id of the feed.
    pub fn feed(&self) -> &str {
        self.request.feed.as_deref().unwrap_or_default()
    }

    /// Returns the store from which the reader reads.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads on, until there are `limit` chosen events or enough bytes, or the end is reached.
    ///
    /// # Errors
    ///
    /// Returns the reason why nothing can be read. What was read before it is read again by the next call.
    pub async fn read(&mut self, limit: usize) -> Result<Batch, ReadError> {
        let (mut position, mut bytes, mut events) = (self.position(), 0, Vec::new());
        let mut at_end = false;
        while !at_end && events.len() < limit && bytes < BATCH_BYTES {
            let chunk = CHUNK.min(limit - events.len());
            let page = self.page(position, chunk).await?;
            let is_last = page.events.len() < chunk;
            let mut left = page.events.into_iter();
            while bytes < BATCH_BYTES
                && let Some(event) = left.next()
            {
                bytes += event.body.len();
                position = event.sequence;
                events.push(event);
            }
            // What is left of the chunk is read again by the next call.
            if left.len() == 0 {
                position = page.through;
                at_end = is_last;
            }
        }
        self.request.after = Some(position);
        Ok(Batch {
            events,
            next: position,
            at_end,
        })
    }

    async fn page(&self, after: i64, limit: usize) -> Result<Page, ReadError> {
        let request = FeedRequest {
            after: Some(after),
            limit: limit as u32,
            ..self.request.clone()
        };
        read_page(self.store.events(&request).await?)
    }
}

/// Page of the feed that can be read.
struct Page {
    feed: String,
    after: i64,
    events: Vec<FeedEvent>,
    through: i64,
}

fn read_page(page: EventPage) -> Result<Page, ReadError> {
    match page {
        EventPage::Events {
            feed,
            after,
            events,
            through,
        } => Ok(Page {
            feed,
            after,
            events,
            through,
        }),
        EventPage::Pruned { after } => Err(ReadError::Pruned { after }),
        EventPage::Ahead { newest } => Err(ReadError::Ahead { newest }),
        EventPage::Other { newest } => Err(ReadError::Other { newest }),
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
