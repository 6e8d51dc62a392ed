//! Asks Sinch for the orders of one project that are due, within its budget, while its gate is open.
//!
//! Orders are claimed a little ahead of the lanes that ask about them, for a claim has to wait for a commit;
//! what came of asking is settled behind the lanes' backs. So a lane is never held up by the disk.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::limits::Limits;
use super::pace::{HANGS_AFTER, Next, Pace, Seat};
use super::settle::Settler;
use super::{POLL, STORE_PAUSE, logged, step};
use crate::clock;
use crate::logged::masked;
use crate::order::{BackOff, Id, Rule, Time};
use crate::sinch::api::Client;
use crate::store::{Claim, ClaimRequest, Gate, Outcome, Store, StoreError, Turn};
use crate::vitals::Vitals;

/// How long an order waits in hand for a lane before it is given back. Leases have to last for longer than a
/// question and this together.
const IN_HAND_MAX: Duration = Duration::from_secs(1);

/// The worker that asks for one project.
pub struct Asker {
    /// The project.
    pub project: Id,
    /// Who asks.
    pub client: Client,
    /// Where due orders and answers are kept.
    pub store: Store,
    /// The rules by which answers are weighed.
    pub rule: Rule,
    /// How failed tries are spaced.
    pub back_off: BackOff,
    /// Questions under way at once, but for those that hang or are asked apart.
    pub lanes: usize,
    /// Questions a second at most, over time.
    pub asks_per_second: f64,
    /// How long a claimed order can be held at worst: in hand, then for its question.
    pub lease: Duration,
    /// The gate as an earlier run left it.
    pub gate: Gate,
    /// By which an operator opens it again.
    pub resume: Arc<Notify>,
    /// Where it shows that it is alive.
    pub vitals: Arc<Vitals>,
}

/// What the lanes of one project share.
struct Shared {
    asker: Asker,
    /// The asker's name among the workers.
    name: String,
    pace: Mutex<Pace>,
    /// The lanes that are free. More tasks ask than there are lanes, for one that waits long lets go of its lane.
    lanes: Semaphore,
    /// Orders that are claimed and wait for a lane.
    in_hand: tokio::sync::Mutex<UnboundedReceiver<InHand>>,
    /// The gate as it was last kept. Locked while it is being written, so that the last word stays.
    kept: tokio::sync::Mutex<Gate>,
    /// Wakes whoever waits for a place, or for the gate.
    ended: Notify,
    /// Says that nobody is to be asked any more.
    stop: CancellationToken,
}

/// An order that is claimed.
struct InHand {
    claim: Claim,
    since: Time,
    place: Place,
}

/// The place of an order that is claimed, in hand or in a lane. It is free again when this is dropped, however
/// its question ended.
struct Place {
    shared: Arc<Shared>,
    seat: Seat,
}

impl Place {
    /// The question hangs. Returns whether its lane is another's now.
    fn hangs(&mut self) -> bool {
        let gives_way = self.seat == Seat::Lane && self.shared.pace().hangs();
        if gives_way {
            self.seat = Seat::Hanging;
            self.shared.ended.notify_one();
        }
        gives_way
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut pace = self.shared.pace();
        pace.freed(self.seat);
        if pace.has_room() {
            self.shared.ended.notify_one();
        }
    }
}

/// How long there is nothing to do, and for whom that may end sooner.
enum Pause {
    /// For nobody: there is more to do.
    None,
    /// For news: no order is due.
    Idle(Duration),
    /// For a question that ends: places, rate or gate hold it up.
    HeldUp(Duration),
}

