//! `prune --dry-run`: what retention removes now, or would remove by other periods.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::command_error::{self, CommandError};
use super::moment;
use super::output::print_line;
use super::service::{Options, Service, list, path_with, print_json, read, second, text};
use super::table::Table;

/// Reason why the command removes nothing.
const BY_ITSELF: &str = "prune: the service prunes by itself, every half minute, what has been kept for its period; write \
                         --dry-run to see what that is, or change [retention] in the configuration and reload";

const DAY_SECS: f64 = 86_400.0;

/// Arguments of `prune`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only say what would be removed. Without it the command is refused: the service prunes by itself.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    periods: Periods,
    #[command(flatten)]
    options: Options,
}

/// Periods that are tried instead of those in force.
#[derive(clap::Args, Debug)]
struct Periods {
    /// Try another period for raw bodies, such as 12h or 7d.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    bodies: Option<Duration>,
    /// Try another period for deliveries and fetches.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    deliveries: Option<Duration>,
    /// Try another period for parked deliveries.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    parked: Option<Duration>,
    /// Try another period for the quarantine.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    quarantine: Option<Duration>,
    /// Try another period for events and alerts about the service.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    events: Option<Duration>,
    /// Try another period for closed orders and actions.
    #[arg(long, value_name = "SPAN", value_parser = moment::span)]
    orders: Option<Duration>,
}

impl Periods {
    /// Returns the keys of the configuration of the periods that are tried, with their values in days.
    fn tried(&self) -> Vec<(&'static str, String)> {
        let periods = [
            ("bodies_days", self.bodies),
            ("deliveries_days", self.deliveries),
            ("parked_days", self.parked),
            ("quarantine_days", self.quarantine),
            ("events_days", self.events),
            ("orders_days", self.orders),
        ];
        let tried = periods.into_iter().filter_map(|(key, period)| {
            let days = period?.as_secs_f64() / DAY_SECS;
            Some((key, days.to_string()))
        });
        tried.collect()
    }
}

/// Prints what retention keeps of each kind, and what of it is due.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(show(config, &arguments).await, arguments.options.json)
}

async fn show(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    if !arguments.dry_run {
        return Err(CommandError::usage(BY_ITSELF));
    }
    let service = Service::of_configuration(config)?;
    let tried = arguments.periods.tried();
    let params = tried.iter().map(|(key, days)| (*key, Some(days.as_str())));
    let params: Vec<_> = params.collect();
    let answer = service
        .get(&path_with("/api/v1/retention", &params))
        .await?;
    if arguments.options.json {
        print_json(&answer);
        return Ok(());
    }
    let report: Value = read(&answer)?;
    let head = [
        "KIND",
        "PERIOD",
        "KEPT",
        "DUE",
        "OLDEST",
        "WHY THE OLDEST STAYS",
    ];
    Table::new(head).print(list(&report, "items").iter().map(row).collect());
    print_line("");
    if tried.is_empty() {
        print_line("Nothing was removed. The service removes by itself, bit by bit, what is due.");
    } else {
        let keys = tried.iter().map(|(key, days)| format!("{key} = {days}"));
        let keys = keys.collect::<Vec<_>>().join(", ");
        print_line(format_args!(
            "Nothing was removed. These periods are in force once [retention] in the configuration has {keys}, after a reload."
        ));
    }
    Ok(())
}

fn row(item: &Value) -> [String; 6] {
    let (days, in_force) = (&item["days"], &item["days_in_force"]);
    let period = if days == in_force {
        in_days(days)
    } else {
        format!("{} (in force: {})", in_days(days), in_days(in_force))
    };
    [
        text(item, "kind").to_owned(),
        period,
        count(&item["rows"]),
        count(&item["due"]),
        second(item, "oldest_at"),
        text(&item["stays"], "text").to_owned(),
    ]
}

fn in_days(days: &Value) -> String {
    let days = days.as_f64().unwrap_or_default();
    // A period of a minute is not a whole number of days.
    match ((days * 1e5).round() / 1e5).to_string().as_str() {
        "1" => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn count(rows: &Value) -> String {
    let count = rows["count"].as_u64().unwrap_or_default();
    match text(rows, "precision") {
        "about" => format!("about {count}"),
        "at-least" => format!("at least {count}"),
        _ => count.to_string(),
    }
}
