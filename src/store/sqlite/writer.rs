//! The one writer.
//!
//! Every write goes through one task that owns the only writing connection. It commits the waiting writes as one batch:
//! while one commit waits for the disk, the next batch gathers by itself. Answers go out after the commit, never
//! before.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::alerts;
use super::aside::{Aside, Way};
use super::batch::{BEGIN, ROWS_MAX};
use super::checkpoint::Written;
use super::claims::{self, Claim, ClaimRequest, Claimed};
use super::fetches::{self, Circuit, FetchResult, Recorded, WatchRequest};
use super::files::{self, Files};
use super::inbox::{self, NewDelivery, Part};
use super::leave::{self, Forgot, Holdings};
use super::pending::Pending;
use super::process::{self, ProcessReport, ProcessRequest};
use super::prune::{self, Pruned, RetentionPeriods};
use super::space::Space;
use super::vacuum;
use super::write_probe;
use super::{Accepted, StoreError};
use number_order::{Id, OrderKey, Time};

/// Maximum number of writes in one batch: its callbacks are one statement.
const BATCH_MAX: usize = ROWS_MAX;

/// A write, with its result and the sender of the reply.
pub(super) struct Call<A, T> {
    args: A,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<A, T> Call<A, T> {
    pub(super) fn new(args: A) -> (Call<A, T>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let done = None;
        (Call { args, done, reply }, answer)
    }

    fn answer(self, outcome: &Result<(), StoreError>) {
        let answer = match (outcome, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error.clone()),
        };
        // The caller may have gone; what is committed stays committed.
        let _ = self.reply.send(answer);
    }
}

/// Everything that can be written.
pub(super) enum Write {
    Accept(Call<NewDelivery, Accepted>),
    Process(Call<(ProcessRequest, Pending), ProcessReport>),
    Claim(Call<ClaimRequest, Claimed>),
    Record(Call<Arc<[FetchResult]>, Vec<Recorded>>),
    Release(Call<Claim, ()>),
    Circuit(Call<(Id, Circuit), ()>),
    RequestFetch(Call<(OrderKey, Time), bool>),
    Watch(Call<WatchRequest, u64>),
    Forget(Call<OrderKey, Forgot>),
    DropSome(Call<Id, Holdings>),
    Reported(Call<Vec<(i64, String)>, ()>),
    Prune(Call<(RetentionPeriods, Time), Pruned>),
    Vacuum(Call<(), u64>),
    Probe(Call<Time, Result<(), String>>),
}

impl Write {
    fn answer(self, outcome: &Result<(), StoreError>) {
        match self {
            Write::Accept(call) => call.answer(outcome),
            Write::Process(call) => call.answer(outcome),
            Write::Claim(call) => call.answer(outcome),
            Write::Record(call) => call.answer(outcome),
            Write::Release(call) => call.answer(outcome),
            Write::Circuit(call) => call.answer(outcome),
            Write::RequestFetch(call) => call.answer(outcome),
            Write::Watch(call) => call.answer(outcome),
            Write::Forget(call) => call.answer(outcome),
            Write::DropSome(call) => call.answer(outcome),
            Write::Reported(call) => call.answer(outcome),
            Write::Prune(call) => call.answer(outcome),
            Write::Vacuum(call) => call.answer(outcome),
            Write::Probe(call) => call.answer(outcome),
        }
    }
}

pub(super) struct Writer {
    pub(super) db: SqliteConnection,
    pub(super) files: Files,
    pub(super) projects: HashMap<Id, i64>,
    pub(super) next_delivery: i64,
    pub(super) space: Arc<Space>,
    pub(super) written: Arc<Written>,
    pub(super) aside: Aside,
}

