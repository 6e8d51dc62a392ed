//! `fetch`: orders are fetched from Sinch as soon as slots, rate and circuit allow.

use std::path::Path;
use std::process::ExitCode;

use super::bulk::{Bulk, ORDERS};
use super::chosen::Chosen;
use super::command_error::{self, CommandError};
use super::service::{Options, Service};

/// Arguments of `fetch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Fetch nothing: only say how many orders there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

/// Makes the running service fetch orders. One that is parked has all its attempts again.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(fetch(config, &arguments).await, arguments.options.json)
}

async fn fetch(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let done = [
        "is fetched as soon as slots, rate limit and circuit allow",
        "are fetched as soon as slots, rate limit and circuit allow",
    ];
    let (dry_run, json) = (arguments.dry_run, arguments.options.json);
    let mut bulk = Bulk::new(ORDERS, done, "fetched", dry_run, json);
    let chosen = &arguments.chosen;
    chosen.request(&service, &mut bulk, "fetch").await?;
    bulk.end()
}
