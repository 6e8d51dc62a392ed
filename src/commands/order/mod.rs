//! `order`: numbers that can be had, and orders for them.

mod reasons;
mod regions;
mod search;
mod show;
mod story;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::command_error::ended;

/// Commands about orders.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the regions in which the project can get numbers.
    Regions(regions::Arguments),
    /// Search numbers that can be had; reserves none.
    Search(search::Arguments),
    /// Show what the running service knows of an order.
    Show(show::Arguments),
}

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    ended(match command {
        Command::Regions(arguments) => regions::run(config, &arguments).await,
        Command::Search(arguments) => search::run(config, &arguments).await,
        Command::Show(arguments) => show::run(config, &arguments).await,
    })
}
