//! List of the parts that run until the service stops, one entry each.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::part::{Part, Run, Shared, Thread, run};
use super::settings::{
    Clients, Projects, api_off, backoff, operators_settings, policy, retention_periods, routes,
    secrets, sources, timeouts,
};
use super::targets::{Receivers, senders};
use crate::config::Config;
use crate::http::admission::{AdmissionControl, Listener};
use crate::http::connection_limits::ListenerLimits;
use crate::http::examination::Examiner;
use crate::http::operators::ReloadSender;
use crate::http::quarantine::Quarantine;
use crate::http::{callbacks, operators, server};
use crate::store::Rate;
use crate::worker::{
    self, AlertWorker, Fetcher, InboxWorker, NumberWorker, QuarantineWorker, RetentionWorker,
    SecretWorker, ServiceAlertWorker, Worker,
};
use number_order::Id;
use sinch_numbers::api::Client;

/// Everything that the parts need and that the start has opened, bound or built.
pub(super) struct PartsInput {
    /// Writer of the store, as a part. It ends when no other part holds the store any more.
    pub writer: Run,
    pub clients: Clients,
    pub projects: Projects,
    pub receivers: Receivers,
    pub callbacks_listener: TcpListener,
    pub operators_listener: TcpListener,
    pub limits: ListenerLimits,
    /// Sender of the operators' requests to read the configuration again.
    pub reload: ReloadSender,
    pub shared: Shared,
}

/// Returns the worker of alerts about the service.
fn service_alerts(config: &Config, shared: &Shared) -> Part {
    let worker = ServiceAlertWorker {
        store: shared.store.clone(),
        metrics: shared.metrics.clone(),
        limits: config.deadlines.service,
    };
    Part::on_shared_runtime(
        "the worker of alerts about the service",
        shared.worker(worker),
    )
}

/// Returns the worker that prunes.
fn retention(config: &Config, shared: &Shared) -> Part {
    let worker = RetentionWorker {
        store: shared.store.clone(),
        periods: retention_periods(config),
    };
    Part::on_shared_runtime("the retention worker", shared.worker(worker))
}

/// Returns the worker that keeps what was refused and is perhaps genuine, and where that is handed over.
fn quarantine(shared: &Shared) -> (Quarantine, Part) {
    let (quarantine, refused) = Quarantine::new(shared.metrics.clone());
    let worker = QuarantineWorker::new(shared.store.clone(), shared.metrics.clone(), refused);
    let run = run(worker.run(shared.stop.clone()));
    let keeper = Part::on_shared_runtime("the quarantine worker", run);
    (quarantine, keeper)
}

/// Returns the parts that call Sinch for one project.
fn of_project(
    config: &Config,
    shared: &Shared,
    project: Id,
    client: Arc<Client>,
    resume: Arc<Notify>,
) -> impl Iterator<Item = Part> {
    let secrets = shared.secret_worker(config, &project, client.clone());
    let numbers = shared.number_worker(config, project.clone(), client.clone());
    let orders = shared.fetcher(config, project, client, resume);
    let secrets = secrets.map(|run| Part::on_shared_runtime("the secret worker", run));
    let others = [
        Part::on_shared_runtime("the number worker", numbers),
        Part::on_shared_runtime("the fetcher", orders),
    ];
    secrets.into_iter().chain(others)
}

/// Returns the parts of the service. None of them runs before it is spawned.
pub(super) fn list(config: &Config, ready: PartsInput) -> Vec<Part> {
    let shared = &ready.shared;
    let (quarantine, keeper) = quarantine(shared);
    let mut parts = vec![
        Part {
            name: "the writer",
            thread: Some(Thread::Named("writer")),
            run: ready.writer,
        },
        Part {
            name: "the inbox worker",
            thread: Some(Thread::Named("inbox_worker")),
            run: shared.worker(InboxWorker {
                store: shared.store.clone(),
                policy: policy(config),
                api_off: api_off(config),
                metrics: shared.metrics.clone(),
                traces: shared.traces.clone(),
            }),
        },
        Part {
            name: "the alert worker",
            thread: None,
            run: shared.worker(AlertWorker {
                store: shared.store.clone(),
                limits: config.deadlines.orders.clone(),
            }),
        },
        service_alerts(config, shared),
        retention(config, shared),
        keeper,
        Part {
            name: "the callback listener",
            thread: None,
            run: shared.callbacks_listener(
                config,
                ready.callbacks_listener,
                &ready.limits,
                quarantine,
            ),
        },
        Part {
            name: "the operators' listener",
            thread: None,
            run: shared.operators_listener(
                config,
                ready.operators_listener,
                &ready.limits,
                ready.projects,
                ready.reload,
            ),
        },
    ];
    for (project, client, resume) in ready.clients {
        parts.extend(of_project(config, shared, project, client, resume));
    }
    parts.extend(senders(config, ready.receivers, shared));
    parts
}

