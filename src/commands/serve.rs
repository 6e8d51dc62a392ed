//! `serve`: the service itself. At SIGHUP it reads its configuration again, and goes over to it without closing a listener.

use std::future::pending;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::Signal;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::output::print_error;
use super::signals::reload_signal;
use super::{
    CONFIG, FAILURE, configuration, misconfigured, service_manager, start_code, stop_or_report,
};
use crate::app::{App, Listeners, RunError, StartError};
use crate::config::{Config, Loaded};
use crate::http::operators::ReloadReceiver;
use crate::telemetry::{self, LogError, LogFilter, Logging, Sink};
use crate::traces::Traces;

/// Runs the service until a signal to stop.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => return misconfigured(&errors),
    };
    raise_open_files_limit();
    let log = match telemetry::start(&loaded.config.log, Sink::Stdout) {
        Ok(log) => log,
        Err(error) => {
            print_error(&error);
            return ExitCode::from(match error {
                LogError::Filter(_) => CONFIG,
                LogError::Thread(_) => FAILURE,
            });
        }
    };
    warn(&loaded);
    let signals = stop_or_report().and_then(|stop| Ok((stop, reload_signal()?)));
    let (stop, reload) = match signals {
        Ok(signals) => signals,
        Err(code) => return code,
    };
    let traces = match Traces::start() {
        Ok(traces) => traces,
        Err(error) => return report(&Failure::Start(error.into())),
    };
    let mut service = Service {
        path: config,
        log,
        traces: traces.clone(),
        stop,
        reload,
    };
    let ended = Box::pin(service.run(loaded.config)).await;
    traces.end(LAST_SPANS_MAX).await;
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Logs what is allowed in a configuration but unwise.
fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(warning, "the configuration is unwise");
    }
}

/// Maximum time at the end of the program for the last spans to be sent.
const LAST_SPANS_MAX: Duration = Duration::from_secs(1);

/// Time for which a reload waits for fetches in flight. Callbacks wait for as long, so it is short.
const FETCHES_MAX: Duration = Duration::from_secs(1);

/// The service in its process: one run after the other, each with the configuration as it was when the run began.
struct Service<'a> {
    /// Path of the configuration file, as the command line names it.
    path: Option<&'a Path>,
    log: Logging,
    traces: Traces,
    stop: CancellationToken,
    /// SIGHUP, at which the configuration is read again.
    reload: Signal,
}

/// A configuration that passed every check, with the listeners for it.
struct Next {
    config: Config,
    filter: LogFilter,
    listeners: Listeners,
}

/// Reason why the service ended.
enum Failure {
    Start(StartError),
    Run(RunError),
}

impl Service<'_> {
    /// Runs the service until the signal to stop, with one configuration after the other.
    async fn run(&mut self, mut config: Config) -> Result<(), Failure> {
        let mut app = self
            .start(config.clone(), None)
            .await
            .map_err(Failure::Start)?;
        service_manager::keep_watchdog();
        let stop = self.stop.clone();
        loop {
            service_manager::ready();
            let (listeners, abort) = (app.take_listeners(), app.abort_token());
            let mut reloads = app.take_reloads();
            let stop_run = CancellationToken::new();
            let mut running = Box::pin(app.run(stop_run.clone()));
            let next = tokio::select! {
                ended = &mut running => return ended.map_err(Failure::Run),
                () = stop.cancelled() => None,
                next = self.next(listeners.as_ref(), reloads.as_mut()) => Some(next),
            };
            // An operator who asks for another reload now is refused, and holds up nothing.
            drop(reloads);
            stop_run.cancel();
            let Some(next) = next else {
                service_manager::stopping();
                drop(listeners);
                return running.await.map_err(Failure::Run);
            };
            let hurry = async {
                sleep(FETCHES_MAX).await;
                abort.cancel();
                pending().await
            };
            let ended = tokio::select! {
                ended = running => ended,
                ended = hurry => ended,
            };
            ended.map_err(Failure::Run)?;
            app = self
                .start_next(&mut config, next, listeners.as_ref())
                .await?;
        }
    }

    /// Starts a run of the service.
    async fn start(&self, config: Config, kept: Option<&Listeners>) -> Result<App, StartError> {
        App::start(config, self.traces.clone(), kept).await
    }

    /// Returns the configuration that the next SIGHUP, or an operator's request, brings. One with a fault changes nothing.
    async fn next(
        &mut self,
        kept: Option<&Listeners>,
        mut requests: Option<&mut ReloadReceiver>,
    ) -> Next {
        loop {
            let requested = async {
                match &mut requests {
                    Some(requests) => requests.recv().await,
                    None => None,
                }
            };
            let reply = tokio::select! {
                signal = self.reload.recv() => match signal {
                    Some(()) => None,
                    None => return pending().await,
                },
                Some(reply) = requested => Some(reply),
            };
            service_manager::reloading();
            let read = self.read(kept);
            if let Some(reply) = reply {
                let faults = read.as_ref().map(drop).map_err(Clone::clone);
                // The operator who asked may have left.
                let _ = reply.send(faults);
            }
            match read {
                Ok(next) => return next,
                Err(faults) => {
                    for fault in faults {
                        tracing::error!(fault, "not reloaded: everything stays as it was");
                    }
                    service_manager::ready();
                }
            }
        }
    }

    /// Reads the configuration and tries all that can be tried of it while the service runs.
    fn read(&self, kept: Option<&Listeners>) -> Result<Next, Vec<String>> {
        let loaded = configuration(self.path).map_err(|errors| errors.lines().to_vec())?;
        let fault = |error: &dyn std::error::Error| vec![error.to_string()];
        let filter = LogFilter::of(&loaded.config.log).map_err(|error| fault(&error))?;
        let listeners = App::prepare(&loaded.config, kept).map_err(|error| fault(&error))?;
        warn(&loaded);
        Ok(Next {
            config: loaded.config,
            filter,
            listeners,
        })
    }

    /// Starts the next run of the service. If the new configuration does not let it start, it goes on with the old one.
    async fn start_next(
        &self,
        config: &mut Config,
        next: Next,
        kept: Option<&Listeners>,
    ) -> Result<App, Failure> {
        let listeners = Some(&next.listeners);
        match self.start(next.config.clone(), listeners).await {
            Ok(app) => {
                *config = next.config;
                self.log.set_filter(next.filter);
                tracing::info!("reloaded");
                Ok(app)
            }
            Err(error) => {
                tracing::error!(%error, "not reloaded: everything stays as it was");
                let app = self.start(config.clone(), kept).await;
                app.map_err(Failure::Start)
            }
        }
    }
}

/// Reports why the service ended, and returns the exit code for it.
fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Start(error) => {
            tracing::error!(%error, "not started");
            print_error(error);
            ExitCode::from(start_code(error))
        }
        Failure::Run(error) => {
            print_error(error);
            ExitCode::from(FAILURE)
        }
    }
}

/// Raises the limit of open files to the maximum that the system allows. Every connection is an open file, and the
/// usual limit of 1024 is meant for programs with few of them.
fn raise_open_files_limit() {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        maximum: allowed.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        print_error(format_args!(
            "the limit of open files could not be raised: {error}"
        ));
    }
}
