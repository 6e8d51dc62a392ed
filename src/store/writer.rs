//! The one writer.
//!
//! Every write goes through one task that owns the only writing connection. It commits whatever is
//! waiting as one batch: while one commit waits for the disk, the next batch gathers by itself. Answers
//! go out after the commit, never before.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::aside::{Aside, Way};
use super::asks::{self, Gate, Outcome, Settled, WatchRequest};
use super::batch::ROWS_MAX;
use super::beat;
use super::checkpoint::Written;
use super::claims::{self, Claim, ClaimRequest, Claimed};
use super::conditions;
use super::files::{self, Files};
use super::inbox::{self, NewDelivery, Part};
use super::leave::{self, Forgot, Holdings};
use super::look::{self, LookReport, LookRequest};
use super::news::News;
use super::retain::{self, Cleared, Spans};
use super::shrink;
use super::space::Space;
use super::{Accepted, StoreError};
use crate::order::{Id, OrderKey, Time};

/// The most writes in one batch: its callbacks are one statement.
const BATCH_MAX: usize = ROWS_MAX;

/// IMMEDIATE: a deferred transaction that reads first can lose its right to write.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

/// A write, with what it brought and who waits for it.
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
        // Whoever asked may have gone; what is committed stays committed.
        let _ = self.reply.send(answer);
    }
}

/// Everything that can be written.
pub(super) enum Write {
    Accept(Call<NewDelivery, Accepted>),
    Look(Call<(LookRequest, News), LookReport>),
    Claim(Call<ClaimRequest, Claimed>),
    Settle(Call<Arc<[Outcome]>, Vec<Settled>>),
    GiveBack(Call<Claim, ()>),
    Gate(Call<(Id, Gate), ()>),
    AskNow(Call<(OrderKey, Time), bool>),
    Watch(Call<WatchRequest, u64>),
    Forget(Call<OrderKey, Forgot>),
    DropSome(Call<Id, Holdings>),
    Reported(Call<Vec<(i64, String)>, ()>),
    Clear(Call<(Spans, Time), Cleared>),
    Shrink(Call<(), u64>),
    Beat(Call<Time, Result<(), String>>),
}

