//! `numbers`: numbers that the project has.

mod list;
mod release;
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
    /// Release a number; without --yes, say what that does, and do nothing.
    Release(release::Arguments),
}

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    ended(match command {
        Command::List(arguments) => list::run(config, &arguments).await,
        Command::Show(arguments) => show::run(config, &arguments).await,
        Command::Release(arguments) => release::run(config, &arguments).await,
    })
}
