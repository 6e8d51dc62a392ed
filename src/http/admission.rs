//! Admission of connections to a listener: a peer is served, or rejected before anything of it is read, and the log
//! reports those that are rejected.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection_limits::ConnectionLimits;
use super::examination::{Examination, Examiner, REQUEST_MAX_BYTES};
use super::problem::Problem;
use super::protocol_error::ProtocolError;
use super::source::Sources;
use crate::clock;
use crate::metrics::{Metrics, Refusal};

/// Maximum time in which a rejected peer must begin its request and read the response to it.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum time for which a connection waits while as many are served as may be. After a restart the system hands over all
/// that waited for it, and the first of them are answered within milliseconds.
const FREE_WAIT_MAX: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are read from a rejected peer.
const REJECT_READ_MAX_BYTES: usize = REQUEST_MAX_BYTES;

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
    examiner: Option<Arc<Examiner>>,
    metrics: Arc<Metrics>,
    served: Arc<Semaphore>,
    /// `true` after a connection has waited in vain, until one is served without a wait.
    is_full: AtomicBool,
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
    /// The peer is sent a response, and the connection ends.
    Reject(Rejection),
    /// The connection is closed without a response, since too many peers are being rejected already.
    Drop,
}

/// Rejection of one connection.
pub struct Rejection {
    response: Arc<[u8]>,
    /// Permit for rejected connections, which the connection holds until it ends.
    permit: OwnedSemaphorePermit,
    /// Examination of what the peer has sent, once it is answered and the connection has ended; `None`: it is thrown away.
    examination: Option<Examination>,
}

impl Rejection {
    /// Returns a rejection of what a peer has sent that was admitted.
    pub fn of_admitted(response: Arc<[u8]>, permit: OwnedSemaphorePermit) -> Rejection {
        Rejection {
            response,
            permit,
            examination: None,
        }
    }
}

impl AdmissionControl {
    /// Returns a control that admits only the peers that `sources` lets connect. Without sources, it admits every peer. What
    /// others send is examined if there is an examiner.
    pub fn new(
        listener: Listener,
        sources: Option<Sources>,
        limits: ConnectionLimits,
        examiner: Option<Arc<Examiner>>,
        metrics: Arc<Metrics>,
    ) -> AdmissionControl {
        let last_response = |problem: Problem| problem.last_response().into();
        let permits = |limit| Arc::new(Semaphore::new(limit));
        AdmissionControl {
            listener,
            sources,
            examiner,
            metrics,
            served: permits(limits.served),
            is_full: AtomicBool::new(false),
            rejected: permits(limits.rejected),
            unallowed: permits(limits.unallowed),
            unavailable: last_response(Problem::unavailable()),
            forbidden: last_response(Problem::new(StatusCode::FORBIDDEN)),
            bad_request: last_response(Problem::new(StatusCode::BAD_REQUEST)),
        }
    }

