//! `events redrive`: notifications that a target did not take are sent again.

use clap::ArgGroup;
use serde_json::{Map, Value};

use super::Options;
use super::service::{Service, print_json, read};
use super::targets::types;
use crate::commands::command_error::CommandError;
use crate::commands::moment::{Moment, Period};
use crate::commands::output::print_line;
use number_order::counted;

/// Arguments of `events redrive`. Something has to choose, so that nobody sends everything again by mistake.
#[derive(clap::Args, Debug)]
#[command(group = ArgGroup::new("choice").required(true).multiple(true).args(["id", "target", "event_type", "since", "until", "all"]))]
pub struct Arguments {
    /// Only this notification, whichever its phase is; `events notifications` shows the ids.
    #[arg(long, value_name = "ID")]
    id: Option<i64>,
    /// Only those of this target.
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only those of events of this type.
    #[arg(long = "type", id = "event_type", value_name = "TYPE", value_parser = types())]
    event_type: Option<String>,
    /// Only those of events of this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or
    /// 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only those of events before this time, written as for --since.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// All that are in the phase.
    #[arg(long)]
    all: bool,
    /// Those that are parked, which is usual, or those that were delivered.
    #[arg(long, value_name = "PHASE", value_parser = ["parked", "delivered"])]
    phase: Option<String>,
    /// Send nothing: only say how many there are.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Makes the notifications wait again that fit, or counts them.
pub(super) async fn run(service: &Service, arguments: &Arguments) -> Result<(), CommandError> {
    let path = "/api/v1/notifications/redrive";
    let answer = service.post(path, Some(&body(arguments)?)).await;
    let answer = answer.map_err(|error| CommandError::service(format!("not sent: {error}")))?;
    if arguments.options.json {
        print_json(&answer);
        return Ok(());
    }
    let answer: Value = read(&answer)?;
    let notifications = answer["notifications"].as_u64().unwrap_or_default();
    print_line(if arguments.dry_run {
        let fit = counted(notifications, "notification fits", "notifications fit");
        format!("{fit}; nothing is sent yet: leave --dry-run out")
    } else {
        let sent = counted(notifications, "notification is", "notifications are");
        format!("{sent} sent again, as the targets allow")
    });
    Ok(())
}

fn body(arguments: &Arguments) -> Result<Value, CommandError> {
    let mut body = Map::new();
    let period = Period::between(arguments.since.as_ref(), arguments.until.as_ref())?;
    let [since, until] = period.params();
    let texts = [
        ("target", arguments.target.as_deref()),
        ("type", arguments.event_type.as_deref()),
        since,
        until,
        ("phase", arguments.phase.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            body.insert(name.to_owned(), text.into());
        }
    }
    if let Some(id) = arguments.id {
        body.insert("id".to_owned(), id.into());
    }
    body.insert("all".to_owned(), arguments.all.into());
    body.insert("dry_run".to_owned(), arguments.dry_run.into());
    Ok(body.into())
}
