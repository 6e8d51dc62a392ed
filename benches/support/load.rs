//! Calls a receiver as Sinch would, and measures its answers.
//!
//! Requests are made and signed in advance and sent over kept connections, so that the caller costs
//! little compared with the receiver.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::{Timestamp, tz::Offset};
use secrecy::SecretString;
use sinch_callbacks::clock;
use sinch_numbers::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Maximum time for one answer, and for all attempts of a callback.
const PATIENCE: Duration = Duration::from_secs(30);

/// Wait before a callback is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// States that the events of an order claim in turn: a life that ends and begins again.
pub const LIVES: &[&str] = &["IN_REVIEW", "BLOCKED", "IN_REVIEW", "COMPLETED"];

/// States in turn, where every event but the first fits the one before.
pub const FITTING: &[&str] = &["IN_REVIEW", "BLOCKED"];

/// Subject of callbacks, and their signature.
pub struct DeliveryContent {
    /// Path of the callback URL.
    pub path: String,
    /// Project id at Sinch.
    pub project: String,
    /// Secret of the signatures.
    pub secret: SecretString,
    /// Orders that the callbacks are about.
    pub orders: Vec<String>,
    /// States that the events of an order claim in turn, again and again.
    pub statuses: &'static [&'static str],
}

/// Callback that is ready to be sent.
pub struct Callback {
    /// Unique `eventId` of the callback.
    pub event: String,
    request: Vec<u8>,
    body_at: usize,
}

impl Callback {
    /// Bytes of the request's body.
    pub fn body(&self) -> &[u8] {
        &self.request[self.body_at..]
    }
}

/// Makes ids of orders that no other caller uses.
pub fn order_ids(count: usize, rng: &mut Rng) -> Vec<String> {
    let now = clock::now().0 / 1000;
    (0..count).map(|_| ulid(now, rng)).collect()
}

/// Makes callbacks about random orders. Their ids sort by time, as Sinch's do: twenty to the millisecond.
pub fn callbacks(subject: &DeliveryContent, count: usize, rng: &mut Rng) -> Arc<[Callback]> {
    let now = clock::now().0 / 1000;
    let mut said = vec![0; subject.orders.len()];
    (0..count)
        .map(|n| {
            let order = rng.usize(0..subject.orders.len());
            let status = subject.statuses[said[order] % subject.statuses.len()];
            said[order] += 1;
            let millis = now + n as i64 / 20;
            callback(subject, &subject.orders[order], status, millis, rng)
        })
        .collect()
}

fn callback(
    subject: &DeliveryContent,
    order: &str,
    status: &str,
    millis: i64,
    rng: &mut Rng,
) -> Callback {
    let event = ulid(millis, rng);
    let at = Timestamp::from_millisecond(millis).unwrap_or_default();
    let DeliveryContent { path, project, .. } = subject;
    let body = format!(
        "{{\"eventId\":\"{event}\",\"timestamp\":\"{:.9}\",\"projectId\":\"{project}\",\
         \"resourceId\":\"{order}\",\"resourceType\":\"NUMBER_ORDER\",\
         \"eventType\":\"NUMBER_ORDER_PROCESSING\",\"status\":\"{status}\",\"failureCode\":null}}",
        Offset::UTC.to_datetime(at)
    );
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: receiver\r\ncontent-type: application/json\r\n\
         {}: {}\r\ncontent-length: {}\r\n\r\n",
        signature::HEADER,
        signature::sign(&subject.secret, body.as_bytes()),
        body.len()
    );
    Callback {
        event,
        body_at: head.len(),
        request: (head + &body).into_bytes(),
    }
}

/// Makes an id like Sinch's: a lower-case ULID.
fn ulid(millis: i64, rng: &mut Rng) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let bits = (millis as u128) << 80 | rng.u128(..) >> 48;
    (0..26)
        .rev()
        .map(|place| char::from(DIGITS[(bits >> (5 * place)) as usize & 31]))
        .collect()
}

/// Plan of the calls.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Number of connections, each with one callback in flight at a time.
    pub connections: usize,
    /// Callbacks a second, whether or not those before were answered. `None`: each connection sends the next
    /// as soon as the last is answered.
    pub rate: Option<f64>,
    /// Time from the start for which answers are not measured.
    pub warm_up: Duration,
    /// Treatment of a callback that is not answered 200.
    pub refused: Refused,
    /// Maximum lateness of a turn, where there is a rate. A later turn is left out, since a caller that
    /// cannot keep up measures itself.
    pub late_max: Option<Duration>,
}

impl Plan {
    /// Plan in which each connection sends as fast as it gets answers, and nothing again.
    pub fn closed(connections: usize, warm_up: Duration) -> Plan {
        Plan {
            connections,
            rate: None,
            warm_up,
            refused: Refused::Dropped,
            late_max: None,
        }
    }
}

