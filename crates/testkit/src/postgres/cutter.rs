//! A way to the server on which connections are cut at random: before a request reaches the server, while the server works
//! on it, or when the answer is on its way. So a program cannot know if what it asked for was done.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;

/// Maximum number of bytes that are passed on at once.
const CHUNK_BYTES: usize = 1 << 16;

/// Type of the server's message that ends the answer to a request.
const READY: u8 = b'Z';

/// Type of the server's message that a statement is done, and what it says of a commit.
const DONE: (u8, &[u8]) = (b'C', b"COMMIT\0");

/// The statement that ends a transaction, and how much more likely a connection is cut at it than at other requests.
const COMMIT: (&[u8], f64) = (b"COMMIT\0", 5.0);

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// The request does not reach the server.
    Before,
    /// The request reaches the server, and the session ends at whatever it is doing by then.
    Within,
    /// The server has done what was asked, and its answer is lost.
    After,
}

/// Numbers of connections that were cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cuts {
    /// Requests that never reached the server.
    pub before: usize,
    /// Requests at which the server may have been working.
    pub within: usize,
    /// Requests whose answer was lost.
    pub after: usize,
    /// Those among the lost answers that said that a transaction is committed.
    pub commits: usize,
}

struct Shared {
    socket: PathBuf,
    random: Mutex<Rng>,
    /// Share of the requests at which the connection is cut, as the bits of a float.
    share: AtomicU64,
    before: AtomicUsize,
    within: AtomicUsize,
    after: AtomicUsize,
    commits: AtomicUsize,
}

/// A way to a server. It is gone when the value is dropped.
pub struct Cutter {
    shared: Arc<Shared>,
    address: SocketAddr,
    _passing: JoinSet<()>,
}

impl Cutter {
    /// Opens a way to the server that listens on the given socket. Connections are cut at the given share of the requests,
    /// and more often at commits.
    pub(super) async fn start(socket: PathBuf, seed: u64, share: f64) -> Cutter {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            socket,
            random: Mutex::new(Rng::with_seed(seed)),
            share: AtomicU64::new(share.to_bits()),
            before: AtomicUsize::new(0),
            within: AtomicUsize::new(0),
            after: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
        });
        let mut passing = JoinSet::new();
        let of_connections = shared.clone();
        passing.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let shared = of_connections.clone();
                connections.spawn(async move { shared.pass(client).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Cutter {
            shared,
            address,
            _passing: passing,
        }
    }

    /// Returns the address of a database on this way.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://tester@{}/{database}?sslmode=disable",
            self.address
        )
    }

    /// Cuts no connection any more.
    pub fn leave_off(&self) {
        self.shared.share.store(0.0_f64.to_bits(), Relaxed);
    }

    /// Returns the numbers of connections that were cut.
    pub fn cuts(&self) -> Cuts {
        Cuts {
            before: self.shared.before.load(Relaxed),
            within: self.shared.within.load(Relaxed),
            after: self.shared.after.load(Relaxed),
            commits: self.shared.commits.load(Relaxed),
        }
    }
}

impl Shared {
    /// Passes a connection's bytes on, both ways, until either side ends it or it is cut.
    async fn pass(&self, mut client: TcpStream) {
        let Ok(mut server) = UnixStream::connect(&self.socket).await else {
            return;
        };
        // A small request must not wait for the answer to the one before.
        let _ = client.set_nodelay(true);
        let (mut request, mut answer) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        loop {
            tokio::select! {
                read = client.read(&mut request) => {
                    let bytes = &request[..read.unwrap_or(0)];
                    let cut = self.draw(bytes);
                    if bytes.is_empty() || cut == Some(Cut::Before) {
                        return;
                    }
                    if server.write_all(bytes).await.is_err() || cut == Some(Cut::Within) {
                        return;
                    }
                    if cut == Some(Cut::After) {
                        return self.lose_answer(&mut client, &mut server).await;
                    }
                }
                read = server.read(&mut answer) => {
                    let bytes = &answer[..read.unwrap_or(0)];
                    if bytes.is_empty() || client.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Decides if a connection is cut at a request, and where.
    fn draw(&self, request: &[u8]) -> Option<Cut> {
        let mut share = f64::from_bits(self.share.load(Relaxed));
        if request.ends_with(COMMIT.0) {
            share *= COMMIT.1;
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        if random.f64() >= share {
            return None;
        }
        let (cut, count) = match random.u8(0..4) {
            0 => (Cut::Before, &self.before),
            1 => (Cut::Within, &self.within),
            _ => (Cut::After, &self.after),
        };
        count.fetch_add(1, Relaxed);
        Some(cut)
    }

    /// Takes the server's answer to a request, to its end, and keeps it.
    async fn lose_answer(&self, client: &mut TcpStream, server: &mut UnixStream) {
        let (mut answer, mut chunk, mut more) = (Vec::new(), vec![0; CHUNK_BYTES], [0]);
        loop {
            let read = tokio::select! {
                read = server.read(&mut chunk) => read.unwrap_or(0),
                // The client sends nothing before it has its answer: it has given up.
                _ = client.read(&mut more) => return,
            };
            if read == 0 {
                return;
            }
            answer.extend_from_slice(&chunk[..read]);
            while let Some(message) = take_message(&mut answer) {
                if message[0] == DONE.0 && &message[5..] == DONE.1 {
                    self.commits.fetch_add(1, Relaxed);
                }
                if message[0] == READY {
                    return;
                }
            }
        }
    }
}

/// Takes the first message out of bytes of the server's: a type, the length of the rest with its own four bytes, the rest.
fn take_message(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = bytes.get(1..5)?.try_into().ok()?;
    let end = 1 + u32::from_be_bytes(length) as usize;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}
