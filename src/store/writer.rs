//! The one writer.
//!
//! Every write goes through one task that owns the only writing connection. It commits whatever is
//! waiting as one batch: while one commit waits for the disk, the next batch gathers by itself. Answers
//! go out after the commit, never before.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::asks::{self, Claim, ClaimRequest, Gate, Outcome, Settled, WatchRequest};
use super::batch::ROWS_MAX;
use super::checkpoint::Written;
use super::conditions;
use super::inbox::{self, NewDelivery, Part};
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
    Claim(Call<ClaimRequest, Vec<Claim>>),
    Settle(Call<Arc<[Outcome]>, Vec<Settled>>),
    GiveBack(Call<Claim, ()>),
    Gate(Call<(Id, Gate), ()>),
    AskNow(Call<(OrderKey, Time), bool>),
    Watch(Call<WatchRequest, u64>),
    Reported(Call<Vec<(i64, String)>, ()>),
    Clear(Call<(Spans, Time), Cleared>),
    Shrink(Call<(), u64>),
    Beat(Call<Time, ()>),
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
            Write::Reported(call) => call.answer(outcome),
            Write::Clear(call) => call.answer(outcome),
            Write::Shrink(call) => call.answer(outcome),
            Write::Beat(call) => call.answer(outcome),
        }
    }
}

/// The database file as it was opened. SQLite does not notice when it is deleted or replaced, and
/// would go on to acknowledge what no path leads to any more.
pub(super) struct Identity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(path: PathBuf) -> std::io::Result<Identity> {
        let metadata = std::fs::metadata(&path)?;
        Ok(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            path,
        })
    }

    fn holds(&self) -> bool {
        let same = |m: Metadata| m.dev() == self.device && m.ino() == self.inode;
        std::fs::metadata(&self.path).is_ok_and(same)
    }
}

pub(super) struct Writer {
    pub(super) db: SqliteConnection,
    pub(super) identity: Identity,
    pub(super) projects: HashMap<Id, i64>,
    pub(super) next_delivery: i64,
    pub(super) space: Arc<Space>,
    pub(super) written: Arc<Written>,
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

    /// Commits a batch and answers it. If it fails, each write is tried alone, so that one that the
    /// database will not take does not spoil the others.
    async fn commit(&mut self, batch: &mut Vec<Write>) -> Result<(), StoreError> {
        let mut outcome = self.transaction(batch).await;
        self.space.look_after_commit();
        self.written.add(batch.len());
        if batch.len() > 1 && matches!(outcome, Err(StoreError::Rejected(_))) {
            for write in batch.drain(..) {
                let mut alone = [write];
                let outcome = self.transaction(&mut alone).await;
                let [write] = alone;
                write.answer(&outcome);
                if let Err(StoreError::Broken(_)) = outcome {
                    return outcome;
                }
            }
            return Ok(());
        }
        if !self.identity.holds() {
            // Looked at after the commit: a file that was moved away before it took the batch along.
            outcome = Err(StoreError::Broken(
                "the database file was moved, deleted or replaced while in use".to_owned(),
            ));
        }
        for write in batch.drain(..) {
            write.answer(&outcome);
        }
        match outcome {
            Err(StoreError::Broken(reason)) => Err(StoreError::Broken(reason)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn transaction(&mut self, batch: &mut [Write]) -> Result<(), StoreError> {
        let done = self.try_transaction(batch).await;
        if done.is_err() {
            // Fails where SQLite has rolled back already, which is as good.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.db).await;
        }
        done.map_err(StoreError::of_writer)
    }

    async fn try_transaction(&mut self, batch: &mut [Write]) -> sqlx::Result<()> {
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
            let mut done = asks::settle(&mut self.db, &outcomes).await?.into_iter();
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
                    call.done = Some(look::look(db, request, news).await?);
                }
                Write::Claim(call) => call.done = Some(asks::claim(db, &call.args).await?),
                Write::GiveBack(call) => call.done = Some(asks::give_back(db, &call.args).await?),
                Write::Gate(call) => {
                    let (project, gate) = &call.args;
                    call.done = Some(asks::keep_gate(db, project, gate).await?);
                }
                Write::AskNow(call) => {
                    let (key, now) = &call.args;
                    call.done = Some(asks::ask_now(db, key, *now).await?);
                }
                Write::Watch(call) => call.done = Some(asks::watch(db, &call.args).await?),
                Write::Reported(call) => {
                    call.done = Some(conditions::reported(db, &call.args).await?);
                }
                Write::Clear(call) => call.done = Some(retain::clear(db, &call.args).await?),
                Write::Shrink(call) => call.done = Some(shrink::shrink(db).await?),
                Write::Beat(call) => {
                    sqlx::query("UPDATE service SET beat_at = ?")
                        .bind(call.args.0)
                        .execute(&mut *db)
                        .await?;
                    call.done = Some(());
                }
            }
        }
        sqlx::query("COMMIT").execute(&mut *db).await?;
        Ok(())
    }
}
