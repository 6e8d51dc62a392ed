//! `actions`: what operators had the service do, with who and when.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::moment::{Moment, Period};
use super::output::print_line;
use super::service::{Options, Service, list, path_with, print_json, read, second, text};
use super::table::Table;

/// Number of actions that are shown unless another is asked for.
const SHOWN: &str = "50";

/// Arguments of `actions`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only of this caller, by the name of the token.
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Only at this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only before this time, written as for --since.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Number of actions to show, the newest of those that fit.
    #[arg(long, value_name = "N", default_value = SHOWN)]
    limit: String,
    #[command(flatten)]
    options: Options,
}

/// Prints the newest recorded actions, oldest first.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(show(config, &arguments).await, arguments.options.json)
}

async fn show(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let period = Period::between(arguments.since.as_ref(), arguments.until.as_ref())?;
    let service = Service::of_configuration(config)?;
    let [since, until] = period.params();
    let params = [
        ("caller", arguments.caller.as_deref()),
        since,
        until,
        ("limit", Some(arguments.limit.as_str())),
        ("sort", Some("newest")),
    ];
    let answer = service.get(&path_with("/api/v1/actions", &params)).await?;
    let page: Value = read(&answer)?;
    let actions: Vec<&Value> = list(&page, "items").iter().rev().collect();
    if arguments.options.json {
        print_json(&json!({ "items": actions }).to_string());
        return Ok(());
    }
    if actions.is_empty() {
        print_line("No action is recorded.");
    }
    let head = ["TIME", "CALLER", "ACTION", "BODY", "ANSWER"];
    Table::new(head).print(actions.into_iter().map(row).collect());
    Ok(())
}

fn row(action: &Value) -> [String; 5] {
    let caller = text(action, "caller");
    let ended = match action["status"].as_u64() {
        Some(status) => status.to_string(),
        None => "not known".to_owned(),
    };
    [
        second(action, "acted_at"),
        if caller.is_empty() {
            "(no token needed)"
        } else {
            caller
        }
        .to_owned(),
        format!("{} {}", text(action, "method"), text(action, "path")),
        text(action, "body").to_owned(),
        ended,
    ]
}
