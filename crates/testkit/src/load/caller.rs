//! Callers that send a load of callbacks: one for each connection. They take their turns from one queue.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::{Plan, Refused, Report, Timed};
use crate::{Answer, Callbacks, Connection, PATIENCE};

/// Wait before a refused callback is sent again over the same connection.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// State that all callers of a load share.
pub struct Shared {
    pub callbacks: Arc<Callbacks>,
    pub began: Instant,
    address: SocketAddr,
    plan: Plan,
    turns: AtomicUsize,
    fresh: AtomicUsize,
    /// Indices of the refused callbacks that will be sent later.
    again: Mutex<VecDeque<usize>>,
    answers: Mutex<Vec<Timed>>,
    /// Permits to send: one for each callback that is due, where the load has a rate.
    due: Semaphore,
    stop: AtomicBool,
    /// Number of callers that have ended.
    ended: AtomicUsize,
}

impl Shared {
    pub fn new(address: SocketAddr, callbacks: Arc<Callbacks>, plan: Plan) -> Shared {
        Shared {
            callbacks,
            began: Instant::now(),
            address,
            plan,
            turns: AtomicUsize::new(0),
            fresh: AtomicUsize::new(0),
            again: Mutex::default(),
            answers: Mutex::default(),
            due: Semaphore::new(0),
            stop: AtomicBool::new(false),
            ended: AtomicUsize::new(0),
        }
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.due.close();
    }

    /// Returns `true` once every caller has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed) >= self.plan.connections
    }

    /// Returns the indices of the callbacks that were answered 200 so far.
    pub fn acknowledged(&self) -> Vec<usize> {
        let answers = locked(&self.answers);
        let good = answers.iter().filter(|answer| answer.status == 200);
        good.map(|answer| answer.index).collect()
    }

    /// Returns the report on all answers to a load that ended at the given time from its start.
    pub fn report(&self, end: Duration) -> Report {
        let answers = locked(&self.answers).clone();
        Report::new(answers, self.began, self.plan.warm_up, end)
    }

    /// Makes callbacks due at the given rate per second, on a thread of its own: a runtime's timers tick in
    /// milliseconds.
    pub fn pace(&self, rate: f64) {
        let mut given = 0;
        while self.fresh.load(Ordering::Relaxed) < self.callbacks.count()
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
        // Every connection that still waits for a callback finds that none is left.
        self.due.add_permits(self.plan.connections);
    }

    /// Sends callbacks over one connection until none is left.
    pub async fn call(self: Arc<Self>, connection: Connection) -> io::Result<()> {
        let called = self.send_all(connection).await;
        self.ended.fetch_add(1, Ordering::Relaxed);
        called
    }

    async fn send_all(&self, connection: Connection) -> io::Result<()> {
        let mut connection = Some(connection);
        while let Some((index, from)) = self.next_callback().await {
            let answer = self.deliver(&mut connection, index).await?;
            let at = self.began.elapsed();
            if answer.status != 200 && self.plan.refused == Refused::Later {
                locked(&self.again).push_back(index);
            }
            locked(&self.answers).push(Timed {
                index,
                status: answer.status,
                retry_after: answer.header("retry-after").is_some(),
                at,
                latency: at.saturating_sub(from),
            });
        }
        Ok(())
    }

    /// Returns the next callback to send, with the time from which its latency counts.
    async fn next_callback(&self) -> Option<(usize, Duration)> {
        loop {
            if self.plan.rate.is_some() {
                self.due.acquire().await.ok()?.forget();
            }
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let turn = self.turns.fetch_add(1, Ordering::Relaxed);
            let now = self.began.elapsed();
            let from = match self.plan.rate {
                Some(rate) => Duration::from_secs_f64(turn as f64 / rate),
                None => now,
            };
            let late = now.saturating_sub(from);
            if self.plan.late_max.is_some_and(|max| late > max) {
                continue;
            }
            let again = locked(&self.again).pop_front();
            let index = again.unwrap_or_else(|| self.fresh.fetch_add(1, Ordering::Relaxed));
            return (index < self.callbacks.count()).then_some((index, from));
        }
    }

    async fn deliver(
        &self,
        connection: &mut Option<Connection>,
        index: usize,
    ) -> io::Result<Answer> {
        let began = Instant::now();
        loop {
            let answer = self
                .attempt(connection, self.callbacks.request(index))
                .await;
            let is_good = matches!(answer, Ok(Answer { status: 200, .. }));
            if is_good || self.plan.refused != Refused::AtOnce || began.elapsed() > PATIENCE {
                return answer;
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn attempt(
        &self,
        connection: &mut Option<Connection>,
        request: &[u8],
    ) -> io::Result<Answer> {
        // The connection is put back only after a whole answer.
        let mut open = match connection.take() {
            Some(open) => open,
            None => Connection::connect(self.address).await?,
        };
        let answer = open.exchange(request).await?;
        let close = answer.header("connection");
        if !close.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            *connection = Some(open);
        }
        Ok(answer)
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
