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
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::door::{Door, Welcome, canonical, send_off};
use super::foreign::{Foreign, OPENING_BYTES};
use super::line::Line;

/// Time limits of a connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Maximum time in which a new connection must send its first request's headers.
    pub header_timeout: Duration,
    /// Maximum time in which a kept connection must send the next request's headers, silence included.
    pub idle_timeout: Duration,
    /// Maximum time for which a stop waits for requests in flight.
    pub grace: Duration,
}

/// Maximum number of connections that the system holds ready before they are accepted. With it, callers that all come
/// at the same time need no second attempt, which takes a second.
const BACKLOG: i32 = 1024;

/// Maximum size of a request's head, and of all that a connection reads ahead.
const HEAD_MAX_BYTES: usize = 16 * 1024;

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

/// Serves until `stop` is cancelled, and then for the grace period at most.
///
/// # Errors
///
/// Returns the system's error if the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    limits: Limits,
    door: Door,
    service: impl HttpService,
    stop: CancellationToken,
) -> io::Result<()> {
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let nosniff = HeaderValue::from_static("nosniff");
    let service = ServiceBuilder::new()
        // No browser may take an answer for a page or a script.
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        // Nothing here panics on input. If that is wrong, one request fails and not a connection.
        .layer(CatchPanicLayer::new())
        .service(service);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(HEAD_MAX_BYTES);
    let grace = limits.grace;
    let host = Arc::new(Host {
        http,
        limits,
        door,
        service,
        stop: stop.clone(),
    });
    let connections = TaskTracker::new();
    // Connections that are left when this function ends are cancelled with it.
    let end = CancellationToken::new().drop_guard();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => match host.door.welcome(canonical(peer)) {
                Welcome::Served(place) => {
                    let serving = host.clone().converse(stream, peer, place);
                    connections.spawn(end.token().clone().run_until_cancelled_owned(serving));
                }
                Welcome::SentAway(words, place) => {
                    let leaving = send_off(stream, words, place);
                    connections.spawn(end.token().clone().run_until_cancelled_owned(leaving));
                }
                Welcome::HungUpOn => drop(stream),
            },
            // Not a fault of the system: the peer has gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                host.door.not_accepted(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // A connection that needs longer is cut off.
    let _ = timeout(grace, connections.wait()).await;
    Ok(())
}

/// State that all connections of a listener share.
struct Host<S> {
    http: http1::Builder,
    limits: Limits,
    door: Door,
    service: S,
    stop: CancellationToken,
}

impl<S, B> Host<S>
where
    S: Service<Request<Incoming>, Response = hyper::Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data: Send, Error: Into<axum::BoxError>> + Send + 'static,
{
    /// Serves a connection to its end.
    async fn converse(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let deadline = Instant::now() + self.limits.header_timeout;
        let mut opening = [0; OPENING_BYTES];
        let opened = timeout_at(deadline, stream.peek(&mut opening));
        let Some(Ok(Ok(length))) = self.stop.run_until_cancelled(opened).await else {
            return;
        };
        if let Some(foreign) = Foreign::recognise(&opening[..length]) {
            self.door.met(canonical(peer), foreign);
            return send_off(stream, self.door.foreign(), place).await;
        }
        // Fails if the peer has gone, which serving the connection soon finds out.
        let _ = stream.set_nodelay(true);
        let line = Line::new(stream, place, self.stop.clone());
        if let Some(foreign) = self.answer_all(line, peer, deadline).await {
            self.door.met(canonical(peer), foreign);
        }
    }

    /// Answers one request after the other. The first must have begun by the deadline. Returns the foreign input, if
    /// the connection ends because of it.
    async fn answer_all(&self, line: Line, peer: SocketAddr, deadline: Instant) -> Option<Foreign> {
        let midway = line.midway();
        let begun = AtomicBool::new(false);
        let service = service_fn(|mut request: Request<Incoming>| {
            begun.store(true, Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            self.service.clone().oneshot(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(line), service);
        let mut connection = pin!(connection);
        let mut stopping = false;
        let mut late = pin!(sleep_until(deadline));
        let ended = loop {
            tokio::select! {
                ended = connection.as_mut() => break ended,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = late.as_mut(), if !late.is_elapsed() => if !begun.load(Relaxed) {
                    return midway.load(Relaxed).then_some(Foreign::Slow);
                }
            }
        };
        Foreign::from_error(&ended.err()?, midway.load(Relaxed))
    }
}
