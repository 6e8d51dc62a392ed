//! Commands of the program's command line: one file for each command; those about orders, numbers and
//! events have a folder each.

mod acted_on;
pub mod actions;
mod ages;
pub mod alerts;
pub mod backup;
mod bulk;
pub mod check;
mod chosen;
mod command_error;
pub mod completions;
pub mod config;
#[cfg(feature = "postgres")]
pub mod copy_store;
mod deliveries;
pub mod demo;
pub mod dismiss;
pub mod drop_project;
pub mod events;
pub mod examples;
mod expectations;
pub mod faulty_argument;
pub mod fetch;
mod fetched_backup;
mod fetching;
mod file_fault;
pub mod forget;
pub mod healthcheck;
mod invocation;
pub mod listen;
mod long_answer;
mod lookup;
mod moment;
pub mod numbers;
pub mod openapi;
mod operators;
pub mod order;
mod order_filter;
pub mod orders;
pub mod output;
mod pages;
pub mod parked;
mod parked_delivery;
mod project_client;
pub mod prune;
pub mod quarantine;
pub mod replay;
pub mod resume;
pub mod reverify;
pub mod rotate_secret;
mod selection;
pub mod serve;
mod service;
mod service_manager;
mod shown;
pub mod signals;
pub mod simulate;
pub mod status;
mod table;
pub mod tail;
pub mod unwatch;
pub mod watch;
mod words;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask,
};

use self::output::print_error;
use self::signals::{stop_or_report, stop_signal};
use crate::app::StartError;
use crate::config::{Config, ConfigErrors, FILE_VARIABLE, Loaded};

/// Exit code of a failure that has no code of its own.
const FAILURE: u8 = 1;
/// Exit code for arguments of a command that make no sense, the same as clap's.
const USAGE: u8 = 2;
/// Exit code of `status` where something needs an operator.
const ATTENTION: u8 = 3;
/// Exit code `EX_TEMPFAIL`: another instance holds the database.
const HELD: u8 = 75;
/// Exit code `EX_CONFIG`: the configuration is wrong.
const CONFIG: u8 = 78;
/// Exit code after Ctrl-C, as shells have it: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// Configuration file that is read when none is named, if it exists.
const CONFIG_FILE: &str = "config.toml";

/// Makes new files private and switches core dumps off. The database and forms hold private data, and so does the memory,
/// beside secrets.
pub fn keep_private() {
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

/// Loads the whole configuration, from the named file or the usual one.
fn configuration(named: Option<&Path>) -> Result<Loaded, ConfigErrors> {
    Config::load(file(named).as_deref(), std::env::vars_os())
}

/// Returns the path of the configuration file: the one that the command line or a variable that is not empty names, or
/// else the usual one, if it exists.
fn file(named: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(FILE_VARIABLE).filter(|name| !name.is_empty());
    let named = named
        .map(Path::to_owned)
        .or_else(|| variable().map(PathBuf::from));
    named.or_else(|| {
        let usual = PathBuf::from(CONFIG_FILE);
        // The reader of the configuration reports a file that is there and cannot be read.
        let absent = usual
            .symlink_metadata()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound);
        (!absent).then_some(usual)
    })
}

/// Reports the faults of the configuration, and returns the exit code for them.
fn misconfigured(errors: &ConfigErrors) -> ExitCode {
    for line in errors.lines() {
        print_error(line);
    }
    ExitCode::from(CONFIG)
}

fn start_code(error: &StartError) -> u8 {
    match error {
        StartError::Database(error) if error.is_held() => HELD,
        StartError::Database(error) if error.is_misconfigured() => CONFIG,
        StartError::Client { .. }
        | StartError::Target { .. }
        | StartError::Passed(_)
        | StartError::PassedElsewhere(_)
        | StartError::Traces(_) => CONFIG,
        StartError::Clock(_)
        | StartError::Database(_)
        | StartError::Listen { .. }
        | StartError::Thread(..) => FAILURE,
    }
}
