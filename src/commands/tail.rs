//! `tail`: the story of all orders or of one, live or between two times, from the feed of events.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::command_error::{self, CommandError};
use super::events::row;
use super::invocation::Invocation;
use super::lookup;
use super::moment::{Moment, Period};
use super::operators::ServiceError;
use super::output::{self, print_error};
use super::service::{Options, Service, list, path_with, print_json, read, text, time};
use super::table::Table;
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
    /// Begin with what happened at this time, such as 2026-01-31T12:00:00Z, or so long ago, such as 30min, 2h or 3d. Without
    /// it, an order is told from its first event, and all orders from now on.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Tell what happened before this time, written as for --since, and end then.
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    #[command(flatten)]
    options: Options,
}

/// What of the feed is told.
struct Wanted {
    /// Project and id of the order.
    order: Option<(String, String)>,
    since: Option<Time>,
    until: Option<Time>,
}

/// Prints events as they are recorded, until the command is stopped.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(tail(config, &arguments).await, arguments.options.json)
}

async fn tail(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let period = period(arguments)?;
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
    let wanted = Wanted {
        order,
        since: period.since.map(Moment::at),
        until: period.until.map(Moment::at),
    };
    // Without a word, nobody could tell a command that waits from one that hangs.
    if let Some(awaited) = period.awaited(clock::now()) {
        print_error(awaited);
    }
    follow(&service, &wanted, arguments.options.json).await
}

/// Returns the period that is told.
///
/// # Errors
///
/// Fails if it ends before it begins.
fn period(arguments: &Arguments) -> Result<Period<'_>, CommandError> {
    let period = Period::between(arguments.since.as_ref(), arguments.until.as_ref())?;
    let begins_now = period.since.is_none() && arguments.order.is_none();
    if let Some(until) = period.until
        && begins_now
        && until.at() <= clock::now()
    {
        return Err(CommandError::usage(format!(
            "--until {} is over, and without --since the events of all orders are told from now on: say from when by \
             --since, or name an ORDER, which is told from its first event",
            until.written()
        )));
    }
    Ok(period)
}

/// Prints the events that are wanted, to the end of what is wanted. A service that does not answer any more is asked again
/// until it does.
async fn follow(service: &Service, wanted: &Wanted, json: bool) -> Result<(), CommandError> {
    let mut after = wanted.start();
    let mut table = Table::new(["NUMBER", "TIME", "TYPE", "ORDER", "STATE", "ABOUT"]);
    let (mut is_first, mut is_lost) = (true, false);
    while output::is_taken() {
        let is_over = wanted.is_over(clock::now());
        let wait = (!is_first && !is_over).then_some(WAIT);
        let answer = match page(service, wanted, after.as_ref(), wait).await {
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
        let all = list(&page, "events");
        let events: Vec<&Value> = all.iter().filter(|event| wanted.has(event)).collect();
        if json {
            for event in events {
                print_json(&event.to_string());
            }
        } else {
            table.print(events.into_iter().map(row).collect());
        }
        let next = ("after", page["next"].to_string());
        if is_over && (Some(&next) == after.as_ref() || wanted.is_behind(all)) {
            break;
        }
        after = Some(next);
    }
    Ok(())
}

/// Asks for a page that begins where the parameter says. The first request does not wait: it tells where the feed is, so that
/// nothing is missed later.
async fn page(
    service: &Service,
    wanted: &Wanted,
    start: Option<&(&'static str, String)>,
    wait: Option<Duration>,
) -> Result<String, ServiceError> {
    let wait = wait.map(|wait| wait.as_secs().to_string());
    let mut params = vec![
        ("provisional", Some("true")),
        ("order", wanted.order.as_ref().map(|(_, id)| id.as_str())),
        ("limit", Some(PAGE_SIZE)),
        ("wait", wait.as_deref()),
    ];
    params.extend(
        start
            .into_iter()
            .map(|(name, value)| (*name, Some(value.as_str()))),
    );
    let path = path_with("/api/v1/events", &params);
    service.get_waiting(&path, WAIT).await
}

impl Wanted {
    /// Returns the parameter that says where the first page begins; `None`: after the newest event.
    fn start(&self) -> Option<(&'static str, String)> {
        match self.since {
            Some(since) => Some(("since", since.to_string())),
            None => self.order.is_some().then(|| ("after", "oldest".to_owned())),
        }
    }

    /// Returns `true` if nothing that is wanted can happen any more.
    fn is_over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Returns `true` if the events are all later than what is wanted.
    fn is_behind(&self, events: &[Value]) -> bool {
        let is_late = |event| time(event, "timestamp") >= self.until;
        !events.is_empty() && events.iter().all(is_late)
    }

    fn has(&self, event: &Value) -> bool {
        let data = &event["data"];
        let is_of_order = self.order.as_ref().is_none_or(|(project, order)| {
            text(data, "project") == project && text(data, "order") == order
        });
        let is_late_enough = self
            .since
            .is_none_or(|since| time(event, "timestamp") >= Some(since));
        let is_early_enough = self
            .until
            .is_none_or(|until| time(event, "timestamp") < Some(until));
        is_of_order && is_late_enough && is_early_enough
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Time {
        text.parse::<Moment>().expect("a time").at()
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let event = json!({
            "timestamp": "2026-01-31T12:00:00Z", "data": {"project": "p", "order": "o1"},
        });
        let is_told = |order: Option<(&str, &str)>, since: Option<&str>| {
            let order = order.map(|(project, order)| (project.to_owned(), order.to_owned()));
            let since = since.map(at);
            let until = None;
            Wanted {
                order,
                since,
                until,
            }
            .has(&event)
        };
        assert!(is_told(None, None));
        assert!(is_told(Some(("p", "o1")), Some("2026-01-31T12:00:00Z")));
        assert!(!is_told(Some(("p", "o2")), None));
        assert!(!is_told(Some(("q", "o1")), None));
        assert!(!is_told(None, Some("2026-01-31T12:00:01Z")));
    }

    #[test]
    fn what_is_later_ends_it() {
        let wanted = Wanted {
            order: None,
            since: Some(at("2026-01-31T12:00:00Z")),
            until: Some(at("2026-01-31T13:00:00Z")),
        };
        let event = |text: &str| json!({ "timestamp": text, "data": {} });
        let [inside, later] = ["2026-01-31T12:59:59Z", "2026-01-31T13:00:00Z"].map(event);
        assert!(wanted.has(&inside) && !wanted.has(&later));
        assert!(!wanted.is_behind(&[]) && wanted.is_behind(std::slice::from_ref(&later)));
        assert!(!wanted.is_behind(&[later, inside]));
        assert!(wanted.is_over(at("2026-01-31T13:00:00Z")));
        assert!(!wanted.is_over(at("2026-01-31T12:59:59Z")));
    }
}