impl Writer {
    /// Commits batches until every handle is gone.
    ///
    /// # Errors
    ///
    /// Fails when the disk or the file can no longer be trusted. Nothing is acknowledged after that; the process must
    /// stop.
    pub(super) async fn run(&mut self, mut inbox: mpsc::Receiver<Write>) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while inbox.recv_many(&mut batch, BATCH_MAX).await > 0 {
            if let Err(broken) = self.commit(&mut batch).await {
                inbox.close();
                while let Ok(write) = inbox.try_recv() {
                    write.answer(&Err(broken.clone()));
                }
                return Err(broken);
            }
        }
        Ok(())
    }

    /// Notes a clean end, and closes the file. The last connection checkpoints the WAL and removes it.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE service SET clean = 1")
            .execute(&mut self.db)
            .await
            .map_err(StoreError::of_writer)?;
        self.db.close().await.map_err(StoreError::of_writer)
    }

    /// Ends after a fault, which is no clean end. The log is checkpointed if all of it is still there. Otherwise the
    /// connection stays open until the process ends, since SQLite would checkpoint what it takes for the log.
    pub(super) async fn abandon(mut self) {
        if self.files.can_be_folded() {
            // The fault is known already.
            let _ = self.db.close().await;
        } else {
            std::mem::forget(self.db);
        }
    }

    /// Commits a batch and replies to its callers, which no other code does.
    async fn commit(&mut self, batch: &mut Vec<Write>) -> Result<(), StoreError> {
        let mut outcomes = self.outcomes(batch).await;
        self.space.measure_after_commit();
        self.written.add(batch.len());
        // Examined after the commits: a file that was moved away before them took the batch along.
        if let Err(reason) = self.files.examine() {
            outcomes.fill(Err(StoreError::Broken(reason)));
        }
        for (write, outcome) in batch.drain(..).zip(&outcomes) {
            write.answer(outcome);
        }
        let broken = |outcome: &Result<(), StoreError>| match outcome {
            Err(StoreError::Broken(_)) => true,
            Ok(()) | Err(_) => false,
        };
        outcomes.into_iter().find(broken).unwrap_or(Ok(()))
    }

    /// Commits a batch, and returns the result of each write. If the database refuses it, each write is tried alone, so
    /// that a refused one does not spoil the others.
    async fn outcomes(&mut self, batch: &mut [Write]) -> Vec<Result<(), StoreError>> {
        let together = self.transaction(batch).await;
        let is_refused = matches!(together, Err(StoreError::Rejected(_)));
        if batch.len() == 1 || !is_refused {
            return vec![together; batch.len()];
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        for alone in batch.chunks_mut(1) {
            let outcome = match outcomes.last() {
                Some(Err(StoreError::Broken(reason))) => Err(StoreError::Broken(reason.clone())),
                _ => self.transaction(alone).await,
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn transaction(&mut self, batch: &mut [Write]) -> Result<(), StoreError> {
        let done = self.transaction_by(batch, Way::Together).await;
        match (&done, &batch) {
            // Alone, and refused over one order of many: the others are recorded.
            (Err(StoreError::Rejected(_)), [Write::Process(_) | Write::Record(_)]) => {
                self.transaction_by(batch, Way::OneByOne).await
            }
            _ => done,
        }
    }

    async fn transaction_by(&mut self, batch: &mut [Write], way: Way) -> Result<(), StoreError> {
        let done = self.try_transaction(batch, way).await;
        if done.is_err() {
            // Fails where SQLite has rolled back already, which is as good.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.db).await;
        }
        done.map_err(StoreError::of_writer)
    }

    async fn try_transaction(&mut self, batch: &mut [Write], way: Way) -> sqlx::Result<()> {
        let mut accepts: Vec<&mut Call<NewDelivery, Accepted>> = Vec::new();
        let mut settles: Vec<&mut Call<Arc<[FetchResult]>, Vec<Recorded>>> = Vec::new();
        let mut others: Vec<&mut Write> = Vec::new();
        for write in batch {
            match write {
                Write::Accept(call) => accepts.push(call),
                Write::Record(call) => settles.push(call),
                Write::Process(_)
                | Write::Claim(_)
                | Write::Release(_)
                | Write::Circuit(_)
                | Write::RequestFetch(_)
                | Write::Watch(_)
                | Write::Forget(_)
                | Write::DropSome(_)
                | Write::Reported(_)
                | Write::Prune(_)
                | Write::Vacuum(_)
                | Write::Probe(_) => others.push(write),
            }
        }
        if accepts.is_empty() {
            sqlx::query(BEGIN).execute(&mut self.db).await?;
        } else {
            // A batch of callbacks alone is one statement, its commit included.
            let alone = settles.is_empty() && others.is_empty();
            let part = if alone { Part::Midst } else { Part::Begin };
            let deliveries: Vec<&NewDelivery> = accepts.iter().map(|call| &call.args).collect();
            let (next, projects) = (&mut self.next_delivery, &self.projects);
            let incoming = inbox::accept(&mut self.db, part, next, projects, &deliveries).await?;
            let done = alone && incoming.are_new();
            if alone && !done {
                // The new ones are on disk by now. If what follows fails, they are refused like the others, and come
                // again as duplicates.
                sqlx::query(BEGIN).execute(&mut self.db).await?;
            }
            let accepted = incoming.judge(&mut self.db).await?;
            for (accepted, call) in accepted.into_iter().zip(accepts) {
                call.done = Some(accepted);
            }
            if done {
                return Ok(());
            }
        }
        if !settles.is_empty() {
            let outcomes: Vec<&FetchResult> = settles.iter().flat_map(|call| &*call.args).collect();
            let mut done = fetches::record(&mut self.db, &outcomes, way, &mut self.aside)
                .await?
                .into_iter();
            for call in settles {
                call.done = Some(done.by_ref().take(call.args.len()).collect());
            }
        }
        let db = &mut self.db;
        for write in others {
            match write {
                Write::Accept(_) | Write::Record(_) => {}
                Write::Process(call) => {
                    let (request, pending) = &call.args;
                    call.done = Some(process::process(db, request, pending, way).await?);
                }
                Write::Claim(call) => {
                    call.done = Some(claims::claim(db, &call.args, &mut self.aside).await?);
                }
                Write::Release(call) => call.done = Some(claims::release(db, &call.args).await?),
                Write::Circuit(call) => {
                    let (project, circuit) = &call.args;
                    call.done = Some(fetches::save_circuit(db, project, circuit).await?);
                }
                Write::RequestFetch(call) => {
                    let (key, now) = &call.args;
                    call.done = Some(fetches::request_fetch(db, key, *now).await?);
                }
                Write::Watch(call) => call.done = Some(fetches::watch(db, &call.args).await?),
                Write::Forget(call) => call.done = Some(leave::forget(db, &call.args).await?),
                Write::DropSome(call) => call.done = Some(leave::drop_some(db, &call.args).await?),
                Write::Reported(call) => {
                    call.done = Some(alerts::reported(db, &call.args).await?);
                }
                Write::Prune(call) => call.done = Some(prune::prune(db, &call.args).await?),
                Write::Vacuum(call) => {
                    let released = vacuum::vacuum(db).await?;
                    if released > 0 {
                        self.files.shrunk_to(files::pages(db).await?.1);
                    }
                    call.done = Some(released);
                }
                Write::Probe(call) => {
                    let next = self.next_delivery;
                    call.done =
                        Some(write_probe::probe_write(db, call.args, next, &self.projects).await?);
                }
            }
        }
        sqlx::query("COMMIT").execute(&mut *db).await?;
        Ok(())
    }
}
