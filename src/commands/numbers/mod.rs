//! `numbers`: numbers that the project has.

pub(super) mod callback_url;
mod list;
mod release;
mod set_callback_url;
mod show;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::command_error::ended;

/// Commands about the project's numbers.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the project's numbers.
    List(list::Arguments),
    /// Show a number: which services it is ready for, and where its callbacks go.
    Show(show::Arguments),
    /// Set the URL at which callbacks about a number arrive, and change nothing else.
    SetCallbackUrl(set_callback_url::Arguments),
    /// Release a number; without --yes, say what that does, and do nothing.
    Release(release::Arguments),
}

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    match command {
        Command::List(arguments) => {
            let listed = list::run(config, &arguments).await;
            listed.unwrap_or_else(|error| error.report(arguments.options.json))
        }
        Command::Show(arguments) => {
            let json = arguments.options.json;
            ended(show::run(config, &arguments).await, json)
        }
        Command::SetCallbackUrl(arguments) => {
            let json = arguments.options.json;
            ended(set_callback_url::run(config, &arguments).await, json)
        }
        Command::Release(arguments) => {
            let json = arguments.options.json;
            ended(release::run(config, &arguments).await, json)
        }
    }
}
