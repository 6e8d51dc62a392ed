//! `tail`: the story of all orders or of one, live, from the feed of events.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::command_error::{self, CommandError};
use super::events::row;
use super::invocation::Invocation;
use super::operators::ServiceError;
use super::output::{self, print_error};
use super::service::{Options, Service, list, path_with, print_json, read, text, time};
use super::table::Table;
use super::{lookup, moment};
use crate::clock;
use number_order::Time;

/// Time for which the service is asked to wait for events.
const WAIT: Duration = Duration::from_secs(30);

/// Pause before a service that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Number of events of a page.
const PAGE_SIZE: &str = "1000";

/// Arguments of `tail`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only of this order: its id, or any part of one of its numbers. What happened before is told first.
    #[arg(value_name = "ORDER")]
    order: Option<String>,
    /// Id of the Sinch project to which the order belongs; needed where several have an order of that id.
    #[arg(long, value_name = "ID", requires = "order")]
    project: Option<String>,
    /// Begin with what happened at this time, such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// What of the feed is told.
struct Wanted {
    /// Project and id of the order.
    order: Option<(String, String)>,
    since: Option<Time>,
}

/// Prints events as they are recorded, until the command is stopped.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(tail(config, &arguments).await, arguments.options.json)
}

async fn tail(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let since = arguments.since.as_deref();
    let since = since.map(|since| moment::read(since, clock::now()).map_err(CommandError::usage));
    let since = since.transpose()?;
    let service = Service::of_configuration(config)?;
    let project = arguments.project.as_deref();
    let order = match &arguments.order {
        None => None,
        Some(named) => {
            let known = lookup::order(&service, project, named).await?;
            let known = known.into_one(&Invocation::new(config, project))?;
            let known: Value = read(&known)?;
            Some((
                text(&known, "project").to_owned(),
                text(&known, "order").to_owned(),
            ))
        }
    };
    let looks_back = since.is_some() || order.is_some();
    let wanted = Wanted { order, since };
    follow(&service, &wanted, looks_back, arguments.options.json).await
}

/// Prints the events that are wanted. A service that does not answer any more is asked again until it does.
async fn follow(
    service: &Service,
    wanted: &Wanted,
    looks_back: bool,
    json: bool,
) -> Result<(), CommandError> {
    let mut after = looks_back.then(|| "oldest".to_owned());
    let mut table = Table::new(["NUMBER", "TIME", "TYPE", "ORDER", "STATE", "ABOUT"]);
    let (mut is_first, mut is_lost) = (true, false);
    while output::is_taken() {
        let answer = match page(service, after.as_deref(), is_first).await {
            Ok(answer) => answer,
            Err(error) if !is_first && error.is_passing() => {
                if !is_lost {
                    print_error(format_args!("{error}; asking again until it answers"));
                }
                is_lost = true;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => return Err(CommandError::service(format!("not told: {error}"))),
        };
        if is_lost {
            print_error("the service answers again");
        }
        (is_first, is_lost) = (false, false);
        let page: Value = read(&answer)?;
        let events = list(&page, "events").iter();
        let events: Vec<&Value> = events.filter(|event| wanted.has(event)).collect();
        if json {
            for event in events {
                print_json(&event.to_string());
            }
        } else {
            table.print(events.into_iter().map(row).collect());
        }
        after = Some(page["next"].to_string());
    }
    Ok(())
}

/// Asks for a page. The first request does not wait: it tells where the feed is, so that nothing is missed later.
async fn page(
    service: &Service,
    after: Option<&str>,
    is_first: bool,
) -> Result<String, ServiceError> {
    let wait = WAIT.as_secs().to_string();
    let params = [
        ("after", after),
        ("provisional", Some("true")),
        ("limit", Some(PAGE_SIZE)),
        ("wait", (!is_first).then_some(wait.as_str())),
    ];
    let path = path_with("/api/v1/events", &params);
    service.get_waiting(&path, WAIT).await
}

impl Wanted {
    fn has(&self, event: &Value) -> bool {
        let data = &event["data"];
        let is_of_order = self.order.as_ref().is_none_or(|(project, order)| {
            text(data, "project") == project && text(data, "order") == order
        });
        let is_late_enough = self
            .since
            .is_none_or(|since| time(event, "timestamp") >= Some(since));
        is_of_order && is_late_enough
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_is_told() {
        let event = json!({
            "timestamp": "2026-01-31T12:00:00Z", "data": {"project": "p", "order": "o1"},
        });
        let is_told = |order: Option<(&str, &str)>, since: Option<&str>| {
            let order = order.map(|(project, order)| (project.to_owned(), order.to_owned()));
            let since = since.map(|at| moment::read(at, Time(0)).expect("a time"));
            Wanted { order, since }.has(&event)
        };
        assert!(is_told(None, None));
        assert!(is_told(Some(("p", "o1")), Some("2026-01-31T12:00:00Z")));
        assert!(!is_told(Some(("p", "o2")), None));
        assert!(!is_told(Some(("q", "o1")), None));
        assert!(!is_told(None, Some("2026-01-31T12:00:01Z")));
    }
}
