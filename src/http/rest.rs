//! Handling of a connection whose request is answered before its whole body was read.
//!
//! Either the service reads the rest and throws it away, and the connection serves the next request; or the answer says
//! that the connection closes. A peer that is not told sends its next request into a closed connection.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_http::timeout::{DeadlineBody, TimeoutError};

/// Maximum wait for the rest of a body before its request is refused. A body in flight has mostly arrived by then. A
/// slower peer is told that the connection closes.
const PATIENCE: Duration = Duration::from_millis(300);

/// Keeps or closes the connection behind an answer that was made with `rest` unread. Reads at most `max` bytes of it.
pub async fn settle<B>(rest: B, head: &HeaderMap, max: usize, answer: Response) -> Response
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if rest.is_end_stream() {
        return answer;
    }
    // A peer that waits for 100 Continue may leave the body out: its next bytes could be the body or a new request.
    let waits = head.contains_key(header::EXPECT);
    let too_long = rest.size_hint().lower() > max as u64;
    if !waits && !too_long && drain(rest, max).await {
        return answer;
    }
    closing(answer)
}

/// Adds `Connection: close` to an answer.
pub fn closing(mut answer: Response) -> Response {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

/// Reads the body and throws it away. Returns `true` if it ended in time and within the limit.
async fn drain<B>(body: B, max: usize) -> bool
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = Limited::new(body, max);
    let end = async {
        loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
    };
    timeout(PATIENCE, end).await.unwrap_or(false)
}

/// Result of lending a body.
pub enum Returned {
    /// The body, with or without something unread.
    Rest(axum::body::Body),
    /// Nothing: the body did not arrive in time.
    Slow,
    /// Nothing: the peer broke off or spoke broken HTTP.
    Broken,
}

/// A body that is lent to a handler, and comes back when it is dropped.
pub struct Lent {
    returned: Returned,
    back: Option<oneshot::Sender<Returned>>,
}

impl Lent {
    /// Returns a body to lend, which has `span` to arrive, and the channel on which it comes back.
    pub fn new(body: axum::body::Body, span: Duration) -> (Lent, oneshot::Receiver<Returned>) {
        let (back, returned) = oneshot::channel();
        let body = axum::body::Body::new(DeadlineBody::new(span, body));
        let lent = Lent {
            returned: Returned::Rest(body),
            back: Some(back),
        };
        (lent, returned)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Returned::Rest(body) = &mut self.returned else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(Err(error)) = &frame {
            let slow = error
                .source()
                .is_some_and(|error| error.is::<TimeoutError>());
            self.returned = if slow {
                Returned::Slow
            } else {
                Returned::Broken
            };
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.returned {
            Returned::Rest(body) => body.is_end_stream(),
            Returned::Slow | Returned::Broken => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.returned {
            Returned::Rest(body) => body.size_hint(),
            Returned::Slow | Returned::Broken => SizeHint::default(),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Fails if the request itself was dropped, and its receiver with it.
            let _ = back.send(std::mem::replace(&mut self.returned, Returned::Broken));
        }
    }
}
