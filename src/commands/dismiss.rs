//! `dismiss`: an operator has seen to what is parked, so it needs no attention any more.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::bulk::Bulk;
use super::chosen::{Chosen, Which};
use super::command_error::{self, CommandError};
use super::deliveries::ChosenDeliveries;
use super::service::{Options, Service};

/// What is dismissed.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Dismiss parked orders, until an event or a fetch of theirs.
    Orders(OrdersArguments),
    /// Dismiss parked callbacks; they stay for their retention period.
    Deliveries(DeliveriesArguments),
}

/// Arguments of `dismiss orders`.
#[derive(clap::Args, Debug)]
pub struct OrdersArguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Dismiss nothing: only say how many parked orders there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

/// Arguments of `dismiss deliveries`.
#[derive(clap::Args, Debug)]
pub struct DeliveriesArguments {
    #[command(flatten)]
    chosen: ChosenDeliveries,
    /// Dismiss nothing: only say how many callbacks there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

const WORDS: [&str; 2] = ["need no attention any more", "dismissed"];

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    match command {
        Command::Orders(arguments) => {
            command_error::ended(orders(config, &arguments).await, arguments.options.json)
        }
        Command::Deliveries(arguments) => {
            command_error::ended(deliveries(config, &arguments).await, arguments.options.json)
        }
    }
}

async fn orders(config: Option<&Path>, arguments: &OrdersArguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let json = arguments.options.json;
    let mut bulk = Bulk::new("orders", WORDS, arguments.dry_run, json);
    let chosen = &arguments.chosen;
    chosen
        .request(&service, Which::Parked, &mut bulk, "dismiss")
        .await?;
    bulk.end()
}

async fn deliveries(
    config: Option<&Path>,
    arguments: &DeliveriesArguments,
) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let json = arguments.options.json;
    let mut bulk = Bulk::new("deliveries", WORDS, arguments.dry_run, json);
    let chosen = &arguments.chosen;
    chosen.request(&service, &mut bulk, "dismiss").await?;
    bulk.end()
}
