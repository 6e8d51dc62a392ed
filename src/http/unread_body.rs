//! Handling of a connection whose request is answered before its whole body was read.
//!
//! Either the service reads the rest and throws it away, and the connection serves the next request; or the response says
//! that the connection closes. A peer that is not told sends its next request into a closed connection.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_http::timeout::{DeadlineBody, TimeoutError};

/// Maximum wait for the rest of a body before its request is refused. A body in flight has mostly arrived by then. A
/// slower peer is told that the connection closes.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(300);

/// Keeps or closes the connection of a request that was answered with `body` unread. Reads at most `max` bytes of it.
pub async fn drain_or_close<B>(
    body: B,
    headers: &HeaderMap,
    max: usize,
    response: Response,
) -> Response
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return response;
    }
    // A peer that waits for 100 Continue may leave the body out: its next bytes could be the body or a new request.
    let expects_continue = headers.contains_key(header::EXPECT);
    let too_long = body.size_hint().lower() > max as u64;
    if !expects_continue && !too_long && drain(body, max).await {
        return response;
    }
    close(response)
}

/// Adds `Connection: close` to a response.
pub fn close(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Reads the rest of a body and throws it away. Returns `true` if the body ended in time and within the limit.
async fn drain<B>(body: B, max: usize) -> bool
where
    B: HttpBody<Data = Bytes> + Unpin,
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
    timeout(DRAIN_TIMEOUT, end).await.unwrap_or(false)
}

/// State in which a handler left a request's body.
pub enum BodyState {
    /// The body is intact; a part of it may be unread.
    Open(Body),
    /// The request's body did not arrive in time.
    TimedOut,
    /// The peer broke off the request's body, or spoke broken HTTP.
    Broken,
}

/// A request's body with a time limit. It reports its state when the handler drops it.
pub struct TrackedBody {
    state: BodyState,
    report: Option<oneshot::Sender<BodyState>>,
}

impl TrackedBody {
    /// Returns a body that must arrive within `timeout`, and the channel on which it reports its state.
    pub fn new(body: Body, timeout: Duration) -> (TrackedBody, oneshot::Receiver<BodyState>) {
        let (report, state) = oneshot::channel();
        let body = Body::new(DeadlineBody::new(timeout, body));
        let tracked = TrackedBody {
            state: BodyState::Open(body),
            report: Some(report),
        };
        (tracked, state)
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let BodyState::Open(body) = &mut self.state else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(Err(error)) = &frame {
            let timed_out = error
                .source()
                .is_some_and(|error| error.is::<TimeoutError>());
            self.state = if timed_out {
                BodyState::TimedOut
            } else {
                BodyState::Broken
            };
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            BodyState::Open(body) => body.is_end_stream(),
            BodyState::TimedOut | BodyState::Broken => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            BodyState::Open(body) => body.size_hint(),
            BodyState::TimedOut | BodyState::Broken => SizeHint::default(),
        }
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            // The send fails if the request itself was dropped, and its receiver with it.
            let _ = report.send(std::mem::replace(&mut self.state, BodyState::Broken));
        }
    }
}
