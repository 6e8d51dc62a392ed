//! List of the parts that run until the service stops.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::error::{RunError, StartError};
use super::settings::{api_off, listener_limits, routes, sources};
use crate::config::Config;
use crate::http::admission::{AdmissionControl, Listener};
use crate::http::callbacks;
use crate::http::operators;
use crate::http::server::{self, Timeouts};
use crate::metrics::Metrics;
use crate::store::{Circuit, RetentionPeriods, Store, StoreError};
use crate::worker::{AlertWorker, Fetcher, InboxWorker, RetentionWorker};
use number_order::{Backoff, Id, Policy};
use sinch_numbers::api::Client;

/// Parts that run, each with its outcome.
pub(super) type Parts = JoinSet<(Part, Result<(), RunError>)>;

/// Part of the service that runs until the service stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Writer,
    InboxWorker,
    Fetcher,
    AlertWorker,
    RetentionWorker,
    Callbacks,
    Operators,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Writer => "the writer",
            Part::InboxWorker => "the inbox worker",
            Part::Fetcher => "the fetcher",
            Part::AlertWorker => "the alert worker",
            Part::RetentionWorker => "the retention worker",
            Part::Callbacks => "the callback listener",
            Part::Operators => "the operators' listener",
        }
    }
}

/// Everything that the start has opened, bound and built for the parts.
pub(super) struct Ready {
    pub(super) store: Store,
    /// Circuits as an earlier run left them.
    pub(super) circuits: HashMap<Id, Circuit>,
    /// Projects whose API is on, each with its client and the notification that closes its circuit at once.
    pub(super) clients: Vec<(Id, Client, Arc<Notify>)>,
    /// All projects, each with that notification; `None`: its API is off.
    pub(super) projects: BTreeMap<Id, Option<Arc<Notify>>>,
    pub(super) callbacks_listener: TcpListener,
    pub(super) operators_listener: TcpListener,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: CancellationToken,
    pub(super) abort: CancellationToken,
}

