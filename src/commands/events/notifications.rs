//! `events notifications`: which target was told which event, and what became of it.

use serde_json::Value;

use super::Options;
use super::service::{Service, number, print_json, text};
use super::targets::types;
use crate::commands::command_error::CommandError;
use crate::commands::moment::{Moment, Period};
use crate::commands::output::print_line;
use crate::commands::pages::full_page;
use crate::commands::table::Table;

/// Arguments of `events notifications`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only of this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only in this phase; parked ones were not taken in any attempt.
    #[arg(long, value_name = "PHASE", value_parser = ["waiting", "delivered", "parked"])]
    phase: Option<String>,
    /// Only of events of this type.
    #[arg(long = "type", value_name = "TYPE", value_parser = types())]
    event_type: Option<String>,
    /// Only of events of this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only of events before this time, written as for --since.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The newest first, else the oldest.
    #[arg(long)]
    newest: bool,
    /// Maximum number of notifications.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where an earlier list ended: its `next`.
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints a page of notifications.
pub(super) async fn run(service: &Service, arguments: &Arguments) -> Result<(), CommandError> {
    let period = Period::between(arguments.since.as_ref(), arguments.until.as_ref())?;
    let [since, until] = period.params();
    let params = [
        ("target", arguments.target.as_deref()),
        ("phase", arguments.phase.as_deref()),
        ("type", arguments.event_type.as_deref()),
        since,
        until,
        ("sort", arguments.newest.then_some("newest")),
        ("after", arguments.after.as_deref()),
    ];
    let limit = arguments.limit as usize;
    let page = full_page(service, "/api/v1/notifications", &params, limit).await?;
    if arguments.options.json {
        print_json(&page.to_string());
        return Ok(());
    }
    let rows = page["items"].as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        print_line("There is no notification that fits.");
    }
    let head = [
        "ID", "TARGET", "EVENT", "TYPE", "ORDER", "PHASE", "ATTEMPTS", "LAST", "FAILURE",
    ];
    Table::new(head).print(rows.iter().map(row).collect());
    if let Some(next) = page["next"].as_str() {
        print_line(format_args!("There may be more: --after {next}"));
    }
    Ok(())
}

fn row(notification: &Value) -> [String; 9] {
    [
        number(notification, "id"),
        text(notification, "target").to_owned(),
        number(notification, "sequence"),
        text(notification, "type").to_owned(),
        text(notification, "order").to_owned(),
        text(notification, "phase").to_owned(),
        number(notification, "attempts"),
        text(notification, "attempted_at").to_owned(),
        text(&notification["failure"], "text").to_owned(),
    ]
}
