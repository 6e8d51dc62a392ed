//! Proxy between a command and the two servers that it calls: Sinch and the service. It harms one of the requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{Full, Limited};
use testkit::ALLOWED;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Maximum size of a body, in bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Harm that a request comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is held back, so that it takes no effect.
    HeldBack,
    /// It takes effect, and its answer is held back.
    AnswerHeldBack,
    /// It takes effect, and the connection is closed without an answer.
    AnswerLost,
}

/// Request that is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The n-th, from 1.
    Nth(usize),
    /// The one that creates an order.
    Create,
    /// The one after that.
    AfterCreate,
}

impl Point {
    /// Returns `true` if the last of the requests so far is the one.
    fn is_last_of(self, requests: &[String]) -> bool {
        match (self, requests) {
            (Point::Nth(n), _) => requests.len() == n,
            (Point::Create, [.., last]) => is_create(last),
            (Point::AfterCreate, [.., before, _]) => is_create(before),
            (Point::Create | Point::AfterCreate, _) => false,
        }
    }
}

/// Returns `true` for the request that creates an order.
pub fn is_create(request: &str) -> bool {
    request.ends_with(":createNumberOrder")
}

struct Shared {
    client: reqwest::Client,
    /// Request that is harmed, and its harm.
    harm: Option<(Point, Harm)>,
    /// Requests so far, each as its method and its path.
    requests: Mutex<Vec<String>>,
    /// `true` once a request, or its answer, is held back.
    holds: AtomicBool,
}

impl Shared {
    /// Records a request, and returns the harm that it comes to.
    fn came(&self, request: String) -> Option<Harm> {
        let mut requests = self.requests.lock().expect("nobody panics with the lock");
        requests.push(request);
        let harm = self.harm.filter(|(point, _)| point.is_last_of(&requests));
        harm.map(|(_, harm)| harm)
    }

    /// Waits until the peer is gone.
    async fn hold_back(&self) -> Infallible {
        self.holds.store(true, Ordering::SeqCst);
        std::future::pending().await
    }
}

/// A running proxy. Dropping it stops it.
pub struct Interposer {
    shared: Arc<Shared>,
    /// Base URL at which Sinch is reached.
    pub sinch: String,
    /// Address at which the service's operators' listener is reached.
    pub operators: SocketAddr,
    _servers: JoinSet<()>,
}

impl Interposer {
    /// Starts a proxy in front of Sinch and the service.
    pub async fn start(
        sinch: &str,
        operators: SocketAddr,
        harm: Option<(Point, Harm)>,
    ) -> Interposer {
        // Any client needs a TLS provider, even one that will not encrypt. Another test may have set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build();
        let shared = Arc::new(Shared {
            client: client.expect("a client"),
            harm,
            requests: Mutex::default(),
            holds: AtomicBool::new(false),
        });
        let mut servers = JoinSet::new();
        let mut serve = async |target: String| {
            let listener = TcpListener::bind((ALLOWED, 0)).await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let state = (shared.clone(), target);
            let router = Router::new().fallback(pass).with_state(state);
            servers.spawn(async move {
                axum::serve(listener, router).await.expect("serves");
            });
            address
        };
        let sinch = serve(sinch.to_owned()).await;
        let operators = serve(format!("http://{operators}")).await;
        Interposer {
            shared,
            sinch: format!("http://{sinch}"),
            operators,
            _servers: servers,
        }
    }

    /// Returns the requests so far, each as its method and its path.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock();
        requests.expect("nobody panics with the lock").clone()
    }

    /// Returns `true` once the command waits for what is held back.
    pub fn holds(&self) -> bool {
        self.shared.holds.load(Ordering::SeqCst)
    }
}

/// Passes a request on, and its answer back, unless it is the one that is harmed.
async fn pass(State((shared, target)): State<(Arc<Shared>, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_MAX_BYTES)
        .await
        .expect("a whole body");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let harm = shared.came(format!("{} {path}", parts.method));
    if harm == Some(Harm::HeldBack) {
        shared.hold_back().await;
    }
    let mut headers = parts.headers;
    for own in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
        headers.remove(own);
    }
    let sent = shared
        .client
        .request(parts.method, format!("{target}{path}"))
        .headers(headers)
        .body(body)
        .send();
    let Ok(answer) = sent.await else {
        return cut();
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else {
        return cut();
    };
    match harm {
        None | Some(Harm::HeldBack) => {}
        Some(Harm::AnswerHeldBack) => {
            shared.hold_back().await;
        }
        Some(Harm::AnswerLost) => return cut(),
    }
    for own in [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION] {
        headers.remove(own);
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Response of which no byte is sent: its body fails before its head is out, and the connection is closed.
fn cut() -> Response {
    let longer_than_allowed = Full::new(Bytes::from_static(b"lost"));
    Response::new(Body::new(Limited::new(longer_than_allowed, 1)))
}