impl Asker {
    /// Works until told to stop, then waits for what is under way, unless told to abort that too.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(
        self,
        stop: CancellationToken,
        abort: CancellationToken,
    ) -> Result<(), StoreError> {
        let limits = Limits {
            lanes: u32::try_from(self.lanes).unwrap_or(u32::MAX),
            asks_per_second: self.asks_per_second,
            probes_apart_max: self.back_off.cap,
        };
        let name = format!("ask {}", self.project);
        self.vitals.gate(&self.project, &self.gate);
        self.vitals.beat(&name);
        let Some(found) = self.was_found(&name, &stop).await? else {
            return Ok(());
        };
        let tasks = limits.questions_max();
        let (hand, in_hand) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            pace: Mutex::new(Pace::new(limits, self.gate.clone(), found, clock::now())),
            lanes: Semaphore::new(self.lanes),
            in_hand: tokio::sync::Mutex::new(in_hand),
            kept: tokio::sync::Mutex::new(self.gate.clone()),
            ended: Notify::new(),
            stop: stop.clone(),
            name,
            asker: self,
        });
        let settler = Settler {
            project: shared.asker.project.clone(),
            store: shared.asker.store.clone(),
            vitals: shared.asker.vitals.clone(),
        };
        let (outcomes, came) = mpsc::unbounded_channel();
        let mut settling = pin!(settler.run(came));
        let lane = || shared.clone().lane(outcomes.clone());
        let mut lanes: JoinSet<()> = (0..tasks).map(|_| lane()).collect();
        // Not cut off over a claim, for what it leased would be held, and its tries would count.
        let work = async {
            while !stop.is_cancelled() {
                shared.work(&hand).await?;
            }
            Ok(())
        };
        // A lane ends with the work, or by a panic over one order, which is not to hold up the others.
        let panics = async {
            while lanes.join_next().await.is_some() {
                lanes.spawn(lane());
            }
        };
        let working = async {
            tokio::select! {
                outcome = work => outcome,
                outcome = &mut settling => outcome,
                () = panics => Ok(()),
            }
        };
        // What is let go is free again when its leases run out.
        let Some(outcome) = abort.run_until_cancelled(working).await else {
            return Ok(());
        };
        outcome?;
        drop((hand, outcomes));
        let ended = async { tokio::join!(settling, lanes.join_all()).0 };
        abort.run_until_cancelled(ended).await.unwrap_or(Ok(()))
    }
}

impl Asker {
    /// Whether Sinch has shown an order of this project before; `None`: told to stop.
    async fn was_found(
        &self,
        name: &str,
        stop: &CancellationToken,
    ) -> Result<Option<bool>, StoreError> {
        while !stop.is_cancelled() {
            let found = self.store.any_confirmed(&self.project).await;
            if let Some(found) = step(&self.vitals, name, found)? {
                return Ok(Some(found));
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
        Ok(None)
    }
}

impl Shared {
    /// Claims what can be claimed, then waits until there may be more to do.
    async fn work(self: &Arc<Self>, hand: &UnboundedSender<InHand>) -> Result<(), StoreError> {
        // Registered before looking, so that what comes meanwhile is not slept through.
        let news = self.asker.store.asks().notified();
        let (idle, span) = match self.claim(hand).await? {
            Pause::None => return Ok(()),
            Pause::Idle(span) => (true, span),
            Pause::HeldUp(span) => (false, span),
        };
        tokio::select! {
            () = news, if idle => {}
            () = self.ended.notified(), if !idle => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(span) => {}
            () = self.asker.resume.notified() => {
                self.pace().resumed();
                self.keep_gate().await;
            }
        }
        Ok(())
    }

    /// Claims as many orders as gate, lanes and budget allow.
    async fn claim(self: &Arc<Self>, hand: &UnboundedSender<InHand>) -> Result<Pause, StoreError> {
        let now = clock::now();
        let (next, apart) = {
            let mut pace = self.pace();
            (pace.next(now), pace.kept_apart())
        };
        let held_up = |span| {
            // Rightly: for the budget, for the gate, or for Sinch.
            self.asker.vitals.beat(&self.name);
            Ok(Pause::HeldUp(span))
        };
        let (orders_max, turn) = match next {
            Next::Ask { orders_max, turn } => (orders_max, turn),
            Next::Wait(until) => return held_up(until.since(now).min(POLL)),
            Next::Full => return held_up(POLL),
        };
        let request = ClaimRequest {
            project: self.asker.project.clone(),
            orders_max,
            turn,
            apart,
            now,
            lease: self.asker.lease,
        };
        let claimed = self.asker.store.claim(request).await;
        let orders = claimed.as_ref().map_or(0, |claims| claims.len() as u32);
        let since = clock::now();
        let more = self.pace().claimed(turn, orders_max, orders, since);
        let Some(claims) = step(&self.asker.vitals, &self.name, claimed)? else {
            return Ok(Pause::Idle(STORE_PAUSE));
        };
        let seat = if turn == Turn::Apart {
            Seat::Apart
        } else {
            Seat::Lane
        };
        for claim in claims {
            let place = Place {
                shared: self.clone(),
                seat,
            };
            // Its receiver is here, too.
            let _ = hand.send(InHand {
                claim,
                since,
                place,
            });
        }
        Ok(if more { Pause::None } else { Pause::Idle(POLL) })
    }

    /// A panic elsewhere cannot leave it half written.
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks about one order after another, until none are in hand any more and none will be.
    async fn lane(self: Arc<Self>, outcomes: UnboundedSender<Outcome>) {
        loop {
            // Nobody closes it.
            let lane = self.lanes.acquire().await.ok();
            let next = self.in_hand.lock().await.recv().await;
            let Some(InHand {
                claim,
                since,
                mut place,
            }) = next
            else {
                return;
            };
            let now = clock::now();
            let late = self.stop.is_cancelled() || now.since(since) > IN_HAND_MAX;
            if late || !self.pace().may_ask(place.seat, now) {
                self.give_back(claim).await;
                continue;
            }
            let outcome = {
                let mut asking = pin!(self.ask(claim));
                let patience = if place.seat == Seat::Apart {
                    Duration::ZERO
                } else {
                    HANGS_AFTER
                };
                match tokio::time::timeout(patience, &mut asking).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        if place.seat == Seat::Apart || place.hangs() {
                            drop(lane);
                        }
                        asking.await
                    }
                }
            };
            // Sinch has answered, so it may be asked the next question before this one is settled. That the
            // claim of the next waits for the same writer keeps it from running away.
            drop(place);
            // If nobody settles any more, the store is broken, and the process stops.
            let _ = outcomes.send(outcome);
        }
    }

