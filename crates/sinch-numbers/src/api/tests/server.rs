//! A server that plays both of Sinch's endpoints byte by byte, so that it can misbehave like any network.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Reaction of the server to a request.
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
    after: Option<Arc<Notify>>,
}

/// Behaviour of the server once it has answered.
pub enum Then {
    /// Listens for the next request.
    Listen,
    /// Neither sends nor closes.
    Hang,
    /// Closes the connection.
    Close,
    /// Resets the connection instead of closing it.
    Reset,
    /// Sends the given bytes forever, as fast as the client takes them.
    Repeat(&'static [u8]),
    /// Sends the given bytes forever, a few at a time.
    Drip(&'static [u8]),
}

impl Reply {
    /// Returns a whole answer. `headers` are lines, each with its end.
    pub fn new(status: u16, headers: &str, body: &str) -> Reply {
        let length = body.len();
        Reply::raw(
            &format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}"),
            Then::Listen,
        )
    }

    /// Returns a reply of any bytes.
    pub fn raw(bytes: &str, then: Then) -> Reply {
        Reply {
            bytes: bytes.as_bytes().to_vec(),
            then,
            after: None,
        }
    }

    /// Returns the same reply, but held back until `gate` is notified.
    pub fn after(self, gate: &Arc<Notify>) -> Reply {
        Reply {
            after: Some(Arc::clone(gate)),
            ..self
        }
    }
}

/// Everything that a server has seen.
#[derive(Default)]
pub struct Seen {
    pub connections: usize,
    /// Requests as text; bytes that are none stand as replacement characters.
    pub requests: Vec<String>,
    /// Body of each request.
    pub bodies: Vec<Vec<u8>>,
    /// Number of bytes that were sent again and again.
    pub repeated: usize,
}

/// A server on loopback, for as long as the test's runtime lives.
pub struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// Starts a server. `script` receives each request, and the number of requests of the same method before it.
    pub async fn start(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (script, noted) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                noted.lock().expect("no panic").connections += 1;
                let (script, noted) = (Arc::clone(&script), Arc::clone(&noted));
                tokio::spawn(async move { serve(peer, &*script, &noted).await });
            }
        });
        Server { url, seen }
    }

    /// Returns the requests of one method, in the order in which they came.
    pub fn requests(&self, method: &str) -> Vec<String> {
        let seen = self.seen.lock().expect("no panic");
        let of_method = seen.requests.iter().filter(|r| r.starts_with(method));
        of_method.cloned().collect()
    }

    /// Returns the number of token requests and the number of order requests.
    pub fn counts(&self) -> (usize, usize) {
        (self.requests("POST").len(), self.requests("GET").len())
    }

    /// Returns the number of bytes taken from replies that are sent forever.
    pub fn repeated(&self) -> usize {
        self.seen.lock().expect("no panic").repeated
    }

    /// Returns the number of connections that were made.
    pub fn connections(&self) -> usize {
        self.seen.lock().expect("no panic").connections
    }
}

/// Serves one connection; `None` when it is over.
async fn serve(
    mut peer: TcpStream,
    script: &(impl Fn(&str, usize) -> Reply + Sync),
    noted: &Mutex<Seen>,
) -> Option<()> {
    loop {
        let (head, body) = receive(&mut peer).await?;
        let request = head + &String::from_utf8_lossy(&body);
        let reply = {
            let mut seen = noted.lock().expect("no panic");
            let method = &request[..4];
            let same = seen.requests.iter().filter(|r| r.starts_with(method));
            let nth = same.count();
            seen.requests.push(request.clone());
            seen.bodies.push(body);
            script(&request, nth)
        };
        if let Some(gate) = reply.after {
            gate.notified().await;
        }
        peer.write_all(&reply.bytes).await.ok()?;
        match reply.then {
            Then::Listen => {}
            Then::Hang => pending().await,
            Then::Close => return None,
            Then::Reset => {
                peer.set_zero_linger().ok()?;
                return None;
            }
            Then::Repeat(bytes) => {
                let many = bytes.repeat(200);
                loop {
                    peer.write_all(&many).await.ok()?;
                    noted.lock().expect("no panic").repeated += many.len();
                }
            }
            Then::Drip(bytes) => loop {
                peer.write_all(bytes).await.ok()?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            },
        }
    }
}

/// Reads a request, its head and its body; `None` if no whole one comes.
async fn receive(peer: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(peer.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |digits| digits.parse().expect("a length"));
    let mut body = vec![0; length];
    peer.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