/// Spawns every part.
///
/// # Errors
///
/// Returns [`StartError::Thread`] if the system has no thread for a part.
pub(super) fn spawn_all(
    config: &Config,
    ready: Ready,
    writer: impl Future<Output = Result<(), StoreError>> + Send + 'static,
) -> Result<Parts, StartError> {
    let Ready {
        store,
        mut circuits,
        clients,
        projects,
        callbacks_listener,
        operators_listener,
        metrics,
        stop,
        abort,
    } = ready;
    let mut parts = Parts::new();
    let writing = on_its_own_thread(Part::Writer, "writer", writer)?;
    parts.spawn(async move { (Part::Writer, writing.await) });

    let policy = Policy::new(config.worker.staleness, config.worker.staleness_max);
    let inbox_worker = InboxWorker {
        store: store.clone(),
        policy: policy.clone(),
        api_off: api_off(config),
        metrics: metrics.clone(),
    };
    let looking = inbox_worker.run(stop.clone());
    let looking = on_its_own_thread(Part::InboxWorker, "inbox_worker", looking)?;
    parts.spawn(async move { (Part::InboxWorker, looking.await) });
    for (project, client, resume) in clients {
        let fetcher = Fetcher {
            circuit: circuits.remove(&project).unwrap_or_default(),
            resume,
            project,
            client,
            store: store.clone(),
            policy: policy.clone(),
            backoff: Backoff {
                base: config.worker.backoff_base,
                cap: config.worker.backoff_cap,
                attempts_max: config.worker.attempts_max,
            },
            slots: config.sinch.max_in_flight,
            requests_per_second: config.sinch.requests_per_second,
            // A fetch can take four time-outs: token, refused request, new token, request.
            lease: config.sinch.request_timeout * 4 + Duration::from_secs(10),
            metrics: metrics.clone(),
        };
        let asking = fetcher.run(stop.clone(), abort.clone());
        parts.spawn(async move { (Part::Fetcher, asking.await.map_err(RunError::from)) });
    }

    let minder = AlertWorker {
        store: store.clone(),
        limits: config.deadlines.clone(),
        metrics: metrics.clone(),
    };
    let minding = minder.run(stop.clone());
    parts.spawn(async move { (Part::AlertWorker, minding.await.map_err(RunError::from)) });
    let clearer = RetentionWorker {
        store: store.clone(),
        periods: RetentionPeriods {
            bodies: config.retention.bodies,
            deliveries: config.retention.deliveries,
            parked: config.retention.parked,
            orders: config.retention.orders,
        },
        metrics: metrics.clone(),
    };
    let clearing = clearer.run(stop.clone());
    parts.spawn(async move {
        (
            Part::RetentionWorker,
            clearing.await.map_err(RunError::from),
        )
    });

    let timeouts = Timeouts {
        header_timeout: config.callbacks.header_timeout,
        idle_timeout: config.callbacks.idle_timeout,
        grace: soft(config.worker.shutdown_grace),
    };
    let limits = listener_limits(config, getrlimit(Resource::Nofile).current);
    if let Some(shortage) = &limits.shortage {
        tracing::warn!("{shortage}");
    }
    let known = Some(sources(config));
    let admission = AdmissionControl::new(
        Listener::Callbacks,
        known,
        limits.callbacks,
        metrics.clone(),
    );
    let service = callbacks::service(routes(config), store.clone(), metrics.clone());
    let (listener, stopping) = (callbacks_listener, stop.clone());
    let serving = server::serve(listener, timeouts.clone(), admission, service, stopping);
    parts.spawn(async move { (Part::Callbacks, serving.await.map_err(RunError::from)) });
    let settings = operators::Settings {
        token: config.operators.token.clone(),
        projects,
        deadlines: config.deadlines.clone(),
        body_timeout: config.callbacks.body_timeout,
    };
    let router = operators::router(store, metrics.clone(), settings);
    let admission =
        AdmissionControl::new(Listener::Operators, None, limits.operators, metrics.clone());
    let (listener, stopping) = (operators_listener, stop.clone());
    let serving = server::serve(listener, timeouts, admission, router, stopping);
    parts.spawn(async move { (Part::Operators, serving.await.map_err(RunError::from)) });

    Ok(parts)
}

/// Returns the share of the grace that is for parts other than the writer.
pub(super) fn soft(grace: Duration) -> Duration {
    grace * 3 / 4
}

/// Runs a part on a thread of its own, and returns a future of the part's outcome. On the shared runtime the part would
/// queue with the requests wherever it waits, and the more requests there are, the less it would get done. The process
/// does not wait for the thread itself: should the disk hang, the process ends after its grace.
fn on_its_own_thread(
    part: Part,
    thread_name: &'static str,
    work: impl Future<Output = Result<(), StoreError>> + Send + 'static,
) -> Result<impl Future<Output = Result<(), RunError>>, StartError> {
    let failed = |error| StartError::Thread(part.name(), error);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(failed)?;
    let (ended, end) = oneshot::channel();
    let run = move || {
        // The receiver is gone if the grace has run out.
        let _ = ended.send(runtime.block_on(work));
    };
    thread::Builder::new()
        .name(thread_name.to_owned())
        .spawn(run)
        .map_err(failed)?;
    Ok(async move {
        match end.await {
            Ok(outcome) => Ok(outcome?),
            // The part panicked.
            Err(_) => Err(RunError::Ended(part.name())),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn nobody_waits_for_a_writer_that_hangs() {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread().build().expect("a runtime");
            let hangs = async {
                loop {
                    thread::park();
                }
            };
            runtime.spawn(on_its_own_thread(Part::Writer, "hangs", hangs).expect("a thread"));
            drop(runtime);
            ended.send(())
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(10)), Ok(()));
    }

    #[tokio::test]
    async fn a_writer_that_panics_has_ended() {
        let panics = async { panic!("on purpose") };
        let writing = on_its_own_thread(Part::Writer, "panics", panics).expect("a thread");
        assert!(matches!(writing.await, Err(RunError::Ended("the writer"))));
    }
}
