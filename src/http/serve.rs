//! Serving a router so that nobody can hold a connection for nothing, and so that stopping ends.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum_server::Handle;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a new connection may take to send its first request's headers.
    pub header_timeout: Duration,
    /// How long a kept connection may take to send the next request's headers, silence included.
    pub idle_timeout: Duration,
    /// Connections at once; more are closed as they come.
    pub connections_max: usize,
}

/// Serves until the handle says stop.
///
/// # Errors
///
/// When the listener cannot be used any more.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    router: Router,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .http1_only()
        .first_request_timeout(limits.header_timeout)
        .acceptor(Cap(Arc::new(Semaphore::new(limits.connections_max))))
        .accept_error_handler(|peer, error| {
            tracing::debug!(?peer, %error, "a connection was not taken");
        });
    server
        .http_builder()
        .http1()
        .header_read_timeout(limits.idle_timeout);
    let nosniff = HeaderValue::from_static("nosniff");
    let around = ServiceBuilder::new()
        // No answer is ever to be taken for a page or a script.
        .layer(SetResponseHeaderLayer::overriding(
            header::X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        // Nothing here panics on input. Should that be wrong, one request fails and not a connection.
        .layer(CatchPanicLayer::new());
    let router = router.layer(around);
    server
        .serve(router.into_make_service_with_connect_info::<SocketAddr>())
        .await
}

/// Takes connections as long as there are permits.
#[derive(Clone)]
struct Cap(Arc<Semaphore>);

impl<S: Send + 'static> Accept<TcpStream, S> for Cap {
    type Stream = Counted;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Counted, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepted = match self.0.clone().try_acquire_owned() {
            Ok(permit) => stream.set_nodelay(true).map(|()| {
                let counted = Counted {
                    stream,
                    _permit: permit,
                };
                (counted, service)
            }),
            Err(_) => Err(io::Error::other("too many connections")),
        };
        std::future::ready(accepted)
    }
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
