//! `serve`: the service itself.

use std::path::Path;
use std::process::ExitCode;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

use super::output::print_error;
use super::{CONFIG, FAILURE, configuration, misconfigured, start_code, stop_signal};
use crate::app::App;
use crate::telemetry::{self, LogError, Sink};

/// Runs the service until a signal to stop.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => return misconfigured(&errors),
    };
    disable_core_dumps();
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
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => {
            print_error(format_args!("cannot listen for signals: {error}"));
            return ExitCode::from(FAILURE);
        }
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

/// Makes new files private and switches core dumps off. The database holds private data, and the memory holds secrets.
fn disable_core_dumps() {
    umask(Mode::from_raw_mode(0o077));
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // The limit alone does not bind a crash handler into which the kernel pipes a core. Marking the process as not
    // dumpable does, and also hides the memory from other processes of the same user.
    let switched_off = setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    if let Err(error) = switched_off {
        print_error(format_args!(
            "core dumps could not be switched off: {error}"
        ));
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
