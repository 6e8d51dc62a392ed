//! `serve`: the service itself.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::output::print_error;
use super::{CONFIG, FAILURE, configuration, misconfigured, start_code, stop_or_report};
use crate::app::App;
use crate::telemetry::{self, LogError, Sink};

/// Runs the service until a signal to stop.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => return misconfigured(&errors),
    };
    raise_open_files_limit();
    let _log = match telemetry::start(&loaded.config.log, Sink::Stdout) {
        Ok(log) => log,
        Err(error) => {
            print_error(&error);
            return ExitCode::from(match error {
                LogError::Filter(_) => CONFIG,
                LogError::Thread(_) => FAILURE,
            });
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!(warning, "the configuration is unwise");
    }
    let stop = match stop_or_report() {
        Ok(stop) => stop,
        Err(code) => return code,
    };
    let app = match App::start(loaded.config).await {
        Ok(app) => app,
        Err(error) => {
            tracing::error!(%error, "not started");
            print_error(&error);
            return ExitCode::from(start_code(&error));
        }
    };
    match app.run(stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
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
