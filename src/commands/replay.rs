//! `replay`: parked callbacks are processed again.

use std::path::Path;
use std::process::ExitCode;

use super::bulk::{Bulk, DELIVERIES};
use super::command_error::{self, CommandError};
use super::deliveries::ChosenDeliveries;
use super::service::{Options, Service};

/// Arguments of `replay`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    chosen: ChosenDeliveries,
    /// Replay nothing: only say how many callbacks there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

/// Makes the running service process parked callbacks again. One that it does not understand now either stays parked.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(replay(config, &arguments).await, arguments.options.json)
}

async fn replay(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let done = ["is processed anew", "are processed anew"];
    let json = arguments.options.json;
    let mut bulk = Bulk::new(DELIVERIES, done, "replayed", arguments.dry_run, json);
    let chosen = &arguments.chosen;
    chosen.request(&service, &mut bulk, "replay").await?;
    bulk.end()
}
