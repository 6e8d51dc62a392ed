//! The door of a listener: admission of peers, rejection before anything is read, and reports to an operator.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::foreign::Foreign;
use super::places::Places;
use super::problem::Problem;
use super::source::Sources;
use crate::clock;
use crate::metrics::{Metrics, Refusal};

/// Maximum time in which a rejected peer must begin its request and read its answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// Maximum number of bytes that are read from a rejected peer and thrown away.
const FAREWELL_MAX_BYTES: usize = 64 * 1024;

/// One of the service's two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Listener for Sinch's callbacks, whose refusals are counted.
    Callbacks,
    /// Listener for operators' requests.
    Operators,
}

/// Admission control of one listener.
pub struct Door {
    listener: Listener,
    sources: Option<Sources>,
    metrics: Arc<Metrics>,
    served: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    no_place: Arc<[u8]>,
    stranger: Arc<[u8]>,
    foreign: Arc<[u8]>,
}

/// Decision on a peer at the door.
pub enum Welcome {
    /// The peer is served, and holds this place.
    Served(OwnedSemaphorePermit),
    /// The peer is sent this answer, and the connection ends. Until then the peer holds a place of another kind.
    SentAway(Arc<[u8]>, OwnedSemaphorePermit),
    /// The connection is closed without an answer, since too many peers are being rejected already.
    HungUpOn,
}

impl Door {
    /// Returns a door that admits only peers that these sources know. Without sources, it admits every peer.
    pub fn new(
        listener: Listener,
        sources: Option<Sources>,
        places: Places,
        metrics: Arc<Metrics>,
    ) -> Door {
        let unavailable = Problem::unavailable();
        let farewell = |problem: Problem| problem.farewell().into();
        let places_of = |places| Arc::new(Semaphore::new(places));
        Door {
            listener,
            sources,
            metrics,
            served: places_of(places.served),
            turned_away: places_of(places.turned_away),
            strangers: places_of(places.strangers),
            no_place: farewell(unavailable),
            stranger: farewell(Problem::new(StatusCode::FORBIDDEN)),
            foreign: farewell(Problem::new(StatusCode::BAD_REQUEST)),
        }
    }

    /// Decides on a peer from its address alone.
    pub fn welcome(&self, peer: IpAddr) -> Welcome {
        let sources = self.sources.as_ref();
        if !sources.is_none_or(|sources| sources.may_connect(peer)) {
            self.refused(
                Refusal::Source,
                Some(StatusCode::FORBIDDEN),
                peer,
                "its source is not in callbacks.allow, nor a trusted proxy",
            );
            return send_away(&self.stranger, &self.strangers);
        }
        match self.served.clone().try_acquire_owned() {
            Ok(place) => Welcome::Served(place),
            Err(_) => {
                let what =
                    "as many connections as may be are open; raise callbacks.connections_max";
                self.refused(
                    Refusal::Place,
                    Some(StatusCode::SERVICE_UNAVAILABLE),
                    peer,
                    what,
                );
                send_away(&self.no_place, &self.turned_away)
            }
        }
    }

    /// Reports input that is not a request.
    pub fn met(&self, peer: IpAddr, foreign: Foreign) {
        self.refused(Refusal::Http, None, peer, foreign.advice());
    }

    /// Returns the answer to input that is not a request.
    pub fn foreign(&self) -> Arc<[u8]> {
        self.foreign.clone()
    }

    /// Reports a connection that the system could not hand over. The connection waits until it can be accepted.
    pub fn not_accepted(&self, error: &io::Error) {
        if let Some(left_out) = self.metrics.refused(Refusal::System, None, clock::now()) {
            let (why, listener) = (Refusal::System.code(), self.listener);
            tracing::error!(
                why, ?listener, %error, left_out,
                "a connection has to wait: if open files are wanting, raise their limit (LimitNOFILE=, ulimit -n), or \
                 lower callbacks.connections_max"
            );
        }
    }

    fn refused(&self, why: Refusal, status: Option<StatusCode>, peer: IpAddr, what: &str) {
        let (code, status) = (why.code(), status.map(|status| status.as_u16()));
        match self.listener {
            Listener::Callbacks => {
                if let Some(left_out) = self.metrics.refused(why, Some(peer), clock::now()) {
                    tracing::warn!(why = code, status, source = %peer, left_out, "refused a connection: {what}");
                }
            }
            Listener::Operators => {
                tracing::debug!(why = code, status, source = %peer, "refused an operator's connection: {what}");
            }
        }
    }
}

fn send_away(words: &Arc<[u8]>, places: &Arc<Semaphore>) -> Welcome {
    match places.clone().try_acquire_owned() {
        Ok(place) => Welcome::SentAway(words.clone(), place),
        Err(_) => Welcome::HungUpOn,
    }
}

/// Sends these words to a peer and closes the connection. It takes at most a second, however the peer behaves.
pub async fn send_off(mut stream: TcpStream, words: Arc<[u8]>, _place: OwnedSemaphorePermit) {
    // A peer that does not take the answer in time is cut off.
    let _ = timeout(FAREWELL, say(&mut stream, &words)).await;
}

async fn say(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let mut unread = [0; 1024];
    // A peer would take an answer that arrives before its request for nonsense.
    if stream.read(&mut unread).await? == 0 {
        return Ok(());
    }
    stream.write_all(words).await?;
    stream.shutdown().await?;
    // A connection that is closed with something unread is reset, and the reset can overtake the answer.
    let mut left = FAREWELL_MAX_BYTES;
    while left > 0 {
        match stream.read(&mut unread).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// Returns the peer's address. An IPv4-mapped IPv6 address becomes its IPv4 address.
pub fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}
