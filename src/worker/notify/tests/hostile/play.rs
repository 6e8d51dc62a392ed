//! Plays a kind of bad receiver on loopback.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Certificate, Client};
use testkit::target::Reply;
use testkit::{TARGET_SECRET, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::kind::Kind;
use super::tls::{self, Tls};
use crate::worker::Endpoint;
use crate::worker::notify::http::{NameServer, name_server};
use crate::worker::notify::tests::nets;
use notifications::SigningKey;

/// Name of the receivers whose name is looked up.
const NAME: &str = "receiver.test";

/// What a receiver does.
#[derive(Clone)]
pub(super) enum Play {
    /// It reads the request, and replies.
    Replies(Reply),
    /// It does something else with each connection.
    Connection(Rude),
    /// It does so where TLS is expected.
    ConnectionOfTls(Rude),
    /// It speaks TLS.
    Tls(Tls),
    /// Nobody listens.
    NobodyListens,
    /// It would take all, at an address that the URL names in this form.
    Host(&'static str),
    /// It would take all and close, at the addresses that its name server says, one list after the other.
    Names(&'static [&'static [&'static str]]),
    /// Its name server never answers.
    SilentNameServer,
}

/// What a receiver does with a connection, without having read a whole request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rude {
    /// It never accepts the connection.
    NeverAccepts,
    /// It closes the connection at once.
    Closes,
    /// It resets the connection once it has read something.
    Resets,
    /// It sends this once it has read something, and never reads on.
    AnswersEarly(&'static [u8]),
    /// It sends this at once, and hangs.
    Sends(&'static [u8]),
    /// It sends this at once, and then this forever, a few bytes at a time.
    Drips(&'static [u8], &'static [u8]),
}

/// A receiver that plays, and a client that tells it.
pub(super) struct Player {
    pub(super) endpoint: Endpoint,
    target: Option<Target>,
    /// Number of connections to an address that nothing may be sent to.
    trapped: Arc<AtomicUsize>,
    /// What has to stay as it is while the receiver plays.
    held: Option<Held>,
}

/// A listener or a port that is kept.
type Held = Box<dyn Send + Sync>;

impl Player {
    /// Starts a receiver of the kind.
    pub(super) async fn start(kind: &Kind) -> Player {
        let mut staged = Staged::new(kind).await;
        // Without optimisation a large body takes seconds to be signed, which holds others up.
        let keys = match kind.bytes {
            0 => vec![SigningKey::new(TARGET_SECRET).expect("a key")],
            _ => Vec::new(),
        };
        let authority = Certificate::from_pem(tls::AUTHORITY).expect("a certificate");
        let client = match kind.play {
            Play::Tls(tls) if tls.is_of_the_authority() => {
                Client::builder().tls_certs_merge([authority])
            }
            Play::Tls(_) => Client::builder(),
            // The system's certificates take a while to be read, and nothing here needs them.
            _ => Client::builder().tls_certs_only([authority]),
        };
        let allow = nets(staged.allow);
        let names = staged.names.take().unwrap_or_else(name_server);
        let endpoint = Endpoint::build(client, names, &staged.url, keys, allow, 1, kind.timeout);
        Player {
            endpoint: endpoint.expect("a client"),
            target: staged.target,
            trapped: staged.trapped,
            held: staged.held,
        }
    }

    /// Returns the client alone, with what has to be kept for as long.
    pub(super) fn into_endpoint(self) -> (Endpoint, Option<Held>) {
        (self.endpoint, self.held)
    }

    /// Returns the number of bytes that were taken of an answer without an end.
    pub(super) fn taken(&self) -> usize {
        self.target.as_ref().map_or(0, Target::repeated)
    }

    /// Returns the number of connections to what must not be connected to.
    pub(super) fn trapped(&self) -> usize {
        self.trapped.load(Relaxed)
    }
}

/// What is set up before there is a client.
struct Staged {
    url: String,
    allow: &'static [&'static str],
    names: Option<NameServer>,
    target: Option<Target>,
    trapped: Arc<AtomicUsize>,
    held: Option<Held>,
}

impl Staged {
    fn at(url: String) -> Staged {
        Staged {
            url,
            allow: &["127.0.0.1/32"],
            names: None,
            target: None,
            trapped: Arc::default(),
            held: None,
        }
    }

    async fn new(kind: &Kind) -> Staged {
        match kind.play.clone() {
            Play::Replies(reply) => {
                let target = Target::start(move |_, _| reply.clone()).await;
                let staged = Staged::at(target.url());
                let target = Some(target);
                Staged { target, ..staged }
            }
            Play::Connection(Rude::NeverAccepts) => {
                let listener = listener();
                let staged = Staged::at(url(&listener));
                Staged {
                    held: Some(Box::new(listener)),
                    ..staged
                }
            }
            Play::Connection(rude) => {
                let listener = listener();
                let staged = Staged::at(url(&listener));
                serve(listener, move |peer| rude.treat(peer));
                staged
            }
            Play::ConnectionOfTls(rude) => {
                let listener = listener();
                let staged = Staged::at(url(&listener).replace("http://", "https://"));
                serve(listener, move |peer| rude.treat(peer));
                staged
            }
            Play::Tls(tls) => Staged::tls(tls),
            Play::NobodyListens => {
                // The port stays taken, so that no other test listens there.
                let socket = bound();
                let address = socket.local_addr().expect("an address");
                Staged {
                    held: Some(Box::new(socket)),
                    ..Staged::at(format!("http://{address}/hooks"))
                }
            }
            Play::Host(host) => {
                let trapped = Arc::<AtomicUsize>::default();
                let port = trap(Ipv4Addr::LOCALHOST, 0, trapped.clone()).await;
                let staged = Staged::at(format!("http://{host}:{port}/hooks"));
                let allow = &[];
                Staged {
                    allow,
                    trapped,
                    ..staged
                }
            }
            Play::Names(lists) => Staged::named(lists).await,
            Play::SilentNameServer => {
                let staged = Staged::at(format!("http://{NAME}/hooks"));
                let names: NameServer = Arc::new(|_| Box::pin(pending()));
                let names = Some(names);
                Staged { names, ..staged }
            }
        }
    }

    fn tls(tls: Tls) -> Staged {
        let listener = listener();
        let port = listener.local_addr().expect("an address").port();
        let staged = Staged::at(format!("https://{NAME}:{port}/hooks"));
        let acceptor = tls.acceptor();
        serve(listener, move |peer| {
            let acceptor = acceptor.clone();
            async move { tls.treat(&acceptor, peer).await }
        });
        Staged {
            names: Some(saying(&[&["127.0.0.1"]])),
            ..staged
        }
    }

    async fn named(lists: &'static [&'static [&'static str]]) -> Staged {
        let target = Target::start(|_, _| {
            let closing = "HTTP/1.1 204 X\r\nConnection: close\r\n\r\n";
            Reply::raw(closing, testkit::target::Then::Close)
        })
        .await;
        let port = target.address.port();
        let staged = Staged::at(format!("http://{NAME}:{port}/hooks"));
        let trapped = Arc::<AtomicUsize>::default();
        trap(Ipv4Addr::new(127, 0, 0, 2), port, trapped.clone()).await;
        Staged {
            names: Some(saying(lists)),
            target: Some(target),
            trapped,
            ..staged
        }
    }
}

fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(any).expect("a port");
    socket
}

fn listener() -> TcpListener {
    let socket = bound();
    // What is told fills a small window, though nobody reads it.
    socket.set_recv_buffer_size(4096).expect("is set");
    socket.listen(128).expect("it listens")
}

fn url(listener: &TcpListener) -> String {
    let address = listener.local_addr().expect("an address");
    format!("http://{address}/hooks")
}

/// Treats each connection in a task of its own.
fn serve<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    treat: impl Fn(TcpStream) -> F + Send + 'static,
) {
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            tokio::spawn(treat(peer));
        }
    });
}

