//! The feed as a stream of server-sent events, which resumes where it broke off.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::reader::{Batch, ReadError, Reader, pause, rest};
use crate::store::FeedEvent;

/// Maximum number of events that are read and sent together.
const TOGETHER: usize = 100;

/// Maximum time for which nothing is sent. Proxies close connections that are silent for long.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Time after which a reader should connect again, in milliseconds.
const RETRY_MS: u32 = 2000;

/// Body of the response: parts that are made as they are taken, and never more than one ahead.
pub(super) struct EventStream {
    /// Future of the next part; `None`: the stream has ended.
    next: Option<Part>,
}

/// Future of a part of the stream with what makes the next; `None`: the stream ends.
type Part = Pin<Box<dyn Future<Output = Option<(Bytes, Source)>> + Send>>;

/// What makes the parts of a stream.
struct Source {
    reader: Reader,
    stop: CancellationToken,
    /// Position that the peer knows of.
    told_position: Option<i64>,
    /// Time at which something has to be sent.
    silent_until: Instant,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// Returns the stream of what the reader reads. It holds the permit while it lasts.
    pub fn new(
        reader: Reader,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> EventStream {
        let source = Source {
            reader,
            stop,
            told_position: None,
            silent_until: Instant::now(),
            has_ended: false,
            _permit: permit,
        };
        EventStream {
            next: Some(Box::pin(async { Some(source.first()) })),
        }
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let part = ready!(next.as_mut().poll(cx));
        let (bytes, next) = part
            .map(|(bytes, source)| (bytes, Box::pin(source.part()) as Part))
            .unzip();
        self.next = next;
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Source {
    /// Makes the first part: from it the peer knows which feed it reads, and where it is, should the stream break off before
    /// the first event.
    fn first(mut self) -> (Bytes, Source) {
        let feed = self.reader.feed();
        let text = format!("retry: {RETRY_MS}\nevent: feed\ndata: {{\"feed\":\"{feed}\"}}\n");
        let text = text + &self.position_line();
        (self.sent(text), self)
    }

    /// Makes the next part: events, or a comment where there was none for a while.
    async fn part(mut self) -> Option<(Bytes, Source)> {
        let store = self.reader.store().clone();
        while !self.has_ended && !self.stop.is_cancelled() {
            let told = store.told().notified();
            match self.reader.read(TOGETHER).await {
                Ok(batch) if !batch.events.is_empty() => {
                    let text = self.events(&batch);
                    return Some((self.sent(text), self));
                }
                Ok(batch) => {
                    if Instant::now() >= self.silent_until {
                        let text = format!(": nothing new\n{}", self.position_line());
                        return Some((self.sent(text), self));
                    }
                    if batch.at_end {
                        rest(told, self.silent_until, &self.stop).await;
                        pause(&self.stop).await;
                    }
                }
                Err(ReadError::Pruned { after }) => {
                    self.has_ended = true;
                    let text = format!("event: pruned\ndata: {{\"after\":{after}}}\n\n");
                    return Some((self.sent(text), self));
                }
                // The peer connects again, and is told then.
                Err(ReadError::Ahead { .. } | ReadError::Other { .. } | ReadError::Store(_)) => {
                    return None;
                }
            }
        }
        None
    }

    fn events(&mut self, batch: &Batch) -> String {
        let events: String = batch.events.iter().map(as_text).collect();
        self.told_position = batch.events.last().map(|event| event.sequence);
        events
    }

    /// Returns the position as an id without an event, if the peer does not know it: those that a filter leaves out are
    /// not looked at again after a break.
    fn position_line(&mut self) -> String {
        let position = self.reader.position();
        if self.told_position == Some(position) {
            return "\n".to_owned();
        }
        self.told_position = Some(position);
        format!("id: {position}\n\n")
    }

    fn sent(&mut self, text: String) -> Bytes {
        self.silent_until = Instant::now() + SILENCE_MAX;
        text.into()
    }
}

/// Returns an event as the stream has it. A body is one line.
fn as_text(event: &FeedEvent) -> String {
    let FeedEvent {
        sequence,
        event_type,
        body,
        ..
    } = event;
    let body = body.replace('\n', "\ndata: ");
    format!(
        "id: {sequence}\nevent: {}\ndata: {body}\n\n",
        event_type.name()
    )
}
