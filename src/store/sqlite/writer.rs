//! The one writer of the database.
//!
//! Every write goes through one task that owns the only writing connection. It commits the waiting writes as one batch:
//! while one commit waits for the disk, the next batch gathers by itself. Answers go out after the commit, never
//! before.

use std::sync::Arc;
use std::time::Instant;

use sqlx::Connection;
use tokio::sync::{Notify, mpsc};

use super::batch::{BEGIN, COMMIT, ROWS_MAX};
use super::checkpoint::Written;
use super::command::{Call, QueuedCommand, WriteContext};
use super::fetches;
use super::inbox;
use super::process;
use super::script::Script;
use super::space::Space;
use super::step::Step;
use super::{Accepted, FetchResult, NewDelivery, ProcessReport, Recorded, StoreError};
use crate::store::spare::{self, SpareTime};
use crate::store::sql::row_fault::BatchMode;

/// Maximum number of writes that one batch commits: its callbacks are one statement.
const BATCH_MAX: usize = ROWS_MAX;

/// A write that waits for the writer. Callbacks and results of fetches are typed, since those of a batch are written
/// together; processing is typed, too, since it is repeated one order after the other if the database refuses one of
/// them.
pub(super) enum Write {
    Accept(Call<NewDelivery, Accepted>),
    Process(Call<Step, ProcessReport>),
    Record(Call<Arc<[FetchResult]>, Vec<Recorded>>),
    Command(Box<dyn QueuedCommand>),
}

impl Write {
    fn is_callback(&self) -> bool {
        matches!(self, Write::Accept(_))
    }

    /// Returns `true` if the write changes what a step of the inbox reads; a callback alone does not.
    fn changes_orders(&self) -> bool {
        match self {
            Write::Accept(_) => false,
            Write::Process(_) | Write::Record(_) => true,
            Write::Command(command) => command.changes_orders(),
        }
    }

    fn answer(self, outcome: &Result<(), StoreError>) {
        match self {
            Write::Accept(call) => call.answer(outcome),
            Write::Process(call) => call.answer(outcome),
            Write::Record(call) => call.answer(outcome),
            Write::Command(command) => command.reply(outcome),
        }
    }
}

pub(super) struct Writer {
    pub(super) context: WriteContext,
    pub(super) spare: Arc<SpareTime>,
    pub(super) space: Arc<Space>,
    pub(super) written: Arc<Written>,
    /// Wakes those who wait for events.
    pub(super) told: Arc<Notify>,
}

