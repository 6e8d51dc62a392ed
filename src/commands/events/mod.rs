//! `events`: what other systems are told, and how they take it, as the running service knows it.

mod list;
mod notifications;
mod redrive;
mod service;
mod targets;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use self::service::Service;
use super::command_error::CommandError;

/// Commands about events and targets.
#[derive(Subcommand, Debug)]
pub enum Command {
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

/// Options of every command about events.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Print JSON, as the service has it, for programs; a failure is JSON too.
    #[arg(long)]
    pub json: bool,
}

impl Command {
    fn options(&self) -> &Options {
        match self {
            Command::List(arguments) => &arguments.options,
            Command::Targets(arguments) => &arguments.options,
            Command::Notifications(arguments) => &arguments.options,
            Command::Redrive(arguments) => &arguments.options,
            Command::Resume(arguments) => &arguments.options,
            Command::SendTest(arguments) => &arguments.options,
        }
    }
}

/// Runs one of the commands. It needs only the service's address and token from the configuration.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    let json = command.options().json;
    let ended = async {
        let service = Service::of_configuration(config)?;
        match command {
            Command::List(arguments) => return list::run(&service, &arguments).await,
            Command::Targets(_) => targets::list(&service, json).await,
            Command::Notifications(arguments) => notifications::run(&service, &arguments).await,
            Command::Redrive(arguments) => redrive::run(&service, &arguments).await,
            Command::Resume(arguments) => targets::resume(&service, &arguments).await,
            Command::SendTest(arguments) => targets::send_test(&service, &arguments).await,
        }?;
        Ok(ExitCode::SUCCESS)
    };
    ended
        .await
        .unwrap_or_else(|error: CommandError| error.report(json))
}
