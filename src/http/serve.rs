//! Serving so that nobody can hold a connection for nothing, and so that stopping ends.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::ServiceExt;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum_server::Handle;
use axum_server::accept::Accept;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a new connection may take to send its first request's headers.
    pub header_timeout: Duration,
    /// How long a kept connection may take to send the next request's headers, silence included.
    pub idle_timeout: Duration,
    /// Connections at once; whoever comes beyond is told 503, and the connection is closed.
    pub connections_max: usize,
}

/// Connections that the system may hold ready before they are taken: callers that all come at once do not
/// have to knock twice, which takes a second.
const BACKLOG: i32 = 1024;

/// Callers beyond the cap that are told so at once; more are hung up on.
const TURNED_AWAY_MAX: usize = 256;

/// How long a caller beyond the cap may take to send its request and to read what it is told.
const FAREWELL: Duration = Duration::from_secs(1);

/// What it is told.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n\
    content-type: application/problem+json\r\ncontent-length: 65\r\n\r\n\
    {\"status\":503,\"title\":\"Service Unavailable\",\"type\":\"about:blank\"}";

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

/// Serves until the handle says stop.
///
/// # Errors
///
/// When the listener cannot be used any more.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    service: impl Answering,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    rustix::net::listen(&listener, BACKLOG)?;
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .http1_only()
        .first_request_timeout(limits.header_timeout)
        .acceptor(Cap {
            places: Arc::new(Semaphore::new(limits.connections_max)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
        })
        .accept_error_handler(|peer, error| {
            tracing::debug!(?peer, %error, "a connection was not taken");
        });
    server
        .http_builder()
        .http1()
        .header_read_timeout(limits.idle_timeout);
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
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    server.serve(service).await
}

/// Takes connections as long as there are places.
#[derive(Clone)]
struct Cap {
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl<S: Send + 'static> Accept<TcpStream, S> for Cap {
    type Stream = Counted;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Counted, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = self.places.clone().try_acquire_owned();
        let turned_away = self.turned_away.clone();
        Box::pin(async move {
            let Ok(permit) = place else {
                if let Ok(_permit) = turned_away.try_acquire() {
                    // Whoever does not let itself be told is hung up on.
                    let _ = timeout(FAREWELL, turn_away(stream)).await;
                }
                return Err(io::Error::other("too many connections"));
            };
            stream.set_nodelay(true)?;
            let counted = Counted {
                stream,
                _permit: permit,
            };
            Ok((counted, service))
        })
    }
}

/// Tells a caller that there is no place for it, which takes no more than this.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let mut unread = [0; 1024];
    // An answer that comes before its question would be taken for nonsense.
    if stream.read(&mut unread).await? == 0 {
        return Ok(());
    }
    stream.write_all(NO_PLACE).await?;
    stream.shutdown().await?;
    // Closed with something unread the connection is reset, which can overtake the answer.
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// A connection that gives its place back when it ends.
struct Counted {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