impl Writer {
    /// Commits batches of writes until every handle on the store is gone.
    ///
    /// # Errors
    ///
    /// Fails when the disk or the file can no longer be trusted. Nothing is acknowledged after that; the process must
    /// stop.
    pub(super) async fn run(&mut self, mut inbox: mpsc::Receiver<Write>) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while inbox.recv_many(&mut batch, BATCH_MAX).await > 0 {
            // Callbacks come first: their senders wait, and all else can.
            let mut others: Vec<Write> =
                batch.extract_if(.., |write| !write.is_callback()).collect();
            self.spare.begin(Instant::now());
            let spare = spare::beside(batch.len());
            let mut done = self.commit(&mut batch).await;
            self.spare.end(Instant::now(), spare);
            if done.is_ok() && !others.is_empty() {
                self.spare.begin(Instant::now());
                done = self.commit(&mut others).await;
                self.spare.end(Instant::now(), spare::beside(inbox.len()));
            }
            if let Err(broken) = done {
                inbox.close();
                let waiting = std::iter::from_fn(|| inbox.try_recv().ok());
                for write in others.into_iter().chain(waiting) {
                    write.answer(&Err(broken.clone()));
                }
                return Err(broken);
            }
        }
        Ok(())
    }

    /// Records a clean end, and closes the database file. The last connection checkpoints the WAL and removes it.
    ///
    /// # Errors
    ///
    /// Fails if the files can no longer be trusted; the end is no clean one then.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        if let Err(reason) = self.context.files.examine_index() {
            self.abandon().await;
            return Err(StoreError::Broken(reason));
        }
        sqlx::query("UPDATE service SET clean_shutdown = 1")
            .execute(&mut self.context.db)
            .await
            .map_err(|error| self.classify(error))?;
        self.context.db.close().await.map_err(StoreError::of_writer)
    }

    /// Ends the writer after a fault, which is no clean end. The log is checkpointed if all of it is still there.
    /// Otherwise the connection stays open until the process ends, since SQLite would checkpoint what it takes for the
    /// log.
    pub(super) async fn abandon(mut self) {
        if self.context.files.can_be_checkpointed() {
            // The writer has reported the fault already.
            let _ = self.context.db.close().await;
        } else {
            std::mem::forget(self.context.db);
        }
    }

    /// Commits a batch of callbacks, or of anything else, and replies to their callers, which no other code does.
    async fn commit(&mut self, batch: &mut Vec<Write>) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        // The index is examined before the commit, which would write over pages that are acknowledged.
        let began = Instant::now();
        let mut outcomes = match self.context.files.examine_index() {
            Ok(()) => self.outcomes(batch).await,
            Err(reason) => vec![Err(StoreError::Broken(reason)); batch.len()],
        };
        self.space.measure_after_commit();
        self.written.add(batch.len());
        // The files are examined after the commits: a file that was moved away before them took the batch along.
        if let Err(reason) = self.context.files.examine() {
            outcomes.fill(Err(StoreError::Broken(reason)));
        }
        let held = began.elapsed();
        for (mut write, outcome) in batch.drain(..).zip(&outcomes) {
            if let Write::Process(Call {
                done: Some(report), ..
            }) = &mut write
            {
                report.held = Some(held);
            }
            write.answer(outcome);
        }
        if std::mem::take(&mut self.context.outbox.added) {
            self.told.notify_waiters();
        }
        let broken = |outcome: &Result<(), StoreError>| match outcome {
            Err(StoreError::Broken(_)) => true,
            Ok(()) | Err(_) => false,
        };
        outcomes.into_iter().find(broken).unwrap_or(Ok(()))
    }

    /// Commits a batch of writes, and returns the result of each write. If the database refuses it, each write is tried
    /// alone, so that a refused write does not keep the others from being stored.
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
        let done = self.transaction_by(batch, BatchMode::Together).await;
        match (&done, &batch) {
            // The write was alone, and refused over one order of many: the others are recorded.
            (Err(StoreError::Rejected(_)), [Write::Process(_) | Write::Record(_)]) => {
                self.transaction_by(batch, BatchMode::OneByOne).await
            }
            _ => done,
        }
    }

    async fn transaction_by(
        &mut self,
        batch: &mut [Write],
        mode: BatchMode,
    ) -> Result<(), StoreError> {
        let done = self.try_transaction(batch, mode).await;
        if std::mem::take(&mut self.context.is_changed) {
            self.context.revision.advance();
        }
        if done.is_err() {
            // The statement fails where SQLite has rolled back already, which is as good.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.context.db).await;
            // sqlx panics over a statement that stands behind another in its script, and cannot be prepared again, as its
            // table is gone; it reports one that is prepared anew.
            let _ = self.context.db.clear_cached_statements().await;
        }
        done.map_err(|error| self.classify(error))
    }

    /// Classifies an error of a write. At the limit on the length of files SQLite reports an I/O error, though the disk
    /// is sound.
    fn classify(&self, error: sqlx::Error) -> StoreError {
        match StoreError::of_writer(error) {
            StoreError::Broken(reason) => match self.context.files.reached_limit() {
                Some(bytes) => StoreError::FileLimit { bytes },
                None => StoreError::Broken(reason),
            },
            fault => fault,
        }
    }

    async fn try_transaction(&mut self, batch: &mut [Write], mode: BatchMode) -> sqlx::Result<()> {
        let mut callbacks: Vec<&mut Call<NewDelivery, Accepted>> = Vec::new();
        let mut records: Vec<&mut Call<Arc<[FetchResult]>, Vec<Recorded>>> = Vec::new();
        let mut others: Vec<&mut Write> = Vec::new();
        for write in batch {
            match write {
                Write::Accept(call) => callbacks.push(call),
                Write::Record(call) => records.push(call),
                Write::Process(_) | Write::Command(_) => others.push(write),
            }
        }
        let context = &mut self.context;
        if !callbacks.is_empty() {
            accept_callbacks(context, callbacks).await?;
        }
        if records.is_empty() && others.is_empty() {
            return Ok(());
        }
        context.is_changed |=
            !records.is_empty() || others.iter().any(|write| write.changes_orders());
        let mut script = begin_by_step(context, &mut others);
        if !records.is_empty() {
            script = record_fetches(context, script, records, mode).await?;
        }
        for write in others {
            match write {
                Write::Accept(_) | Write::Record(_) => {}
                Write::Process(call) => {
                    let (db, outbox) = (&mut context.db, &mut context.outbox);
                    let (report, left) =
                        process::process(db, outbox, script, &call.args, mode).await?;
                    call.done = Some(report);
                    script = left;
                }
                Write::Command(command) => {
                    std::mem::take(&mut script).execute(&mut context.db).await?;
                    command.run(context).await?;
                }
            }
        }
        script.add(COMMIT);
        script.execute(&mut context.db).await
    }
}