/// Counts the connections to an address that nothing may be sent to, and returns its port.
async fn trap(address: Ipv4Addr, port: u16, trapped: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind((address, port)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    serve(listener, move |peer| {
        trapped.fetch_add(1, Relaxed);
        async move { drop(peer) }
    });
    port
}

/// Returns a name server that says one list of addresses after the other, and the last one from then on.
fn saying(lists: &'static [&'static [&'static str]]) -> NameServer {
    let asked = Mutex::new(0);
    Arc::new(move |_| {
        let mut asked = asked.lock().expect("no panic");
        let list = lists[(*asked).min(lists.len() - 1)];
        *asked += 1;
        let addresses = list.iter().map(|text| {
            let address: IpAddr = text.parse().expect("an address");
            SocketAddr::new(address, 0)
        });
        let addresses: Vec<SocketAddr> = addresses.collect();
        Box::pin(async move { Ok(addresses) })
    })
}

impl Rude {
    async fn treat(self, mut peer: TcpStream) {
        let mut some = [0; 16];
        match self {
            Rude::NeverAccepts | Rude::Closes => {}
            Rude::Resets => {
                let _ = peer.read(&mut some).await;
                // The connection that is dropped is reset then.
                peer.set_zero_linger().expect("is set");
            }
            Rude::AnswersEarly(answer) => {
                let _ = peer.read(&mut some).await;
                let _ = peer.write_all(answer).await;
                pending::<()>().await;
            }
            Rude::Sends(bytes) => {
                let _ = peer.write_all(bytes).await;
                pending::<()>().await;
            }
            Rude::Drips(bytes, more) => {
                let _ = peer.write_all(bytes).await;
                while peer.write_all(more).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}
