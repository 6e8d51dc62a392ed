//! Reason why a command that calls Sinch, or the service, has not done what it was asked to do.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};
use strum::{IntoStaticStr, VariantNames};

use super::operators::ServiceError;
use super::output::{print_error, print_line};
use super::{CONFIG, FAILURE, INTERRUPTED, USAGE, shown};
use crate::app::StartError;
use crate::config::ConfigErrors;
use sinch_numbers::api::CallError;

/// Failure of a command: its reason, for the person at the terminal, with a code for programs.
#[derive(Debug)]
pub(super) struct CommandError {
    kind: ErrorKind,
    exit_code: u8,
    lines: Vec<String>,
    /// `true` if what the command prints in JSON says it already.
    is_told: bool,
}

/// Kind of the reason, by whose turn it is to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
enum ErrorKind {
    /// Sinch has refused a call, or has not answered it.
    Sinch,
    /// The running service has refused a request, or cannot be reached.
    Service,
    /// The form, or a file that it names, must be changed.
    Form,
    /// The configuration is wrong.
    Configuration,
    /// The command line is wrong.
    Usage,
    /// The user has stopped the command.
    Interrupted,
    /// The command cannot do what it was asked to do, for another reason that its text names.
    Failed,
}

impl CommandError {
    /// Returns a failure of no other kind.
    pub fn failure(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Failed, FAILURE, reason)
    }

    /// Returns a failure of a call of Sinch.
    pub fn sinch(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Sinch, FAILURE, reason)
    }

    /// Returns a failure of the running service, or of the way to it.
    pub fn service(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Service, FAILURE, reason)
    }

    /// Returns a failure of the running service that is told in JSON already, as a part of what a command prints.
    pub fn told(reason: impl Into<String>) -> CommandError {
        CommandError {
            is_told: true,
            ..CommandError::service(reason)
        }
    }

    /// Returns a failure over a form, or over a file that it names.
    pub fn form(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Form, FAILURE, reason)
    }

    /// Returns a failure over a form, with a line for each fault.
    pub fn forms(lines: impl Iterator<Item = impl ToString>) -> CommandError {
        CommandError {
            kind: ErrorKind::Form,
            exit_code: FAILURE,
            lines: lines.map(|line| line.to_string()).collect(),
            is_told: false,
        }
    }

    /// Returns a failure over the command's arguments.
    pub fn usage(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Usage, USAGE, reason)
    }

    /// Returns the end of a command that the user has stopped.
    pub fn interrupted(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Interrupted, INTERRUPTED, reason)
    }

    /// Returns a failure over the configuration.
    pub fn configuration(reason: impl Into<String>) -> CommandError {
        CommandError::new(ErrorKind::Configuration, CONFIG, reason)
    }

    fn new(kind: ErrorKind, exit_code: u8, reason: impl Into<String>) -> CommandError {
        CommandError {
            kind,
            exit_code,
            lines: vec![reason.into()],
            is_told: false,
        }
    }

    /// Returns the exit code of a command that fails so.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// Returns the failure with the name of what it is about before it.
    pub fn about(mut self, name: &str) -> CommandError {
        if let Some(first) = self.lines.first_mut() {
            *first = format!("{name}: {first}");
        }
        self
    }

    /// Writes the reason of the failure to standard error, with `json` also as a JSON object to standard output, and
    /// returns the exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if json && !self.is_told {
            self.print_json();
        }
        self.report_in_words()
    }

    /// Writes the reason of the failure as a JSON object to standard output.
    pub fn print_json(&self) {
        print_line(shown::json(&self.as_json().to_string()));
    }

    /// Writes the reason of the failure to standard error, and returns the exit code.
    pub fn report_in_words(&self) -> ExitCode {
        for line in &self.lines {
            print_error(line);
        }
        ExitCode::from(self.exit_code)
    }

    fn as_json(&self) -> Value {
        let code: &str = self.kind.into();
        json!({ "error": {
            "code": code,
            "exit_code": self.exit_code,
            "text": self.to_string(),
        } })
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl From<ConfigErrors> for CommandError {
    fn from(errors: ConfigErrors) -> CommandError {
        CommandError {
            kind: ErrorKind::Configuration,
            exit_code: CONFIG,
            lines: errors.lines().to_vec(),
            is_told: false,
        }
    }
}

impl From<StartError> for CommandError {
    fn from(error: StartError) -> CommandError {
        let exit_code = super::start_code(&error);
        let kind = if exit_code == CONFIG {
            ErrorKind::Configuration
        } else {
            ErrorKind::Failed
        };
        CommandError::new(kind, exit_code, error.to_string())
    }
}

/// Tells why the call failed, with Sinch's words: the person at the terminal made the call.
impl From<CallError> for CommandError {
    fn from(error: CallError) -> CommandError {
        CommandError::new(ErrorKind::Sinch, FAILURE, error.told().to_string())
    }
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> CommandError {
        CommandError::service(error)
    }
}

/// Returns the exit code of a command, and reports the reason where it failed.
pub(super) fn ended(done: Result<(), CommandError>, json: bool) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_code_and_no_other() {
        let document = include_str!("../../docs/ordering.md");
        let section = document.split("## Errors in JSON\n").nth(1);
        let section = section.expect("a section with this heading");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, ErrorKind::VARIANTS);
    }
}