/// Begins a transaction: by the script of the first step among the writes, if it has one that is still good. Such a step needs
/// nothing else, and leaves the writes.
fn begin_by_step(context: &mut WriteContext, writes: &mut Vec<&mut Write>) -> Script {
    let first = writes
        .iter_mut()
        .enumerate()
        .find_map(|(index, write)| match write {
            Write::Process(call) => Some((index, call)),
            Write::Accept(_) | Write::Record(_) | Write::Command(_) => None,
        });
    if let Some((index, call)) = first
        && let Some(made) = call.args.made.take()
        && made.is_of(&context.revision)
    {
        call.done = Some(made.report);
        context.outbox.added |= made.adds_events;
        writes.remove(index);
        return made.script;
    }
    let mut script = Script::default();
    script.add(BEGIN);
    script
}

/// Puts callbacks into the inbox and commits them. If all are new, that is one statement, its commit included.
async fn accept_callbacks(
    context: &mut WriteContext,
    callbacks: Vec<&mut Call<NewDelivery, Accepted>>,
) -> sqlx::Result<()> {
    let db = &mut context.db;
    let deliveries: Vec<&NewDelivery> = callbacks.iter().map(|call| &call.args).collect();
    let (next, projects) = (&mut context.next_delivery, &context.projects);
    let incoming = inbox::accept(db, next, projects, &deliveries).await?;
    let are_new = incoming.are_new();
    if !are_new {
        // The new deliveries are on disk by now. If what follows fails, they are refused like the others, and come
        // again as duplicates.
        context.is_changed = true;
        sqlx::query(BEGIN).execute(&mut *db).await?;
    }
    let accepted = incoming.judge(db).await?;
    if !are_new {
        sqlx::query(COMMIT).execute(&mut *db).await?;
    }
    for (accepted, call) in accepted.into_iter().zip(callbacks) {
        call.done = Some(accepted);
    }
    Ok(())
}

/// Records the results of a batch's fetches, all together. Returns the statements that are left to send.
async fn record_fetches(
    context: &mut WriteContext,
    script: Script,
    records: Vec<&mut Call<Arc<[FetchResult]>, Vec<Recorded>>>,
    mode: BatchMode,
) -> sqlx::Result<Script> {
    let results: Vec<&FetchResult> = records.iter().flat_map(|call| &*call.args).collect();
    let (recorded, left) = fetches::record(
        &mut context.db,
        &mut context.outbox,
        script,
        &results,
        mode,
        &mut context.unparkable,
    )
    .await?;
    let mut recorded = recorded.into_iter();
    for call in records {
        call.done = Some(recorded.by_ref().take(call.args.len()).collect());
    }
    Ok(left)
}
