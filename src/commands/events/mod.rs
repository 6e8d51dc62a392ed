//! `events`: what other systems are told, how they take it, as the running service knows it, and what a receiver needs.

mod key;
mod list;
mod notifications;
mod redrive;
mod schema;
mod targets;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

pub(super) use self::list::row;
use super::command_error::CommandError;
use super::service::{self, Options, Service};

/// Commands about events and targets.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Request something of the running service.
    #[command(flatten)]
    Request(Request),
    /// Print the JSON Schema of a type of events; without a type, list the types.
    Schema(schema::Arguments),
    /// Make the keys with which targets are told, and print what their receivers need to verify.
    #[command(subcommand)]
    Key(key::Command),
}

/// Commands that request something of the running service.
#[derive(Subcommand, Debug)]
pub enum Request {
    /// List events, as the feed has them; with --follow, go on as they are recorded.
    List(list::Arguments),
    /// List the targets: what waits for each, and how it receives.
    Targets(targets::ListArguments),
    /// List notifications: which target was told which event, and what became of it.
    Notifications(notifications::Arguments),
    /// Send notifications again that a target did not take; with --dry-run, only count them.
    Redrive(redrive::Arguments),
    /// Tell a target again that has been switched off or has failed, without waiting for the next probe.
    Resume(targets::ResumeArguments),
    /// Send a target an event that is marked as a test.
    SendTest(targets::TestArguments),
}

impl Request {
    fn options(&self) -> &Options {
        match self {
            Request::List(arguments) => &arguments.options,
            Request::Targets(arguments) => &arguments.options,
            Request::Notifications(arguments) => &arguments.options,
            Request::Redrive(arguments) => &arguments.options,
            Request::Resume(arguments) => &arguments.options,
            Request::SendTest(arguments) => &arguments.options,
        }
    }
}

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    match command {
        Command::Request(request) => run_request(config, request).await,
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Key(command) => key::run(config, &command),
    }
}

/// Runs a command that needs only the service's address and token from the configuration.
async fn run_request(config: Option<&Path>, request: Request) -> ExitCode {
    let json = request.options().json;
    let ended = async {
        let service = Service::of_configuration(config)?;
        match request {
            Request::List(arguments) => return list::run(&service, &arguments).await,
            Request::Targets(_) => targets::list(&service, json).await,
            Request::Notifications(arguments) => notifications::run(&service, &arguments).await,
            Request::Redrive(arguments) => redrive::run(&service, &arguments).await,
            Request::Resume(arguments) => targets::resume(&service, &arguments).await,
            Request::SendTest(arguments) => targets::send_test(&service, &arguments).await,
        }?;
        Ok(ExitCode::SUCCESS)
    };
    ended
        .await
        .unwrap_or_else(|error: CommandError| error.report(json))
}
