//! A proxy before the simulated Sinch, which loses, holds back or replaces single answers.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Sinch's 404 for what it does not know.
pub const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 70\r\n\
    connection: close\r\n\r\n{\"error\":{\"code\":404,\"message\":\"\",\"status\":\"NOT_FOUND\",\"details\":[]}}\n";

/// A proxy that runs until its runtime ends.
pub struct Tap {
    /// URL of the proxy.
    pub url: String,
    plan: Arc<Plan>,
}

/// What is done to requests, by a part of their first lines.
struct Plan {
    sinch: SocketAddr,
    replaced: Mutex<Option<(String, &'static str)>>,
    held: Mutex<Option<String>>,
    is_released: watch::Sender<bool>,
}

impl Tap {
    /// Starts a proxy before the given URL.
    pub async fn before(url: &str) -> Tap {
        let sinch = url.strip_prefix("http://").expect("a plain URL");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let plan = Arc::new(Plan {
            sinch: sinch.parse().expect("an address"),
            replaced: Mutex::default(),
            held: Mutex::default(),
            is_released: watch::Sender::new(false),
        });
        let serving = plan.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plan = serving.clone();
                tokio::spawn(async move { plan.serve(client).await });
            }
        });
        Tap {
            url: format!("http://{address}"),
            plan,
        }
    }

    /// Answers the next request whose first line has the given part with `answer`, in place of Sinch.
    pub fn replace_next(&self, part: &str, answer: &'static str) {
        *self.plan.replaced.lock().expect("a plan") = Some((part.to_owned(), answer));
    }

    /// Returns `true` if every answer that was to be replaced has been.
    pub fn has_replaced(&self) -> bool {
        self.plan.replaced.lock().expect("a plan").is_none()
    }

    /// Holds back the answers to requests whose first line has the given part, until they are released.
    pub fn hold(&self, part: &str) {
        *self.plan.held.lock().expect("a plan") = Some(part.to_owned());
    }

    /// Holds answers back again, after a release.
    pub fn hold_again(&self) {
        self.plan.is_released.send_replace(false);
    }

    /// Lets all answers through.
    pub fn release(&self) {
        self.plan.is_released.send_replace(true);
    }
}

impl Plan {
    /// Passes one request and its answer on. Both ends close after it, so that each request has a connection of its own.
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut request = Vec::new();
        let end = b"\r\n\r\n";
        while !request.windows(end.len()).any(|window| window == end) {
            if client.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let line_end = request.iter().position(|&byte| byte == b'\n');
        let line_end = line_end.map_or(0, |at| at + 1);
        let line = String::from_utf8_lossy(&request[..line_end]).into_owned();
        let replaced = self
            .replaced
            .lock()
            .expect("a plan")
            .take_if(|(part, _)| line.contains(part.as_str()));
        if let Some((_, answer)) = replaced {
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        let held = self.held.lock().expect("a plan").clone();
        let is_held = held.is_some_and(|part| line.contains(&part));
        request.splice(line_end..line_end, *b"connection: close\r\n");
        let mut sinch = TcpStream::connect(self.sinch).await?;
        sinch.write_all(&request).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_sinch, mut to_sinch) = sinch.split();
        let answer = async {
            if is_held {
                let mut answer = Vec::new();
                from_sinch.read_to_end(&mut answer).await?;
                let mut released = self.is_released.subscribe();
                let _ = released.wait_for(|is_released| *is_released).await;
                to_client.write_all(&answer).await?;
            } else {
                copy(&mut from_sinch, &mut to_client).await?;
            }
            to_client.shutdown().await
        };
        let body = async {
            let _ = copy(&mut from_client, &mut to_sinch).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answered = answer => answered,
            () = body => Ok(()),
        }
    }
}