/// Treatment of a callback that is not answered 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The callback is dropped.
    Dropped,
    /// The callback takes the turn of one that was not sent yet.
    Later,
    /// The callback is sent again until it is answered 200, over a new connection if necessary.
    AtOnce,
}

/// Answer to a callback.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Index of the callback.
    pub index: usize,
    /// HTTP status of the answer.
    pub status: u16,
    /// `true` if the answer had a `Retry-After`.
    pub retry_after: bool,
    /// Time of the answer, from the start.
    pub at: Duration,
    /// Latency. At a fixed rate it counts from the time at which the callback was due: the wait for a free
    /// connection is part of it.
    pub took: Duration,
}

/// Report on all calls.
pub struct Report {
    /// Indices of the callbacks that were answered 200.
    pub acknowledged: Vec<usize>,
    /// Number of callbacks with any other answer.
    pub refused: usize,
    /// Callbacks answered 200 per second, after the warm-up.
    pub per_second: f64,
    /// All answers, in no order.
    pub answers: Vec<Answer>,
    /// Start of the calls.
    pub began: Instant,
    latencies: Vec<Duration>,
}

impl Report {
    fn new(answers: Vec<Answer>, began: Instant, warm_up: Duration, end: Duration) -> Report {
        let good = |answer: &&Answer| answer.status == 200;
        let timed = |answer: &&Answer| (warm_up..=end).contains(&answer.at);
        let measured = answers.iter().filter(good).filter(timed);
        let mut latencies: Vec<Duration> = measured.map(|answer| answer.took).collect();
        latencies.sort_unstable();
        let acknowledged: Vec<usize> = answers.iter().filter(good).map(|a| a.index).collect();
        let window = end.saturating_sub(warm_up).as_secs_f64();
        Report {
            refused: answers.len() - acknowledged.len(),
            per_second: latencies.len() as f64 / window.max(1e-9),
            acknowledged,
            answers,
            began,
            latencies,
        }
    }

    /// Latency in milliseconds that this share of the measured callbacks did not exceed.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        percentile_ms(&self.latencies, share)
    }
}

/// Percentile of any sorted times, in milliseconds.
pub fn percentile_ms(sorted: &[Duration], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    let at = sorted.get(place.saturating_sub(1)).or(sorted.last());
    at.map_or(f64::NAN, |at| at.as_secs_f64() * 1000.0)
}

struct Shared {
    address: SocketAddr,
    callbacks: Arc<[Callback]>,
    plan: Plan,
    began: Instant,
    turns: AtomicUsize,
    fresh: AtomicUsize,
    /// Indices of refused callbacks that will be sent later.
    again: Mutex<VecDeque<usize>>,
    /// Permits, one for each callback that is due, where there is a rate.
    due: Semaphore,
    stop: AtomicBool,
}

/// Sends callbacks until `until`, or until all are sent. Callbacks in flight then are still answered.
///
/// # Errors
///
/// Fails when the receiver cannot be reached or does not answer; with [`Refused::AtOnce`], only after a while.
pub async fn run(
    address: SocketAddr,
    callbacks: &Arc<[Callback]>,
    plan: &Plan,
    until: impl Future<Output = ()>,
) -> io::Result<Report> {
    let mut streams = Vec::with_capacity(plan.connections);
    for _ in 0..plan.connections {
        streams.push(connect(address).await?);
    }
    let shared = Arc::new(Shared {
        address,
        callbacks: callbacks.clone(),
        plan: plan.clone(),
        began: Instant::now(),
        turns: AtomicUsize::new(0),
        fresh: AtomicUsize::new(0),
        again: Mutex::default(),
        due: Semaphore::new(0),
        stop: AtomicBool::new(false),
    });
    let mut callers = JoinSet::new();
    for stream in streams {
        callers.spawn(shared.clone().call(stream));
    }
    if let Some(rate) = plan.rate {
        let shared = shared.clone();
        thread::spawn(move || shared.pace(rate));
    }
    let mut answers = Vec::new();
    let mut end = None;
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until, if end.is_none() => {
                end = Some(shared.began.elapsed());
                shared.stop();
            }
            called = callers.join_next() => match called {
                Some(called) => answers.extend(called.map_err(io::Error::other)??),
                None => break,
            }
        }
    }
    let end = end.unwrap_or_else(|| shared.began.elapsed());
    shared.stop();
    Ok(Report::new(answers, shared.began, plan.warm_up, end))
}

