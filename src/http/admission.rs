//! Admission of connections to a listener: a peer is served, or rejected before anything of it is read, and the log
//! reports those that are rejected.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection_limits::ConnectionLimits;
use super::problem::Problem;
use super::protocol_error::ProtocolError;
use super::source::Sources;
use crate::clock;
use crate::metrics::{Metrics, Refusal};

/// Maximum time in which a rejected peer must begin its request and read the response to it.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are read from a rejected peer and thrown away.
const REJECT_READ_MAX_BYTES: usize = 64 * 1024;

/// One of the service's two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Listener for Sinch's callbacks, whose refusals are counted.
    Callbacks,
    /// Listener for operators' requests.
    Operators,
}

/// Admission control of one listener.
pub struct AdmissionControl {
    listener: Listener,
    sources: Option<Sources>,
    metrics: Arc<Metrics>,
    served: Arc<Semaphore>,
    rejected: Arc<Semaphore>,
    unallowed: Arc<Semaphore>,
    unavailable: Arc<[u8]>,
    forbidden: Arc<[u8]>,
    bad_request: Arc<[u8]>,
}

/// Admission of one connection.
pub enum Admission {
    /// The connection is served under the given permit.
    Serve(OwnedSemaphorePermit),
    /// The peer is sent the given response, and the connection ends. Until then it holds a permit for rejected
    /// connections.
    Reject(Arc<[u8]>, OwnedSemaphorePermit),
    /// The connection is closed without a response, since too many peers are being rejected already.
    Drop,
}

impl AdmissionControl {
    /// Returns a control that admits only the peers that `sources` lets connect. Without sources, it admits every peer.
    pub fn new(
        listener: Listener,
        sources: Option<Sources>,
        limits: ConnectionLimits,
        metrics: Arc<Metrics>,
    ) -> AdmissionControl {
        let last_response = |problem: Problem| problem.last_response().into();
        let permits = |limit| Arc::new(Semaphore::new(limit));
        AdmissionControl {
            listener,
            sources,
            metrics,
            served: permits(limits.served),
            rejected: permits(limits.rejected),
            unallowed: permits(limits.unallowed),
            unavailable: last_response(Problem::unavailable()),
            forbidden: last_response(Problem::new(StatusCode::FORBIDDEN)),
            bad_request: last_response(Problem::new(StatusCode::BAD_REQUEST)),
        }
    }

    /// Decides on a connection to the listener from its peer's address alone.
    pub fn admit(&self, peer: IpAddr) -> Admission {
        let sources = self.sources.as_ref();
        if !sources.is_none_or(|sources| sources.may_connect(peer)) {
            self.log_refusal(
                Refusal::Source,
                Some(StatusCode::FORBIDDEN),
                peer,
                "its source is not in callbacks.allow, nor a trusted proxy",
            );
            return reject_under(&self.unallowed, &self.forbidden);
        }
        if let Ok(permit) = self.served.clone().try_acquire_owned() {
            return Admission::Serve(permit);
        }
        self.log_refusal(
            Refusal::Connections,
            Some(StatusCode::SERVICE_UNAVAILABLE),
            peer,
            "as many connections as may be are open; raise callbacks.connections_max",
        );
        reject_under(&self.rejected, &self.unavailable)
    }

    /// Reports to the log a peer's input that is not a request.
    pub fn report_protocol_error(&self, peer: IpAddr, error: ProtocolError) {
        self.log_refusal(Refusal::Http, None, peer, error.advice());
    }

    /// Returns the response to a peer's input that is not a request.
    pub fn bad_request(&self) -> Arc<[u8]> {
        self.bad_request.clone()
    }

    /// Reports a connection that the system could not hand over. The connection waits until it can be accepted.
    pub fn report_not_accepted(&self, error: &io::Error) {
        if let Some(left_out) = self.metrics.refused(Refusal::System, None, clock::now()) {
            let (why, listener) = (Refusal::System.code(), self.listener);
            tracing::error!(
                why, ?listener, %error, left_out,
                "a connection has to wait: if open files are wanting, raise their limit (LimitNOFILE=, ulimit -n), or \
                 lower callbacks.connections_max"
            );
        }
    }

    fn log_refusal(&self, reason: Refusal, status: Option<StatusCode>, peer: IpAddr, what: &str) {
        let (code, status) = (reason.code(), status.map(|status| status.as_u16()));
        match self.listener {
            Listener::Callbacks => {
                if let Some(left_out) = self.metrics.refused(reason, Some(peer), clock::now()) {
                    tracing::warn!(why = code, status, source = %peer, left_out, "refused a connection: {what}");
                }
            }
            Listener::Operators => {
                tracing::debug!(why = code, status, source = %peer, "refused an operator's connection: {what}");
            }
        }
    }
}

fn reject_under(permits: &Arc<Semaphore>, response: &Arc<[u8]>) -> Admission {
    match permits.clone().try_acquire_owned() {
        Ok(permit) => Admission::Reject(response.clone(), permit),
        Err(_) => Admission::Drop,
    }
}

/// Sends a response to a peer and closes the connection. It takes at most a second, however the peer behaves.
pub async fn reject(mut stream: TcpStream, response: Arc<[u8]>, _permit: OwnedSemaphorePermit) {
    // A peer that does not read the response in time is cut off.
    let _ = timeout(REJECT_TIMEOUT, send_response(&mut stream, &response)).await;
}

async fn send_response(stream: &mut TcpStream, response: &[u8]) -> io::Result<()> {
    let mut unread = [0; 1024];
    // A peer takes a response that arrives before its request for a fault.
    if stream.read(&mut unread).await? == 0 {
        return Ok(());
    }
    stream.write_all(response).await?;
    stream.shutdown().await?;
    // A connection that is closed with something unread is reset, and the reset can overtake the response.
    let mut left = REJECT_READ_MAX_BYTES;
    while left > 0 {
        match stream.read(&mut unread).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// Returns the address of a connection's peer. An IPv4-mapped IPv6 address becomes its IPv4 address.
pub fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}