    /// What comes of asking about an order.
    async fn ask(&self, claim: Claim) -> Outcome {
        let asked_at = clock::now();
        let result = self.asker.client.get_order(&claim.key.order).await;
        let now = clock::now();
        let roll = fastrand::f64();
        let (result, healthy) = self
            .pace()
            .tried(&claim.key.order, result, asked_at, now, roll);
        self.keep_gate().await;
        Outcome {
            claim,
            asked_at,
            result,
            healthy,
            now,
            roll: fastrand::f64(),
            rule: self.asker.rule.clone(),
            back_off: self.asker.back_off.clone(),
        }
    }

    /// Makes an order that was not asked about due again, as if nobody had claimed it.
    async fn give_back(&self, claim: Claim) {
        let order = logged(&claim.key).into_owned();
        if let Err(error) = self.asker.store.give_back(claim).await {
            // Its lease runs out by itself.
            tracing::warn!(order, %error, "an order could not be given back");
        }
    }

    /// Keeps the gate as it is by now, where operators see it and in the database. That a database in
    /// trouble forgets it over a restart does no harm: the trouble is met again.
    async fn keep_gate(&self) {
        let mut kept = self.kept.lock().await;
        let gate = self.pace().gate().clone();
        if *kept == gate {
            return;
        }
        let before = std::mem::replace(&mut *kept, gate.clone());
        let project = &self.asker.project;
        self.asker.vitals.gate(project, &gate);
        match (&before.paused, &gate.paused) {
            (None, None) => return,
            (None, Some((until, reason))) => {
                let reason = masked(reason);
                tracing::error!(%project, %reason, %until, "asking pauses for the whole project");
            }
            (Some(_), None) => {
                tracing::info!(%project, failures = before.failures, "asking goes on");
            }
            (Some(_), Some(_)) => {}
        }
        let written = self.asker.store.keep_gate(project.clone(), gate).await;
        if let Err(error) = written {
            tracing::warn!(%project, %error, "the pause could not be kept");
        }
    }
}
