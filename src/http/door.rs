//! The door of a listener: who is let in, who is sent away before anything is read, and what an operator is told.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::callbacks::RETRY_AFTER_SECS;
use super::foreign::Foreign;
use super::places::Places;
use super::problem::Problem;
use super::source::Sources;
use crate::clock;
use crate::vitals::{Refusal, Vitals};

/// Longest time that a peer which is sent away may take to begin its request and to read what it is told.
const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes that are thrown away of what such a peer sends.
const FAREWELL_MAX_BYTES: usize = 64 * 1024;

/// Which of the two listeners it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Sinch calls here; what is refused is counted.
    Callbacks,
    /// Operators ask here.
    Operators,
}

/// The door of one listener.
pub struct Door {
    listener: Listener,
    sources: Option<Sources>,
    vitals: Arc<Vitals>,
    served: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    no_place: Arc<[u8]>,
    stranger: Arc<[u8]>,
    foreign: Arc<[u8]>,
}

/// What a peer meets at the door.
pub enum Welcome {
    /// It has a place.
    Served(OwnedSemaphorePermit),
    /// It is told this, and the connection ends. Until then it holds another kind of place.
    SentAway(Arc<[u8]>, OwnedSemaphorePermit),
    /// It is hung up on: too many are being sent away already.
    HungUpOn,
}

impl Door {
    /// A door where only peers that these sources know are let in; without sources, everybody is.
    pub fn new(
        listener: Listener,
        sources: Option<Sources>,
        places: Places,
        vitals: Arc<Vitals>,
    ) -> Door {
        let unavailable = Problem::new(StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, RETRY_AFTER_SECS.into());
        let farewell = |problem: Problem| problem.farewell().into();
        let places_of = |places| Arc::new(Semaphore::new(places));
        Door {
            listener,
            sources,
            vitals,
            served: places_of(places.served),
            turned_away: places_of(places.turned_away),
            strangers: places_of(places.strangers),
            no_place: farewell(unavailable),
            stranger: farewell(Problem::new(StatusCode::FORBIDDEN)),
            foreign: farewell(Problem::new(StatusCode::BAD_REQUEST)),
        }
    }

    /// What to do with a peer, from its address alone.
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

    /// Tells of something that is no request.
    pub fn met(&self, peer: IpAddr, foreign: Foreign) {
        self.refused(Refusal::Http, None, peer, foreign.advice());
    }

    /// What the sender of something that is no request is told.
    pub fn foreign(&self) -> Arc<[u8]> {
        self.foreign.clone()
    }

    /// Tells of a connection that the system could not hand over. It waits, and is taken when it can be.
    pub fn not_accepted(&self, error: &io::Error) {
        if let Some(left_out) = self.vitals.refused(Refusal::System, None, clock::now()) {
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
                if let Some(left_out) = self.vitals.refused(why, Some(peer), clock::now()) {
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

/// Tells a peer these words and hangs up. It takes no longer than a second, whatever the peer does.
pub async fn send_off(mut stream: TcpStream, words: Arc<[u8]>, _place: OwnedSemaphorePermit) {
    // Whoever does not let itself be told is hung up on.
    let _ = timeout(FAREWELL, say(&mut stream, &words)).await;
}

async fn say(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let mut unread = [0; 1024];
    // An answer that comes before its question would be taken for nonsense.
    if stream.read(&mut unread).await? == 0 {
        return Ok(());
    }
    stream.write_all(words).await?;
    stream.shutdown().await?;
    // Closed with something unread the connection is reset, which can overtake the answer.
    let mut left = FAREWELL_MAX_BYTES;
    while left > 0 {
        match stream.read(&mut unread).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// The address that is meant, where an IPv4 one came in IPv6's clothes.
pub fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}