impl Shared {
    /// Returns the future of a worker, which stops after its current step.
    fn worker(&self, worker: impl Worker + 'static) -> Run {
        let (metrics, stop) = (self.metrics.clone(), self.stop.clone());
        run(worker::run(worker, metrics, stop))
    }

    /// Returns the future of the worker that fetches one project's numbers. It abandons a fetch in flight when it stops.
    fn number_worker(&self, config: &Config, project: Id, client: Arc<Client>) -> Run {
        self.worker(NumberWorker {
            project,
            client,
            store: self.store.clone(),
            policy: policy(config),
            backoff: backoff(config),
            rate: Rate::per_second(config.sinch.requests_per_second),
            stop: self.stop.clone(),
        })
    }

    /// Returns the future of the worker that compares one project's secrets with Sinch's; `None`: it has none. The worker
    /// abandons a request in flight when it stops.
    fn secret_worker(&self, config: &Config, project: &Id, client: Arc<Client>) -> Option<Run> {
        let mut projects = config.projects.iter();
        let secrets = projects.find(|one| one.id == *project).map(secrets);
        let secrets = secrets.filter(|secrets| !secrets.is_empty())?;
        Some(self.worker(SecretWorker {
            project: project.clone(),
            client,
            secrets,
            interval: config.sinch.secret_check,
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
        }))
    }

    /// Returns the future of one project's fetcher. It stops after its fetches in flight, unless they are abandoned.
    fn fetcher(
        &self,
        config: &Config,
        project: Id,
        client: Arc<Client>,
        resume: Arc<Notify>,
    ) -> Run {
        let fetcher = Fetcher {
            project,
            client,
            store: self.store.clone(),
            policy: policy(config),
            backoff: backoff(config),
            slots: config.sinch.max_in_flight,
            requests_per_second: config.sinch.requests_per_second,
            // A fetch can take four time-outs: token, refused request, new token, request.
            lease: config.sinch.request_timeout * 4 + Duration::from_secs(10),
            resume,
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
        };
        run(fetcher.run(self.stop.clone(), self.abort.clone()))
    }

    /// Returns the future of the listener for callbacks. It stops after the requests in flight.
    fn callbacks_listener(
        &self,
        config: &Config,
        listener: TcpListener,
        limits: &ListenerLimits,
        quarantine: Quarantine,
    ) -> Run {
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let (settings, limits) = (routes(config), limits.callbacks);
        let examiner = Examiner::new(
            settings.clone(),
            limits,
            quarantine.clone(),
            metrics.clone(),
        );
        let admission = AdmissionControl::new(
            Listener::Callbacks,
            Some(sources(config)),
            limits,
            examiner.clone(),
            metrics.clone(),
        );
        let traces = self.traces.clone();
        let service = callbacks::service(settings, store, quarantine, examiner, metrics, traces);
        let stop = self.stop.clone();
        run(server::serve(
            listener,
            timeouts(config),
            admission,
            service,
            stop,
        ))
    }

    /// Returns the future of the listener for operators. It stops after the requests in flight.
    fn operators_listener(
        &self,
        config: &Config,
        listener: TcpListener,
        limits: &ListenerLimits,
        projects: Projects,
        reload: ReloadSender,
    ) -> Run {
        let admission = AdmissionControl::new(
            Listener::Operators,
            None,
            limits.operators,
            None,
            self.metrics.clone(),
        );
        let (store, metrics) = (self.store.clone(), self.metrics.clone());
        let settings = operators_settings(config, projects, limits.operators, reload);
        let stop = self.stop.clone();
        let router = operators::router(store, metrics, settings, stop.clone());
        run(server::serve(
            listener,
            timeouts(config),
            admission,
            router,
            stop,
        ))
    }
}
