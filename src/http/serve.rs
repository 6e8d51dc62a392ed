//! Serving so that nobody can hold a connection for nothing, and so that stopping ends.

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

/// What a connection may cost in time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a new connection may take to send its first request's headers.
    pub header_timeout: Duration,
    /// How long a kept connection may take to send the next request's headers, silence included.
    pub idle_timeout: Duration,
    /// How long a stop waits for what is in flight.
    pub grace: Duration,
}

/// Connections that the system may hold ready before they are taken: callers that all come at once do not
/// have to knock twice, which takes a second.
const BACKLOG: i32 = 1024;

/// Largest head of a request, and all that a connection reads ahead.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Pause after the system could not hand over a connection: the reason is seldom gone at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers every request on a listener, each with where it came from.
pub trait Answering:
    Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Answering for S where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves until `stop` is said, and then at most for the grace.
///
/// # Errors
///
/// When the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    limits: Limits,
    door: Door,
    service: impl Answering,
    stop: CancellationToken,
) -> io::Result<()> {
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let nosniff = HeaderValue::from_static("nosniff");
    let service = ServiceBuilder::new()
        // No answer is ever to be taken for a page or a script.
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        // Nothing here panics on input. Should that be wrong, one request fails and not a connection.
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
    // What is left of them when this ends goes with it.
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
            // The peer's affair: it has gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                host.door.not_accepted(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // Whoever needs longer is cut off.
    let _ = timeout(grace, connections.wait()).await;
    Ok(())
}

/// What all connections of a listener have in common.
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
        // Fails where the peer has gone, which is found out soon enough.
        let _ = stream.set_nodelay(true);
        let line = Line::new(stream, place, self.stop.clone());
        if let Some(foreign) = self.answer_all(line, peer, deadline).await {
            self.door.met(canonical(peer), foreign);
        }
    }

    /// Answers one request after the other, of which the first must have begun by the deadline. If the connection ends
    /// over something that is no request, it returns that.
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
