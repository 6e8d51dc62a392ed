//! HTTP as bytes: requests that well-behaved clients would not send, from any address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use sinch_numbers::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::PATIENCE;

/// Address from which callbacks are allowed, unless a test says otherwise.
pub const ALLOWED: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Address from which callbacks are not allowed.
pub const UNALLOWED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A request to the service that may be wrong in any way.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Returns a request without headers of its own and without a body.
    pub fn new(method: &str, path: &str) -> Request {
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Returns an unsigned POST with the given body.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Request {
        Request::new("POST", path).carrying(body)
    }

    /// Adds a body to the request.
    #[must_use]
    pub fn carrying(self, body: impl Into<Vec<u8>>) -> Request {
        Request {
            body: body.into(),
            ..self
        }
    }

    /// Returns a POST with the signature that Sinch would send.
    pub fn signed(path: &str, secret: &str, body: impl Into<Vec<u8>>) -> Request {
        let body = body.into();
        let signature = signature::sign(&SecretString::from(secret), &body);
        Request::post(path, body)
            .header("Content-Type", "application/json")
            .header("X-Sinch-Signature", &signature)
    }

    /// Adds a header line to the request; none is replaced.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns everything of the request before its body. The body's length is declared unless a header says otherwise.
    pub fn head(&self) -> String {
        let has = |header: &str| {
            let mut names = self.headers.iter().map(|(name, _)| name);
            names.any(|name| name.eq_ignore_ascii_case(header))
        };
        let length = if has("content-length") || has("transfer-encoding") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", self.body.len())
        };
        let host = if has("host") {
            ""
        } else {
            "Host: localhost\r\n"
        };
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        format!(
            "{} {} HTTP/1.1\r\n{host}{length}{headers}\r\n",
            self.method, self.path
        )
    }

    /// Returns the bytes of the request: its head and its body.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), &self.body].concat()
    }
}

/// Answer to a request, read from a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status of the answer.
    pub status: u16,
    /// Status line and headers of the answer.
    pub head: String,
    /// Body of the answer.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the value of one of the answer's headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Returns the answer's body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Returns the text of the answer without its `Date`.
    pub fn timeless(&self) -> String {
        let lines = self.head.lines();
        let lines: Vec<&str> = lines
            .filter(|line| !line.to_ascii_lowercase().starts_with("date:"))
            .collect();
        format!(
            "{}\n\n{}",
            lines.join("\n"),
            String::from_utf8_lossy(&self.body)
        )
    }

    /// Asserts that the answer is a short refusal in the service's form.
    #[track_caller]
    pub fn assert_refusal(&self, status: u16, request: &str) {
        assert_eq!(self.status, status, "{request}: {self:?}");
        let kind = self.header("content-type");
        assert_eq!(
            kind,
            Some("application/problem+json"),
            "{request}: {self:?}"
        );
        assert_eq!(self.json()["status"], status, "{request}: {self:?}");
        assert!(self.body.len() < 300, "{request}: {self:?}");
    }
}

/// TCP connection to a listener of the service.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// Connects from an address of this machine.
    ///
    /// # Errors
    ///
    /// Fails when nothing listens there.
    pub async fn open(from: Ipv4Addr, to: SocketAddr) -> io::Result<Connection> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        Connection::new(socket.connect(to).await?)
    }

    /// Connects from whichever address the system chooses.
    ///
    /// # Errors
    ///
    /// Fails when nothing listens there.
    pub async fn connect(to: SocketAddr) -> io::Result<Connection> {
        Connection::new(TcpStream::connect(to).await?)
    }

    fn new(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            unread: Vec::new(),
        })
    }

    /// Sends bytes over the connection. Returns `false` if the other side has hung up; it may have answered before.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Reads the next answer on the connection.
    ///
    /// # Errors
    ///
    /// Fails when the other side hangs up, does not answer in time, or does not speak HTTP/1.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let answer = timeout(PATIENCE, self.read_answer()).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends a request over the connection and reads its answer.
    ///
    /// # Errors
    ///
    /// Fails as [`Connection::answer`] does.
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Answer> {
        // Bytes that the other side sent before it hung up can still be read.
        self.send(request).await;
        self.answer().await
    }

    async fn read_answer(&mut self) -> io::Result<Answer> {
        let mut searched = 0;
        let head_bytes = loop {
            let mut ends = self.unread[searched..].windows(4);
            if let Some(end) = ends.position(|four| four == b"\r\n\r\n") {
                break searched + end;
            }
            searched = self.unread.len().saturating_sub(3);
            self.read_more().await?;
        };
        let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "not an answer of HTTP/1");
        let head = str::from_utf8(&self.unread[..head_bytes]).map_err(|_| unreadable())?;
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let mut answer = Answer {
            status: status.ok_or_else(unreadable)?,
            head: head.to_owned(),
            body: Vec::new(),
        };
        let length = answer.header("content-length");
        let length: usize =
            length.map_or(Ok(0), |length| length.parse().map_err(|_| unreadable()))?;
        let body = head_bytes + 4..head_bytes + 4 + length;
        while self.unread.len() < body.end {
            self.read_more().await?;
        }
        answer.body = self.unread[body.clone()].to_vec();
        self.unread.drain(..body.end);
        Ok(answer)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Returns `true` if the other side hangs up within the span, whatever it sends before.
    pub async fn hangs_up_within(&mut self, span: Duration) -> bool {
        let end = async { while self.read_more().await.is_ok() {} };
        timeout(span, end).await.is_ok()
    }
}
