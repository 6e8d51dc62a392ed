//! `serve`: the service itself.

use std::path::Path;
use std::process::ExitCode;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use super::{FAILURE, configuration, misconfigured, start_code, stop_signal};
use crate::app::App;
use crate::telemetry::{self, Sink};

/// Serves until told to stop.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => return misconfigured(&errors),
    };
    harden();
    widen();
    if let Err(error) = telemetry::start(&loaded.config.log, Sink::Stdout) {
        eprintln!("sinch-callbacks: log.filter: {error}");
        return ExitCode::from(super::CONFIG);
    }
    for warning in &loaded.warnings {
        tracing::warn!(warning, "the configuration is unwise");
    }
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("sinch-callbacks: cannot listen for signals: {error}");
            return ExitCode::from(FAILURE);
        }
    };
    let app = match App::start(loaded.config).await {
        Ok(app) => app,
        Err(error) => {
            tracing::error!(%error, "not started");
            eprintln!("sinch-callbacks: {error}");
            return ExitCode::from(start_code(&error));
        }
    };
    match app.run(stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sinch-callbacks: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

/// The database holds what is nobody else's business, and the memory holds secrets.
fn harden() {
    umask(Mode::from_raw_mode(0o077));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        eprintln!("sinch-callbacks: core dumps could not be switched off: {error}");
    }
}

/// Every connection is an open file, and the usual limit of 1024 is meant for programs with few of them.
fn widen() {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        maximum: allowed.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        eprintln!("sinch-callbacks: the limit of open files could not be raised: {error}");
    }
}
