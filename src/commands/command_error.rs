//! Reason why a command that calls Sinch, or the service, has not done what it was asked to do.

use std::process::ExitCode;

use super::output::print_error;
use super::{CONFIG, FAILURE, USAGE, shown};
use crate::app::StartError;
use crate::config::ConfigErrors;
use sinch_numbers::api::CallError;

/// Failure of a command: its reason, for the person at the terminal, and its exit code.
#[derive(Debug)]
pub(super) struct CommandError {
    code: u8,
    lines: Vec<String>,
}

impl CommandError {
    /// Returns a failure that has no exit code of its own.
    pub fn failure(reason: impl Into<String>) -> CommandError {
        CommandError::new(FAILURE, reason)
    }

    /// Returns a failure with a reason of several lines, and no exit code of its own.
    pub fn failures(lines: impl Iterator<Item = impl ToString>) -> CommandError {
        CommandError {
            code: FAILURE,
            lines: lines.map(|line| line.to_string()).collect(),
        }
    }

    /// Returns a failure over the command's arguments.
    pub fn usage(reason: impl Into<String>) -> CommandError {
        CommandError::new(USAGE, reason)
    }

    /// Returns a failure over the configuration.
    pub fn configuration(reason: impl Into<String>) -> CommandError {
        CommandError::new(CONFIG, reason)
    }

    fn new(code: u8, reason: impl Into<String>) -> CommandError {
        CommandError {
            code,
            lines: vec![reason.into()],
        }
    }

    /// Writes the reason of the failure to standard error, and returns the exit code.
    pub fn report(&self) -> ExitCode {
        for line in &self.lines {
            print_error(shown::lines(line));
        }
        ExitCode::from(self.code)
    }
}

impl From<ConfigErrors> for CommandError {
    fn from(errors: ConfigErrors) -> CommandError {
        CommandError {
            code: CONFIG,
            lines: errors.lines().to_vec(),
        }
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> CommandError {
        CommandError::new(super::start_code(&error), error.to_string())
    }
}

/// Tells why the call failed, with Sinch's words: the person at the terminal made the call.
impl From<CallError> for CommandError {
    fn from(error: CallError) -> CommandError {
        CommandError::failure(error.told().to_string())
    }
}

/// Returns the exit code of a command, and reports the reason where it failed.
pub(super) fn ended(done: Result<(), CommandError>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