impl Shared {
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.due.close();
    }

    /// Makes callbacks due, on a thread of its own: a runtime's timers tick in milliseconds.
    fn pace(&self, rate: f64) {
        let mut given = 0;
        while self.fresh.load(Ordering::Relaxed) < self.callbacks.len()
            && !self.stop.load(Ordering::Relaxed)
        {
            let due = (self.began.elapsed().as_secs_f64() * rate) as usize + 1;
            self.due.add_permits(due - given);
            given = due;
            let next = Duration::from_secs_f64(given as f64 / rate);
            #[expect(
                clippy::disallowed_methods,
                reason = "a thread of its own, which waits for its time to send"
            )]
            thread::sleep(next.saturating_sub(self.began.elapsed()));
        }
        // Every connection that still waits finds that nothing is left.
        self.due.add_permits(self.plan.connections);
    }

    /// Returns the next callback, with the time from which its latency counts.
    async fn next(&self) -> Option<(usize, Duration)> {
        loop {
            if self.plan.rate.is_some() {
                self.due.acquire().await.ok()?.forget();
            }
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let (turn, now) = (
                self.turns.fetch_add(1, Ordering::Relaxed),
                self.began.elapsed(),
            );
            let from = match self.plan.rate {
                Some(rate) => Duration::from_secs_f64(turn as f64 / rate),
                None => now,
            };
            if self
                .plan
                .late_max
                .is_some_and(|max| now.saturating_sub(from) > max)
            {
                continue;
            }
            let again = self.again().pop_front();
            let index = again.unwrap_or_else(|| self.fresh.fetch_add(1, Ordering::Relaxed));
            return (index < self.callbacks.len()).then_some((index, from));
        }
    }

    fn again(&self) -> std::sync::MutexGuard<'_, VecDeque<usize>> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends callbacks over one connection.
    async fn call(self: Arc<Self>, stream: TcpStream) -> io::Result<Vec<Answer>> {
        let mut stream = Some(stream);
        let mut answers = Vec::new();
        while let Some((index, from)) = self.next().await {
            let head = self.deliver(&mut stream, &self.callbacks[index]).await?;
            let Head {
                status,
                retry_after,
                ..
            } = head;
            let at = self.began.elapsed();
            let took = at.saturating_sub(from);
            if status != 200 && self.plan.refused == Refused::Later {
                self.again().push_back(index);
            }
            answers.push(Answer {
                index,
                status,
                retry_after,
                at,
                took,
            });
        }
        Ok(answers)
    }

    async fn deliver(
        &self,
        stream: &mut Option<TcpStream>,
        callback: &Callback,
    ) -> io::Result<Head> {
        let began = Instant::now();
        loop {
            let answered = self.attempt(stream, callback).await;
            let good = matches!(answered, Ok(Head { status: 200, .. }));
            if good || self.plan.refused != Refused::AtOnce || began.elapsed() > PATIENCE {
                return answered;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        stream: &mut Option<TcpStream>,
        callback: &Callback,
    ) -> io::Result<Head> {
        // The stream is put back only after a whole answer.
        let mut open = match stream.take() {
            Some(open) => open,
            None => connect(self.address).await?,
        };
        let head = exchange(&mut open, &callback.request).await?;
        if !head.closes {
            *stream = Some(open);
        }
        Ok(head)
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Head of an answer, before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// HTTP status of the answer.
    pub status: u16,
    /// `true` if there is a `Retry-After`.
    pub retry_after: bool,
    /// `true` if the connection closes after this answer.
    closes: bool,
    /// Size of the whole answer in bytes.
    total: usize,
}

/// Sends a request and reads its answer to the end.
///
/// # Errors
///
/// Fails when the connection breaks, the answer takes too long, or is not HTTP with a `Content-Length`.
pub async fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<Head> {
    match timeout(PATIENCE, talk(stream, request)).await {
        Ok(head) => head,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn talk(stream: &mut TcpStream, request: &[u8]) -> io::Result<Head> {
    stream.write_all(request).await?;
    let mut answer = [0; 4096];
    let mut length = 0;
    let mut told: Option<Head> = None;
    // Only the head must fit: the bytes of a body are counted and not kept.
    loop {
        let from = if told.is_some() { 0 } else { length };
        let read = stream.read(&mut answer[from..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        length += read;
        if told.is_none() {
            told = head(&answer[..length])?;
        }
        if let Some(head) = told
            && length >= head.total
        {
            return Ok(head);
        }
    }
}

/// Parses the head of an answer; `None` if it is incomplete.
fn head(answer: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let unread = || io::Error::new(io::ErrorKind::InvalidData, "not an answer that can be read");
    let text = str::from_utf8(&answer[..end]).map_err(|_| unread())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let find = |wanted: &str| {
        let mut named = headers.clone();
        let found = named.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
    let (status, length) = number(status)
        .zip(number(find("content-length")))
        .ok_or_else(unread)?;
    Ok(Some(Head {
        status: u16::try_from(status).map_err(|_| unread())?,
        retry_after: find("retry-after").is_some(),
        closes: find("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        total: end + 4 + length,
    }))
}
