//! A target of the demo, as a system of the user's own would be: it writes down what it is told, and nothing else.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Destination, Target};
use crate::http::receiver::{self, Received};
use notifications::{
    Filter, Format, ID_HEADER, RetrySchedule, SIGNATURE_HEADER, SignedHeaders, SigningKey,
    TIMESTAMP_HEADER, verify,
};
use number_order::{Id, State};

/// Difference of the clocks that the receiver tolerates.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Receiver that listens already.
pub struct Receiver {
    listener: TcpListener,
    url: String,
    key: SigningKey,
    book: Arc<Mutex<Book>>,
}

/// What the receiver was told.
#[derive(Debug, Default)]
pub struct Book {
    /// Number of events whose signature is good.
    pub genuine: usize,
    /// Number of events whose signature is not.
    pub unsigned: usize,
    /// Number of events of an order that came after a later one.
    pub out_of_sequence: usize,
    /// Of each order, the number and the state of the last event.
    orders: HashMap<String, (u64, Option<State>)>,
}

/// Event about an order, as far as the receiver needs it.
#[derive(Deserialize)]
struct Told {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    order: String,
    order_sequence: u64,
    state: Option<State>,
}

impl Receiver {
    /// Binds a free address on loopback.
    pub fn bind() -> io::Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}/", listener.local_addr()?);
        let secret: String = (0..32).map(|_| fastrand::alphanumeric()).collect();
        let key = SigningKey::new(&format!("whsec_{secret}")).map_err(io::Error::other)?;
        Ok(Receiver {
            listener,
            url,
            key,
            book: Arc::default(),
        })
    }

    /// Returns the target that the service is configured with.
    pub fn target(&self) -> Target {
        Target {
            name: "demo".to_owned(),
            destination: Destination::Url {
                url: self.url.clone().into(),
                keys: vec![self.key.clone()],
                allow: vec![IpAddr::from(Ipv4Addr::LOCALHOST).into()],
            },
            filter: Filter::default(),
            format: Format::Json,
            requests_per_second: None,
            max_in_flight: 8,
            timeout: Duration::from_secs(15),
            retries: RetrySchedule::default(),
        }
    }

    /// Receives until `stop` is cancelled.
    pub fn spawn(self, stop: CancellationToken) -> (SharedBook, JoinHandle<io::Result<()>>) {
        let book = SharedBook(self.book.clone());
        let show = move |received: &Received| {
            lock(&self.book).enter(received, &self.key);
        };
        let running = tokio::spawn(receiver::serve(self.listener, 200, show, stop));
        (book, running)
    }
}

impl Book {
    fn enter(&mut self, received: &Received, key: &SigningKey) {
        let headers = SignedHeaders {
            id: received.header(ID_HEADER),
            timestamp: received.header(TIMESTAMP_HEADER),
            signature: received.header(SIGNATURE_HEADER),
        };
        let now_secs = clock::now().0.div_euclid(1_000_000);
        let keys = [key.verifying_key()];
        if verify(&keys, &headers, &received.body, now_secs, TOLERANCE).is_err() {
            self.unsigned += 1;
            return;
        }
        self.genuine += 1;
        if let Ok(Told { data }) = serde_json::from_slice(&received.body) {
            let known = self.orders.entry(data.order).or_default();
            if data.order_sequence < known.0 {
                self.out_of_sequence += 1;
            }
            *known = (data.order_sequence, data.state);
        }
    }

    /// Returns the number of orders of which the receiver knows the state that they are in.
    pub fn agreeing(&self, ends: &BTreeMap<Id, State>) -> usize {
        let is_right = |(id, end): &(&Id, &State)| {
            let known = self.orders.get(id.as_str());
            known.is_some_and(|(_, state)| *state == Some(**end))
        };
        ends.iter().filter(is_right).count()
    }
}

/// What the receiver has been told so far.
pub struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    /// Returns the book, which the receiver cannot write in until the guard is dropped.
    pub fn read(&self) -> MutexGuard<'_, Book> {
        lock(&self.0)
    }
}

/// Locks the book. A panic elsewhere cannot leave it half written.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