impl Write {
    fn answer(self, outcome: &Result<(), StoreError>) {
        match self {
            Write::Accept(call) => call.answer(outcome),
            Write::Look(call) => call.answer(outcome),
            Write::Claim(call) => call.answer(outcome),
            Write::Settle(call) => call.answer(outcome),
            Write::GiveBack(call) => call.answer(outcome),
            Write::Gate(call) => call.answer(outcome),
            Write::AskNow(call) => call.answer(outcome),
            Write::Watch(call) => call.answer(outcome),
            Write::Forget(call) => call.answer(outcome),
            Write::DropSome(call) => call.answer(outcome),
            Write::Reported(call) => call.answer(outcome),
            Write::Clear(call) => call.answer(outcome),
            Write::Shrink(call) => call.answer(outcome),
            Write::Beat(call) => call.answer(outcome),
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
    /// When the disk or the file can no longer be trusted. Nothing is acknowledged after that; the
    /// process is to stop.
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

    /// Notes a clean end, and closes the file. The last connection folds the WAL into the database and
    /// removes it.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE service SET clean = 1")
            .execute(&mut self.db)
            .await
            .map_err(StoreError::of_writer)?;
        self.db.close().await.map_err(StoreError::of_writer)
    }

    /// Ends over a fault, which is no clean end. The log is folded into the database if all of it is still there; else
    /// the connection stays open until the process ends, since SQLite would fold in what it takes for the log.
    pub(super) async fn abandon(mut self) {
        if self.files.can_be_folded() {
            // The fault is known already.
            let _ = self.db.close().await;
        } else {
            std::mem::forget(self.db);
        }
    }

    /// Commits a batch and answers it, which nobody else does.
    async fn commit(&mut self, batch: &mut Vec<Write>) -> Result<(), StoreError> {
        let mut outcomes = self.outcomes(batch).await;
        self.space.look_after_commit();
        self.written.add(batch.len());
        // Looked at after the commits: a file that was moved away before them took the batch along.
        if let Err(reason) = self.files.look() {
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

    /// Commits a batch, and says what came of each write. If the database refuses it, each write is tried alone, so
    /// that one that it will not take does not spoil the others.
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
            // Alone, and refused over one order of many: the others are settled.
            (Err(StoreError::Rejected(_)), [Write::Look(_) | Write::Settle(_)]) => {
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
        let mut settles: Vec<&mut Call<Arc<[Outcome]>, Vec<Settled>>> = Vec::new();
        let mut others: Vec<&mut Write> = Vec::new();
        for write in batch {
            match write {
                Write::Accept(call) => accepts.push(call),
                Write::Settle(call) => settles.push(call),
                Write::Look(_)
                | Write::Claim(_)
                | Write::GiveBack(_)
                | Write::Gate(_)
                | Write::AskNow(_)
                | Write::Watch(_)
                | Write::Forget(_)
                | Write::DropSome(_)
                | Write::Reported(_)
                | Write::Clear(_)
                | Write::Shrink(_)
                | Write::Beat(_) => others.push(write),
            }
        }
        if accepts.is_empty() {
            sqlx::query(BEGIN).execute(&mut self.db).await?;
        } else {
            // What is nothing but callbacks is one statement, its commit included.
            let alone = settles.is_empty() && others.is_empty();
            let part = if alone { Part::Midst } else { Part::Begin };
            let deliveries: Vec<&NewDelivery> = accepts.iter().map(|call| &call.args).collect();
            let (next, projects) = (&mut self.next_delivery, &self.projects);
            let incoming = inbox::accept(&mut self.db, part, next, projects, &deliveries).await?;
            let done = alone && incoming.are_new();
            if alone && !done {
                // Those that are new are on disk by now. Should what follows fail, they are refused like the
                // others, and come again as repeats.
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
            let outcomes: Vec<&Outcome> = settles.iter().flat_map(|call| &*call.args).collect();
            let mut done = asks::settle(&mut self.db, &outcomes, way, &mut self.aside)
                .await?
                .into_iter();
            for call in settles {
                call.done = Some(done.by_ref().take(call.args.len()).collect());
            }
        }
        let db = &mut self.db;
        for write in others {
            match write {
                Write::Accept(_) | Write::Settle(_) => {}
                Write::Look(call) => {
                    let (request, news) = &call.args;
                    call.done = Some(look::look(db, request, news, way).await?);
                }
                Write::Claim(call) => {
                    call.done = Some(claims::claim(db, &call.args, &mut self.aside).await?);
                }
                Write::GiveBack(call) => call.done = Some(claims::give_back(db, &call.args).await?),
                Write::Gate(call) => {
                    let (project, gate) = &call.args;
                    call.done = Some(asks::keep_gate(db, project, gate).await?);
                }
                Write::AskNow(call) => {
                    let (key, now) = &call.args;
                    call.done = Some(asks::ask_now(db, key, *now).await?);
                }
                Write::Watch(call) => call.done = Some(asks::watch(db, &call.args).await?),
                Write::Forget(call) => call.done = Some(leave::forget(db, &call.args).await?),
                Write::DropSome(call) => call.done = Some(leave::drop_some(db, &call.args).await?),
                Write::Reported(call) => {
                    call.done = Some(conditions::reported(db, &call.args).await?);
                }
                Write::Clear(call) => call.done = Some(retain::clear(db, &call.args).await?),
                Write::Shrink(call) => {
                    let given_back = shrink::shrink(db).await?;
                    if given_back > 0 {
                        self.files.shrunk_to(files::pages(db).await?.1);
                    }
                    call.done = Some(given_back);
                }
                Write::Beat(call) => {
                    let next = self.next_delivery;
                    call.done = Some(beat::beat(db, call.args, next, &self.projects).await?);
                }
            }
        }
        sqlx::query("COMMIT").execute(&mut *db).await?;
        Ok(())
    }
}
