//! Opening of the database, with every check that is made before a callback is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32};
use std::time::Instant;

use tokio::sync::{Notify, mpsc};

use super::clock::Clock;
use super::committer::{COMMITTERS, Committer, Queue};
use super::connect::Connector;
use super::lane::Lane;
use super::prepare::{self, Replica};
use super::summary::StateCounts;
use super::under_way::UnderWay;
use super::{OpenError, Settings, Shared, Store, schema};
use crate::store::StoreError;
use crate::store::sql::unreadable::Met;

/// Number of answers to operators that are read at once; more wait.
const READERS_MAX: usize = 4;

/// Opens the database, and brings its schema up to date. Beside the handle it returns the committers and the replica's
/// sign of life, which the caller runs: they end when every handle is gone.
///
/// # Errors
///
/// [`OpenError`].
pub async fn open(
    settings: &Settings,
) -> Result<
    (
        Store,
        impl Future<Output = Result<(), StoreError>> + Send + use<>,
    ),
    OpenError,
> {
    let started = (settings.now, Instant::now());
    let connector = Connector::new(settings)?;
    schema::bring_up(&connector).await?;
    let failed = |fault| OpenError::of(connector.place(), &fault);
    let mut db = connector.connect_patient().await.map_err(failed)?;
    schema::refuse_unfinished(&mut db, connector.place()).await?;
    let clock = Clock::compare(&mut db, settings.clock, started)
        .await
        .map_err(failed)?;
    let now = clock.database(settings.now);
    let replica = Replica::begin(&mut db, settings, now)
        .await
        .map_err(failed)?;
    for sentence in prepare::warnings(&mut db, settings).await.map_err(failed)? {
        tracing::warn!("{sentence}");
    }
    drop(db);
    let by_key = || Lane::new(connector.by_key(), 1);
    let shared = Arc::new(Shared {
        inbox: by_key(),
        fetches: by_key(),
        commands: Lane::new(connector.clone(), 1),
        senders: by_key(),
        readers: Lane::new(connector.answers(), READERS_MAX),
        pending: Notify::new(),
        due: Notify::new(),
        told: Notify::new(),
        pending_after: AtomicI64::new(0),
        arrived: AtomicU32::new(0),
        under_way: Arc::new(UnderWay::new(Instant::now().into())),
        met: Met::default(),
        state_counts: StateCounts::default(),
        clock,
        projects: settings.projects.iter().map(|(id, _)| id.clone()).collect(),
        replica,
    });
    let (accepts, queue) = mpsc::channel(settings.waiting_max);
    let queue = Arc::new(Queue::new(queue, shared.under_way.clone()));
    let store = Store {
        accepts,
        shared: shared.clone(),
    };
    let run = async move {
        let committers: [_; COMMITTERS] =
            std::array::from_fn(|_| Committer::new(connector.by_key()).run(queue.clone()));
        let [first, second] = committers;
        let committing = async { tokio::try_join!(first, second).map(drop) };
        let outcome = tokio::select! {
            outcome = committing => outcome,
            outcome = shared.replica.keep(&shared.commands) => outcome,
        };
        shared.replica.end(&shared.commands).await;
        outcome
    };
    Ok((store, run))
}
