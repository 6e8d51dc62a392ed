//! A balancer without mercy, in the test's own process: callbacks go to the replicas in turn, some to two of them at once. One
//! that a replica refuses, or does not answer, goes to the next. Only a 200 counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use testkit::{ALLOWED, PATH};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Maximum time that a replica may take to answer a callback: more than it waits for its database.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Maximum size of a callback's body, in bytes.
const BODY_MAX_BYTES: usize = 1 << 16;

/// One of this number of callbacks goes to two replicas at once.
const TWICE_IN: usize = 8;

struct Shared {
    client: reqwest::Client,
    replicas: Vec<String>,
    turn: AtomicUsize,
    sent_on: AtomicUsize,
}

/// A running balancer. Dropping it stops it.
pub struct Balancer {
    shared: Arc<Shared>,
    /// Address at which callbacks are taken.
    pub address: SocketAddr,
    _server: JoinSet<()>,
}

impl Balancer {
    /// Starts a balancer in front of replicas, which need not run yet.
    pub async fn start(replicas: &[SocketAddr]) -> Balancer {
        // Any client needs a TLS provider, even one that will not encrypt. Another test may have set it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX);
        let replicas = replicas.iter();
        let shared = Arc::new(Shared {
            client: client.build().expect("a client"),
            replicas: replicas.map(|to| format!("http://{to}{PATH}")).collect(),
            turn: AtomicUsize::new(0),
            sent_on: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((ALLOWED, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(pass).with_state(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.expect("serves");
        });
        Balancer {
            shared,
            address,
            _server: server,
        }
    }

    /// Returns the URL to which Sinch sends its callbacks.
    pub fn callback_url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Returns the number of callbacks that went on to another replica.
    pub fn sent_on(&self) -> usize {
        self.shared.sent_on.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Sends a callback to one replica. Returns `true` if it is answered 200.
    async fn is_taken(&self, replica: usize, headers: &HeaderMap, body: &Bytes) -> bool {
        let to = &self.replicas[replica % self.replicas.len()];
        let request = self.client.post(to).headers(headers.clone());
        let answer = request.body(body.clone()).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

/// Passes a callback on to a replica, and to the next ones until it is answered 200.
async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX_BYTES).await else {
        return StatusCode::BAD_REQUEST;
    };
    let turn = shared.turn.fetch_add(1, Ordering::Relaxed);
    let headers = &parts.headers;
    if turn.is_multiple_of(TWICE_IN) {
        let one = shared.is_taken(turn, headers, &body);
        let other = shared.is_taken(turn + 1, headers, &body);
        let (one, other) = tokio::join!(one, other);
        if one || other {
            return StatusCode::OK;
        }
    }
    for replica in turn..turn + shared.replicas.len() {
        if shared.is_taken(replica, headers, &body).await {
            return StatusCode::OK;
        }
        shared.sent_on.fetch_add(1, Ordering::Relaxed);
    }
    StatusCode::SERVICE_UNAVAILABLE
}