    /// Decides on a connection to the listener from its peer's address alone. While as many connections are served as may
    /// be, the decision takes a little: those behind it wait in the system until then.
    pub async fn admit(&self, peer: IpAddr) -> Admission {
        let sources = self.sources.as_ref();
        if !sources.is_none_or(|sources| sources.may_connect(peer)) {
            self.log_refusal(
                Refusal::Source,
                Some(StatusCode::FORBIDDEN),
                peer,
                "its source is neither in callbacks.allow nor in callbacks.trusted_proxies: name a proxy there, and \
                 send health checks to operators.listen",
            );
            let admission = reject_under(&self.unallowed, &self.forbidden);
            return self.examined(admission, peer);
        }
        if let Some(permit) = self.free_permit().await {
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

    /// Adds the examination of what a rejected peer sends, as long as there have not been enough of them.
    fn examined(&self, admission: Admission, peer: IpAddr) -> Admission {
        match admission {
            Admission::Reject(rejection) => Admission::Reject(Rejection {
                examination: self
                    .examiner
                    .as_ref()
                    .and_then(|examiner| examiner.begin(peer)),
                ..rejection
            }),
            Admission::Serve(_) | Admission::Drop => admission,
        }
    }

    /// Returns a permit for a connection that is served. Waits for one that becomes free, unless the wait of the connection
    /// before was in vain.
    async fn free_permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.served.clone().try_acquire_owned() {
            self.is_full.store(false, Relaxed);
            return Some(permit);
        }
        if self.is_full.load(Relaxed) {
            return None;
        }
        let freed = timeout(FREE_WAIT_MAX, self.served.clone().acquire_owned()).await;
        let permit = freed.ok().and_then(Result::ok);
        self.is_full.store(permit.is_none(), Relaxed);
        permit
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
        Ok(permit) => Admission::Reject(Rejection::of_admitted(response.clone(), permit)),
        Err(_) => Admission::Drop,
    }
}

/// Sends a response to a peer and closes the connection. It takes at most a second, however the peer behaves.
pub async fn reject(mut stream: TcpStream, peer: SocketAddr, rejection: Rejection) {
    let Rejection {
        response,
        permit,
        examination,
    } = rejection;
    let mut received = Vec::new();
    let kept = examination.is_some().then_some(&mut received);
    // A peer that does not read the response in time is cut off.
    let _ = timeout(REJECT_TIMEOUT, send_response(&mut stream, &response, kept)).await;
    drop((stream, permit));
    if let Some(examination) = examination {
        examination.of_connection(peer, received).await;
    }
}

/// Sends a response, and reads what the peer sends, to keep it or throw it away. What the peer sees of it is the same.
async fn send_response(
    stream: &mut TcpStream,
    response: &[u8],
    mut kept: Option<&mut Vec<u8>>,
) -> io::Result<()> {
    let mut unread = [0; 1024];
    let mut left = REJECT_READ_MAX_BYTES;
    // A peer takes a response that arrives before its request for a fault.
    let mut is_answered = false;
    while left > 0 {
        let read = stream.read(&mut unread).await?;
        if read == 0 {
            return Ok(());
        }
        if let Some(kept) = &mut kept {
            kept.extend(unread.iter().take(read.min(left)));
        }
        left = left.saturating_sub(read);
        if !is_answered {
            stream.write_all(response).await?;
            stream.shutdown().await?;
            is_answered = true;
        }
        // A connection that is closed with something unread is reset, and the reset can overtake the response.
    }
    Ok(())
}

/// Returns the address of a connection's peer. An IPv4-mapped IPv6 address becomes its IPv4 address.
pub fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::time::Instant;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn control() -> AdmissionControl {
        let limits = ConnectionLimits {
            served: 1,
            rejected: 1,
            unallowed: 1,
        };
        AdmissionControl::new(Listener::Callbacks, None, limits, None, Arc::default())
    }

    #[tokio::test]
    async fn a_connection_waits_for_a_place() {
        let control = control();
        let first = control.admit(PEER).await;
        assert!(matches!(first, Admission::Serve(_)));
        let mut next = pin!(control.admit(PEER));
        tokio::select! {
            biased;
            _ = &mut next => panic!("there is no place yet"),
            () = ready(()) => drop(first),
        }
        assert!(matches!(next.await, Admission::Serve(_)));
    }

    #[tokio::test]
    async fn only_one_waits_in_vain() {
        let control = control();
        let served = control.admit(PEER).await;
        for served in [Some(served), None] {
            let served = match served {
                Some(served) => served,
                // A place that was free makes the next connection wait again.
                None => control.admit(PEER).await,
            };
            let began = Instant::now();
            let first = control.admit(PEER).await;
            assert!(matches!(first, Admission::Reject(..)));
            assert!(began.elapsed() >= FREE_WAIT_MAX);
            tokio::select! {
                biased;
                next = control.admit(PEER) => assert!(matches!(next, Admission::Drop)),
                () = ready(()) => panic!("nobody else waits"),
            }
            drop(served);
        }
    }
}
