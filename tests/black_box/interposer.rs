//! Proxy between a command and the two servers that it calls: Sinch and the service. It harms single requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{Full, Limited};
use testkit::ALLOWED;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Maximum size of a body, in bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Body of Sinch's 404 for what it does not know.
const NOT_FOUND: &str = r#"{"error":{"code":404,"message":"","status":"NOT_FOUND","details":[]}}"#;

/// Harm that is done to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is held back, so that it takes no effect before the release.
    HeldBack,
    /// It takes effect, and its answer is held back until the release.
    AnswerHeldBack,
    /// It is held back until the release, and the connection is then closed, so that it takes no effect.
    LostOnceReleased,
    /// It takes effect, and the connection is closed without an answer.
    AnswerLost,
    /// It takes no effect, and is answered as by a Sinch that does not know what it names.
    NotFound,
}

/// Request that is harmed, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The n-th of all, from 1.
    Nth(usize),
    /// The next that records the beginning of a step in the service's journal. Of a form without an order, that is its
    /// create.
    Beginning,
    /// The next that creates an order.
    Create,
    /// The one after that.
    AfterCreate,
    /// The next that fetches an order from Sinch.
    OrderFetch,
    /// The next that registers data.
    Registration,
    /// The next that uploads a document.
    Upload,
    /// The next that finds out if a number can be had.
    Availability,
}

impl Point {
    /// Returns `true` if the last of the requests so far is the one.
    fn is_last_of(self, requests: &[String]) -> bool {
        match (self, requests) {
            (Point::Nth(n), _) => requests.len() == n,
            (Point::Beginning, [.., last]) => last.ends_with("/steps"),
            (Point::Create, [.., last]) => is_create(last),
            (Point::AfterCreate, [.., before, _]) => is_create(before),
            (Point::OrderFetch, [.., last]) => {
                let order = last.rsplit_once("/numberOrders/");
                last.starts_with("GET ") && order.is_some_and(|(_, order)| !order.contains('/'))
            }
            (Point::Registration, [.., last]) => {
                last.starts_with("PUT ") && last.ends_with("/registration")
            }
            (Point::Upload, [.., last]) => last.contains("/attachments/"),
            (Point::Availability, [.., last]) => last.contains("/availableNumbers/"),
            (_, [] | [_]) => false,
        }
    }
}

/// Returns `true` for the request that creates an order.
pub fn is_create(request: &str) -> bool {
    request.ends_with(":createNumberOrder")
}

/// What is held back now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// A request, or its answer.
    One,
}

struct Shared {
    client: reqwest::Client,
    /// Request that is harmed next, and its harm.
    harm: Mutex<Option<(Point, Harm)>>,
    /// Requests so far, each as its method and its path.
    requests: Mutex<Vec<String>>,
    hold: watch::Sender<Hold>,
}

impl Shared {
    /// Records a request, and returns the harm that is to be done to it.
    fn came(&self, request: String) -> Option<Harm> {
        let mut requests = self.requests.lock().expect("nobody panics with the lock");
        requests.push(request);
        let mut harm = self.harm.lock().expect("nobody panics with the lock");
        let harm = harm.take_if(|(point, _)| point.is_last_of(&requests));
        harm.map(|(_, harm)| harm)
    }

    /// Waits for the release. The wait ends as well when the peer is gone.
    async fn hold_back(&self) {
        self.hold.send_replace(Hold::One);
        let mut hold = self.hold.subscribe();
        let released = hold.wait_for(|hold| *hold == Hold::Nothing).await;
        released.expect("the proxy has both ends");
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
            harm: Mutex::new(harm),
            requests: Mutex::default(),
            hold: watch::Sender::new(Hold::Nothing),
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

    /// Harms another request.
    pub fn harm_next(&self, point: Point, harm: Harm) {
        let mut next = self
            .shared
            .harm
            .lock()
            .expect("nobody panics with the lock");
        *next = Some((point, harm));
    }

    /// Returns `true` once no request is left to be harmed.
    pub fn has_harmed(&self) -> bool {
        let next = self.shared.harm.lock();
        next.expect("nobody panics with the lock").is_none()
    }

    /// Returns `true` while the command waits for what is held back.
    pub fn holds(&self) -> bool {
        *self.shared.hold.borrow() == Hold::One
    }

    /// Lets through what is held back.
    pub fn release(&self) {
        self.shared.hold.send_replace(Hold::Nothing);
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
    match harm {
        Some(Harm::HeldBack) => shared.hold_back().await,
        Some(Harm::LostOnceReleased) => {
            shared.hold_back().await;
            return cut();
        }
        Some(Harm::NotFound) => return (StatusCode::NOT_FOUND, NOT_FOUND).into_response(),
        Some(Harm::AnswerHeldBack | Harm::AnswerLost) | None => {}
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
        Some(Harm::AnswerHeldBack) => shared.hold_back().await,
        Some(Harm::AnswerLost) => return cut(),
        Some(Harm::HeldBack | Harm::LostOnceReleased | Harm::NotFound) | None => {}
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
