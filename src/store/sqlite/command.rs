//! Writes as commands: each kind of write is a [`WriteCommand`] in the module that has its SQL. The writer runs them
//! without knowing any by name.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::StoreError;
use super::files::Files;
use super::outbox::OutboxContext;
use super::revision::Revision;
use super::row_fault::Unparkable;
use number_order::Id;

/// Context of every write, which the writer owns: the connection, and what it knows of the database.
pub(super) struct WriteContext {
    pub(super) db: SqliteConnection,
    pub(super) files: Files,
    /// Ids of the projects' rows.
    pub(super) projects: HashMap<Id, i64>,
    /// First id that no delivery has been given yet.
    pub(super) next_delivery: i64,
    pub(super) unparkable: Unparkable,
    pub(super) outbox: OutboxContext,
    pub(super) revision: Revision,
    /// `true` once a transaction changes what steps of the inbox read, until the writer has advanced the revision.
    pub(super) is_changed: bool,
}

/// A kind of write to the database.
pub(super) trait WriteCommand: Send + Sync + 'static {
    /// Result of the write that its caller gets, after the commit.
    type Reply: Send + 'static;

    /// `false`: the command changes no order, adds no event, and leaves the same deliveries pending. So a step of the inbox
    /// stays good that was made before it.
    const CHANGES_ORDERS: bool = true;

    /// Writes, in a transaction that other writes share. If the database refuses the transaction, it is rolled back,
    /// and the command runs again in one of its own.
    fn run(
        &self,
        context: &mut WriteContext,
    ) -> impl Future<Output = sqlx::Result<Self::Reply>> + Send;
}

/// A write that was submitted, with its result and the sender of the reply to its caller.
pub(super) struct Call<A, T> {
    pub(super) args: A,
    pub(super) done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<A, T> Call<A, T> {
    pub(super) fn new(args: A) -> (Call<A, T>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        let done = None;
        (Call { args, done, reply }, answer)
    }

    pub(super) fn answer(self, outcome: &Result<(), StoreError>) {
        let answer = match (outcome, self.done) {
            (Ok(()), Some(done)) => Ok(done),
            (Ok(()), None) => Err(StoreError::Closed),
            (Err(error), _) => Err(error.clone()),
        };
        // The caller may have gone away. What is committed stays committed.
        let _ = self.reply.send(answer);
    }
}

/// A command that waits for the writer, whatever its kind.
pub(super) trait QueuedCommand: Send {
    /// Returns [`WriteCommand::CHANGES_ORDERS`].
    fn changes_orders(&self) -> bool;

    /// Runs the command in the writer's transaction and keeps its result.
    fn run<'a>(
        &'a mut self,
        context: &'a mut WriteContext,
    ) -> Pin<Box<dyn Future<Output = sqlx::Result<()>> + Send + 'a>>;

    /// Replies to the caller that submitted the command.
    fn reply(self: Box<Self>, outcome: &Result<(), StoreError>);
}

impl<C: WriteCommand> QueuedCommand for Call<C, C::Reply> {
    fn changes_orders(&self) -> bool {
        C::CHANGES_ORDERS
    }

    fn run<'a>(
        &'a mut self,
        context: &'a mut WriteContext,
    ) -> Pin<Box<dyn Future<Output = sqlx::Result<()>> + Send + 'a>> {
        Box::pin(async move {
            self.done = Some(self.args.run(context).await?);
            Ok(())
        })
    }

    fn reply(self: Box<Self>, outcome: &Result<(), StoreError>) {
        self.answer(outcome);
    }
}
