//! A target that is told events: a server that notes each request byte by byte, and can misbehave like any network.

pub mod ledger;
mod moody;
pub mod trial;

use std::fmt;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use number_order::Time;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub use moody::moody;

use crate::{now, until};

/// Secret with which targets of tests are signed for.
pub const TARGET_SECRET: &str = "whsec_dGFyZ2V0LXNlY3JldC1vZi10aGUtdGVzdC1xNzF4";

/// Request that a target has received.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// Request line and headers.
    pub head: String,
    /// Body of the request.
    pub body: Vec<u8>,
    /// Time at which the whole request was there.
    pub at: Time,
    /// `true` if the target took it: its answer, or what it sent of that, is a 2xx.
    pub taken: bool,
}

/// Shows the request as text.
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Told {
    /// Returns the value of one of the request's headers; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().skip(1);
        let found = lines.find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        found.unwrap_or_default()
    }

    /// Returns the id of the event.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Returns the request's body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Reaction of a target to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

/// Behaviour of a target once it has answered.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// Listens for the next request.
    Listen,
    /// Neither sends nor closes.
    Hang,
    /// Closes the connection.
    Close,
    /// Resets the connection instead of closing it.
    Reset,
    /// Sends the given bytes forever, as fast as they are taken.
    Repeat(&'static [u8]),
    /// Sends the given bytes forever, a few at a time.
    Drip(&'static [u8]),
}

impl Reply {
    /// Returns a whole answer without a body.
    pub fn status(status: u16) -> Reply {
        Reply::with(status, "", "")
    }

    /// Returns a whole answer. `headers` are lines, each with its end.
    pub fn with(status: u16, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        Reply::raw(text, Then::Listen)
    }

    /// Returns `true` if the target that replies so has taken what it was told, whether or not the service hears of it.
    fn takes(&self) -> bool {
        self.bytes.starts_with(b"HTTP/1.1 2")
    }

    /// Returns a reply of any bytes.
    pub fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Reply {
        Reply {
            bytes: bytes.into(),
            then,
        }
    }
}

/// What a target has seen.
#[derive(Default)]
struct Seen {
    told: Vec<Told>,
    connections: usize,
    repeated: usize,
    met_down: usize,
}

/// A target on loopback, for as long as the test's runtime lives.
pub struct Target {
    /// Address at which the target listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    down: Arc<AtomicBool>,
}

impl Target {
    /// Starts a target. `script` receives each request, and the number of requests before it.
    pub async fn start(script: impl Fn(&Told, usize) -> Reply + Send + Sync + 'static) -> Target {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let down = Arc::new(AtomicBool::new(false));
        let (script, noted, is_down) = (Arc::new(script), seen.clone(), down.clone());
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                lock(&noted).connections += 1;
                let (script, noted, is_down) = (script.clone(), noted.clone(), is_down.clone());
                tokio::spawn(async move { serve(peer, &*script, &noted, &is_down).await });
            }
        });
        Target {
            address,
            seen,
            down,
        }
    }

    /// Takes the target down, as a restart does, or has it back. While it is down, every request meets a reset and is
    /// noted nowhere.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Relaxed);
    }

    /// Returns the number of requests that met a target that was down.
    pub fn met_down(&self) -> usize {
        lock(&self.seen).met_down
    }

    /// Starts a target that takes all that it is told.
    pub async fn willing() -> Target {
        Target::start(|_, _| Reply::status(204)).await
    }

    /// Returns the URL of the target.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    /// Returns the requests that the target has received, in their order.
    pub fn told(&self) -> Vec<Told> {
        lock(&self.seen).told.clone()
    }

    /// Waits until the target has received this many requests, and returns them.
    pub async fn told_when(&self, count: usize) -> Vec<Told> {
        let what = format!("{count} requests to the target");
        until(&what, async || {
            Some(self.told()).filter(|told| told.len() >= count)
        })
        .await
    }

    /// Returns the number of connections that were made.
    pub fn connections(&self) -> usize {
        lock(&self.seen).connections
    }

    /// Returns the number of bytes taken from replies that are sent forever.
    pub fn repeated(&self) -> usize {
        lock(&self.seen).repeated
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection; `None` when it is over.
async fn serve(
    peer: TcpStream,
    script: &(impl Fn(&Told, usize) -> Reply + Sync),
    noted: &Mutex<Seen>,
    down: &AtomicBool,
) -> Option<()> {
    let mut peer = BufReader::new(peer);
    loop {
        let mut told = receive(&mut peer).await?;
        if down.load(Relaxed) {
            lock(noted).met_down += 1;
            peer.get_ref().set_zero_linger().ok()?;
            return None;
        }
        let reply = {
            let mut seen = lock(noted);
            let reply = script(&told, seen.told.len());
            told.taken = reply.takes();
            seen.told.push(told);
            reply
        };
        peer.write_all(&reply.bytes).await.ok()?;
        match reply.then {
            Then::Listen => {}
            Then::Hang => pending().await,
            Then::Close => return None,
            Then::Reset => {
                peer.get_ref().set_zero_linger().ok()?;
                return None;
            }
            Then::Repeat(bytes) => {
                let many = bytes.repeat(200);
                loop {
                    peer.write_all(&many).await.ok()?;
                    lock(noted).repeated += many.len();
                }
            }
            Then::Drip(bytes) => loop {
                peer.write_all(bytes).await.ok()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
        }
    }
}

/// Receives a request, its head and its body; `None` if no whole one comes.
async fn receive(peer: &mut BufReader<TcpStream>) -> Option<Told> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(peer.read_u8().await.ok()?);
    }
    let mut told = Told {
        head: String::from_utf8(bytes).ok()?,
        body: Vec::new(),
        at: now(),
        taken: false,
    };
    let length = told.header("content-length").parse().unwrap_or(0);
    told.body = vec![0; length];
    peer.read_exact(&mut told.body).await.ok()?;
    told.at = now();
    Some(told)
}
