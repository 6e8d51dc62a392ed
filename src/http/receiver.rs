//! A small receiver for those who write one: it hands on what comes, and answers as it was told to.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::admission::{AdmissionControl, Listener};
use super::connection_limits::ConnectionLimits;
use super::server::{self, Timeouts};
use crate::metrics::Metrics;

/// Maximum size of a body.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Maximum time for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

const TIMEOUTS: Timeouts = Timeouts {
    header_timeout: Duration::from_secs(30),
    idle_timeout: Duration::from_secs(60),
    grace: Duration::from_secs(1),
};

const LIMITS: ConnectionLimits = ConnectionLimits {
    served: 64,
    rejected: 16,
    unallowed: 1,
};

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// HTTP method of the request.
    pub method: String,
    /// Path of the request, with its query.
    pub path: String,
    headers: HeaderMap,
    /// Body of the request, byte for byte.
    pub body: Bytes,
}

impl Received {
    /// Returns the value of a header, if the request has it and it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Receives requests until `stop` is cancelled: shows each, and answers it with the given status.
///
/// # Errors
///
/// Returns the system's error if the listener cannot be used, and `InvalidInput` for a number that is no status.
pub async fn serve(
    listener: TcpListener,
    status: u16,
    show: impl Fn(&Received) + Send + Sync + 'static,
    stop: CancellationToken,
) -> io::Result<()> {
    let status = StatusCode::from_u16(status);
    let status = status.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let show = Arc::new(show);
    let router = Router::new().fallback(move |request: Request| {
        let show = show.clone();
        async move { receive(request, status, &*show).await }
    });
    let metrics = Arc::new(Metrics::new());
    let admission = AdmissionControl::new(Listener::Operators, None, LIMITS, None, metrics);
    server::serve(listener, TIMEOUTS, admission, router, stop).await
}

async fn receive(request: Request, status: StatusCode, show: &impl Fn(&Received)) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    show(&Received {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body,
    });
    status.into_response()
}

async fn read(body: Body) -> io::Result<Bytes> {
    let read = timeout(BODY_TIMEOUT, to_bytes(body, BODY_MAX_BYTES)).await;
    read?.map_err(io::Error::other)
}
