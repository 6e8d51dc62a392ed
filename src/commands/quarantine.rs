//! `quarantine`: callbacks that were refused and are perhaps genuine, with what cures them.

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use strum::VariantNames;

use super::command_error::{self, CommandError};
use super::invocation::Invocation;
use super::moment::{Moment, Period};
use super::output::print_line;
use super::pages::{Pages, Params};
use super::service::{Options, Service, number, print_json, second, text};
use super::table::Table;
use crate::store::QuarantineReason;

/// Arguments of `quarantine`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    refused: RefusedCallbacks,
    /// Only those received first at this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 30min,
    /// 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those received first before this time, written as for --since.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    options: Options,
}

/// Callbacks of the quarantine that a command is about.
#[derive(clap::Args, Debug)]
pub struct RefusedCallbacks {
    /// Only those to the path of this project.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Only those that were refused for this reason.
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(QuarantineReason::VARIANTS))]
    pub reason: Option<String>,
}

impl RefusedCallbacks {
    /// Returns the parameters by which the service lists them.
    pub(super) fn params(&self) -> Params<'_> {
        vec![
            ("project", self.project.as_deref()),
            ("reason", self.reason.as_deref()),
        ]
    }
}

/// Path of the list.
pub(super) const PATH: &str = "/api/v1/quarantine";

/// Prints the quarantine.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(print(config, &arguments).await, arguments.options.json)
}

async fn print(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let period = Period::between(arguments.since.as_ref(), arguments.until.as_ref())?;
    let service = Service::of_configuration(config)?;
    let mut params = arguments.refused.params();
    params.extend(period.params());
    let callbacks = Pages::new(&service, PATH, params).all().await?;
    if arguments.options.json {
        print_json(&json!({ "callbacks": callbacks }).to_string());
        return Ok(());
    }
    if callbacks.is_empty() {
        print_line("Nothing is in quarantine.");
        return Ok(());
    }
    print_line("Callbacks that were refused and are perhaps genuine:");
    let head = [
        "ID",
        "RECEIVED",
        "TIMES",
        "REASON",
        "SOURCE",
        "ORDER (CLAIMED)",
    ];
    Table::new(head).print(callbacks.iter().map(row).collect());
    let invocation = Invocation::new(config, None);
    for (what, command) in [
        (
            "admit what passes both checks, once the secret or the address is mended",
            invocation.command(&["reverify"]),
        ),
        (
            "remove one that is not Sinch's",
            invocation.command(&["dismiss", "quarantined", "ID"]),
        ),
    ] {
        print_line(format_args!("    to {what}: {command}"));
    }
    Ok(())
}

fn row(callback: &Value) -> [String; 6] {
    [
        number(callback, "id"),
        second(callback, "received_at"),
        number(callback, "times"),
        text(callback, "reason").to_owned(),
        text(callback, "source").to_owned(),
        text(callback, "order").to_owned(),
    ]
}
