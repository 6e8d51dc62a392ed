//! `dismiss`: an operator has seen to what is parked, so it needs no attention any more.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::bulk::{Bulk, DELIVERIES, ORDERS};
use super::chosen::Chosen;
use super::command_error::{self, CommandError};
use super::deliveries::ChosenDeliveries;
use super::pages::Pages;
use super::quarantine::{self, RefusedCallbacks};
use super::service::{Options, Service};

/// What is dismissed.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Dismiss parked orders, until an event or a fetch of theirs.
    Orders(OrdersArguments),
    /// Dismiss parked callbacks; they stay for their retention period.
    Deliveries(DeliveriesArguments),
    /// Remove callbacks from the quarantine: they are not Sinch's.
    Quarantined(QuarantinedArguments),
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

/// Arguments of `dismiss quarantined`. Something has to choose, so that nobody means all by mistake.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("choice").required(true).multiple(true).args(["ids", "all", "project", "reason"]))]
pub struct QuarantinedArguments {
    /// Ids of the callbacks; `quarantine` shows them.
    #[arg(value_name = "ID", conflicts_with_all = ["project", "reason"])]
    ids: Vec<u64>,
    #[command(flatten)]
    refused: RefusedCallbacks,
    /// All that are in quarantine.
    #[arg(long, conflicts_with_all = ["ids", "project", "reason"])]
    all: bool,
    /// Remove nothing: only say how many callbacks there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

const DONE: [&str; 2] = ["needs no attention any more", "need no attention any more"];

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    match command {
        Command::Orders(arguments) => {
            command_error::ended(orders(config, &arguments).await, arguments.options.json)
        }
        Command::Deliveries(arguments) => {
            command_error::ended(deliveries(config, &arguments).await, arguments.options.json)
        }
        Command::Quarantined(arguments) => command_error::ended(
            quarantined(config, &arguments).await,
            arguments.options.json,
        ),
    }
}

async fn orders(config: Option<&Path>, arguments: &OrdersArguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let json = arguments.options.json;
    let mut bulk = Bulk::new(ORDERS, DONE, "dismissed", arguments.dry_run, json);
    let chosen = &arguments.chosen;
    chosen.request(&service, &mut bulk, "dismiss").await?;
    bulk.end()
}

async fn deliveries(
    config: Option<&Path>,
    arguments: &DeliveriesArguments,
) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let json = arguments.options.json;
    let mut bulk = Bulk::new(DELIVERIES, DONE, "dismissed", arguments.dry_run, json);
    let chosen = &arguments.chosen;
    chosen.request(&service, &mut bulk, "dismiss").await?;
    bulk.end()
}

async fn quarantined(
    config: Option<&Path>,
    arguments: &QuarantinedArguments,
) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let done = [
        "is removed from the quarantine",
        "are removed from the quarantine",
    ];
    let (dry_run, json) = (arguments.dry_run, arguments.options.json);
    let mut bulk = Bulk::new(["callback", "callbacks"], done, "removed", dry_run, json);
    let mut ids = arguments.ids.clone();
    if ids.is_empty() {
        let listed = Pages::new(&service, quarantine::PATH, arguments.refused.params());
        let listed = listed.all().await?;
        ids.extend(listed.iter().filter_map(|row| row["id"].as_u64()));
    }
    for id in ids {
        let path = format!("{}/{id}/dismiss", quarantine::PATH);
        let dismiss = async { service.post(&path, None).await.map(drop) };
        bulk.one(&format!("callback {id}"), dismiss).await?;
    }
    bulk.end()
}
