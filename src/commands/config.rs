//! `config show`: the configuration as it is in force, each value with where it came from.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::configuration;
use super::output::print_line;
use super::service::{Options, Service, list, print_json, read, text};
use super::table::Table;
use super::words::UNSAID;

/// Commands about the configuration.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Show the running service's configuration, without secrets: each value with where it came from.
    Show(Arguments),
}

/// Arguments of `config show`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Show what a start or a reload would read now, from the file and this environment; the service need not run.
    #[arg(long)]
    next: bool,
    /// Only what is set, without what has its default.
    #[arg(long)]
    set: bool,
    #[command(flatten)]
    options: Options,
}

/// Runs the command.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    let Command::Show(arguments) = command;
    command_error::ended(show(config, &arguments).await, arguments.options.json)
}

async fn show(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let answer = if arguments.next {
        let loaded = configuration(config)?;
        json!({ "settings": loaded.config.in_force })
    } else {
        let service = Service::of_configuration(config)?;
        let answer = service.get("/api/v1/configuration").await;
        read(&answer.map_err(|error| CommandError::service(format!("not shown: {error}")))?)?
    };
    let settings = list(&answer, "settings").iter();
    let shown = settings.filter(|setting| !arguments.set || setting["source"] != "default");
    let shown: Vec<&Value> = shown.collect();
    if arguments.options.json {
        print_json(&json!({ "settings": shown }).to_string());
        return Ok(());
    }
    if shown.is_empty() {
        print_line("Nothing is set.");
    }
    let rows = shown.into_iter().map(row);
    Table::new(["KEY", "VALUE", "FROM"]).print(rows.collect());
    Ok(())
}

fn row(setting: &Value) -> [String; 3] {
    let from = setting["place"].as_str();
    let from = from.unwrap_or(match setting["value"].as_str() {
        Some(_) => "default",
        None => "not set",
    });
    [
        text(setting, "key").to_owned(),
        setting["value"].as_str().unwrap_or(UNSAID).to_owned(),
        from.to_owned(),
    ]
}
