//! HTTP server in which no peer can hold a connection without using it, and in which a stop always ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::admission::{Admission, AdmissionControl, Rejection, canonical, reject};
use super::lingering_stream::LingeringStream;
use super::protocol_error::{PREAMBLE_BYTES, ProtocolError};

/// Time limits of a listener's connections.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Maximum time in which a new connection must send its first request's headers.
    pub header_timeout: Duration,
    /// Maximum time from one request of a connection to the headers of the next, and maximum time for which a peer may
    /// take nothing of a response.
    pub idle_timeout: Duration,
    /// Maximum time for which a stop waits for requests in flight.
    pub grace: Duration,
}

/// Maximum number of connections that wait in the system until the service accepts them. With this number, callers that all
/// come at the same time need no second attempt, which takes a second.
const BACKLOG: i32 = 1024;

/// Maximum size of a request's head, and of all that a connection reads ahead.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Maximum time that a connection has for its first request when the service stops: its peer may have sent it already.
const LAST_REQUEST_MAX: Duration = Duration::from_secs(1);

/// Pause after the system could not hand over a connection. The reason seldom disappears at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Service that answers every request on a listener. Each request carries its peer's address.
pub trait HttpService:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves the connections of a listener until `stop` is cancelled, and then for the grace period at most.
///
/// # Errors
///
/// Returns the system's error if the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    timeouts: Timeouts,
    admission: AdmissionControl,
    service: impl HttpService,
    stop: CancellationToken,
) -> io::Result<()> {
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let nosniff = HeaderValue::from_static("nosniff");
    let service = ServiceBuilder::new()
        // The header keeps a browser from taking a response for a page or a script.
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        // No handler panics on input. Should one panic all the same, one request fails and not the connection.
        .layer(CatchPanicLayer::new())
        .service(service);
    let grace = timeouts.grace;
    let server = Arc::new(Server {
        http: http_builder(&timeouts),
        timeouts,
        admission,
        service,
        stop: stop.clone(),
    });
    let connections = TaskTracker::new();
    // When the function ends, the remaining connections are cancelled.
    let end = CancellationToken::new().drop_guard();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => match server.admission.admit(canonical(peer)).await {
                Admission::Serve(permit) => {
                    let serving = server.clone().serve_connection(stream, peer, permit);
                    connections.spawn(end.token().clone().run_until_cancelled_owned(serving));
                }
                Admission::Reject(rejection) => {
                    let rejecting = reject(stream, peer, rejection);
                    connections.spawn(end.token().clone().run_until_cancelled_owned(rejecting));
                }
                Admission::Drop => drop(stream),
            },
            // The peer has gone already, which is no fault of the system.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                server.admission.report_not_accepted(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // A connection that needs longer than the grace is cut off.
    let _ = timeout(grace, connections.wait()).await;
    Ok(())
}

fn http_builder(timeouts: &Timeouts) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(timeouts.idle_timeout)
        .max_buf_size(HEAD_MAX_BYTES);
    http
}

/// State that all connections of a listener share.
struct Server<S> {
    http: http1::Builder,
    timeouts: Timeouts,
    admission: AdmissionControl,
    service: S,
    stop: CancellationToken,
}

impl<S, B> Server<S>
where
    S: Service<Request<Incoming>, Response = hyper::Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data: Send, Error: Into<axum::BoxError>> + Send + 'static,
{
    /// Serves a connection of the listener to its end.
    async fn serve_connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) {
        let deadline = Instant::now() + self.timeouts.header_timeout;
        let mut preamble = [0; PREAMBLE_BYTES];
        let peek = timeout_at(deadline, stream.peek(&mut preamble));
        let peeked = tokio::select! {
            peeked = peek => peeked,
            () = self.last_request_passed() => return,
        };
        let Ok(Ok(length)) = peeked else {
            return;
        };
        if let Some(error) = ProtocolError::recognise(&preamble[..length]) {
            self.admission.report_protocol_error(canonical(peer), error);
            let rejection = Rejection::of_admitted(self.admission.bad_request(), permit);
            return reject(stream, peer, rejection).await;
        }
        // The call fails if the peer has gone, which serving the connection soon finds out.
        let _ = stream.set_nodelay(true);
        let write_timeout = self.timeouts.idle_timeout;
        let stream = LingeringStream::new(stream, permit, self.stop.clone(), write_timeout);
        if let Some(error) = self.serve_requests(stream, peer, deadline).await {
            self.admission.report_protocol_error(canonical(peer), error);
        }
    }

    /// Ends once the service stops and the time for a last request has passed.
    async fn last_request_passed(&self) {
        self.stop.cancelled().await;
        sleep(LAST_REQUEST_MAX).await;
    }

    /// Serves one request of a connection after the other. The first must have begun by the deadline. Returns the
    /// protocol error, if the connection ends because of one.
    async fn serve_requests(
        &self,
        stream: LingeringStream,
        peer: SocketAddr,
        deadline: Instant,
    ) -> Option<ProtocolError> {
        let peer_sent_last = stream.peer_sent_last();
        let (begun, begins) = (AtomicBool::new(false), Notify::new());
        let service = service_fn(|mut request: Request<Incoming>| {
            if !begun.swap(true, Relaxed) {
                begins.notify_one();
            }
            request.extensions_mut().insert(ConnectInfo(peer));
            self.service.clone().oneshot(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        let mut first_deadline = pin!(sleep_until(deadline));
        let last_request = async {
            self.stop.cancelled().await;
            // A shutdown before the first request would throw away what the peer has sent.
            if !begun.load(Relaxed) {
                let _ = timeout(LAST_REQUEST_MAX, begins.notified()).await;
            }
        };
        let mut last_request = pin!(last_request);
        let ended = loop {
            tokio::select! {
                // What has come in already is read before the connection is shut down.
                biased;
                ended = connection.as_mut() => break ended,
                () = last_request.as_mut(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = first_deadline.as_mut(), if !first_deadline.is_elapsed() => if !begun.load(Relaxed) {
                    return peer_sent_last.load(Relaxed).then_some(ProtocolError::Slow);
                }
            }
        };
        ProtocolError::from_error(&ended.err()?, peer_sent_last.load(Relaxed))
    }
}
