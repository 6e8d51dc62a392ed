//! `events list`: the feed, to its end or on and on.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Options;
use super::service::{Service, number, path_with, read, text};
use crate::commands::command_error::CommandError;
use crate::commands::operators::ServiceError;
use crate::commands::output::{self, print_error, print_line};
use crate::commands::shown;
use crate::commands::table::Table;

/// Time for which the service is asked to wait for events.
const WAIT: Duration = Duration::from_secs(30);

/// Pause before a service that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Number of events of a page.
const PAGE_SIZE: &str = "500";

/// Arguments of `events list`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only events after the one with this number; without it, from the oldest that is kept, and with --follow from now
    /// on.
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Only events of these types, such as order.*,number.ready.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    /// Also events about states that Sinch has not confirmed.
    #[arg(long)]
    provisional: bool,
    /// Go on with events as they are recorded, until you stop the command.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Page of the feed.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    next: i64,
    feed: &'a str,
}

/// Output of the events, in one of its forms.
enum Printer {
    /// A table, for people.
    Table(Table<6>),
    /// One JSON value for each event, a line each.
    Lines,
    /// One JSON value with all events. The text stands before the next event.
    Whole(&'static str),
}

/// Prints events until the end of the feed, or until the command is stopped.
pub(super) async fn run(
    service: &Service,
    arguments: &Arguments,
) -> Result<ExitCode, CommandError> {
    let mut printer = Printer::new(arguments);
    let start = arguments.after.map(|number| number.to_string());
    let mut after = match start {
        None if arguments.follow => None,
        start => Some(start.unwrap_or_else(|| "oldest".to_owned())),
    };
    let mut feed: Option<String> = None;
    let mut is_first = true;
    while output::is_taken() {
        let answer = match page(service, arguments, after.as_deref(), feed.as_deref()).await {
            Ok(answer) => answer,
            Err(error) if arguments.follow && !is_first && error.is_passing() => {
                print_error(format_args!("{error}; asking again"));
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => {
                let error = CommandError::service(format!("not listed: {error}"));
                // A JSON value that was begun stays without an end, so that a part does not pass for the whole.
                let is_begun = !is_first && arguments.options.json;
                return if is_begun {
                    Ok(error.report_in_words())
                } else {
                    Err(error)
                };
            }
        };
        let page: Page = read(&answer)?;
        if is_first && let Printer::Whole(_) = printer {
            print_line("{\"events\":[");
        }
        is_first = false;
        printer.print(&page.events)?;
        let next = page.next.to_string();
        // A feed of which nothing more was looked at is at its end.
        let is_end = after.as_ref() == Some(&next);
        after = Some(next);
        feed = Some(page.feed.to_owned());
        if is_end && !arguments.follow {
            printer.end(page.next);
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn page(
    service: &Service,
    arguments: &Arguments,
    after: Option<&str>,
    feed: Option<&str>,
) -> Result<String, ServiceError> {
    let provisional = arguments.provisional.then_some("true");
    // The first request tells where the feed is, so that nothing is missed while it is down.
    let waits = arguments.follow && after.is_some();
    let wait = WAIT.as_secs().to_string();
    let params = [
        ("after", after),
        ("feed", feed),
        ("types", arguments.types.as_deref()),
        ("provisional", provisional),
        ("limit", Some(PAGE_SIZE)),
        ("wait", waits.then_some(wait.as_str())),
    ];
    let path = path_with("/api/v1/events", &params);
    service.get_waiting(&path, WAIT).await
}

impl Printer {
    fn new(arguments: &Arguments) -> Printer {
        match (arguments.options.json, arguments.follow) {
            (false, _) => Printer::Table(Table::new([
                "NUMBER", "TIME", "TYPE", "ORDER", "STATE", "ABOUT",
            ])),
            (true, true) => Printer::Lines,
            (true, false) => Printer::Whole(""),
        }
    }

    fn print(&mut self, events: &[&RawValue]) -> Result<(), CommandError> {
        match self {
            Printer::Table(table) => {
                let rows = events.iter().map(|event| Ok(row(&read(event.get())?)));
                table.print(rows.collect::<Result<_, CommandError>>()?);
            }
            Printer::Lines => {
                for event in events {
                    print_line(shown::json(event.get()));
                }
            }
            Printer::Whole(before) => {
                for event in events {
                    print_line(format_args!("{before}{}", shown::json(event.get())));
                    *before = ",";
                }
            }
        }
        Ok(())
    }

    fn end(&self, next: i64) {
        if let Printer::Whole(_) = self {
            print_line(format_args!("],\"next\":{next}}}"));
        }
    }
}

/// Returns the row of an event in tables.
pub(in crate::commands) fn row(event: &Value) -> [String; 6] {
    let data = &event["data"];
    let confirmed = data["confirmed"].as_bool();
    let is_about_order = data["order"].is_string();
    let project = if is_about_order {
        String::new()
    } else {
        with_name("project", text(data, "project"))
    };
    let about = [
        project.as_str(),
        text(data, "phone_number"),
        text(&data["alert"], "text"),
        match confirmed {
            Some(false) => "not confirmed",
            _ => "",
        },
    ];
    let about: Vec<&str> = about.into_iter().filter(|part| !part.is_empty()).collect();
    [
        number(event, "sequence"),
        text(event, "timestamp").to_owned(),
        text(event, "type").to_owned(),
        text(data, "order").to_owned(),
        text(data, "state").to_owned(),
        about.join(", "),
    ]
}

/// Returns a value with its name before it; nothing, if there is none.
fn with_name(name: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    format!("{name} {value}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_what_happened_to_what() {
        let event = json!({
            "sequence": 7, "timestamp": "2026-01-31T12:00:00Z", "type": "number.ready",
            "data": { "order": "o1", "state": "COMPLETED", "confirmed": true, "phone_number": "+61400000001" },
        });
        assert_eq!(
            row(&event),
            [
                "7",
                "2026-01-31T12:00:00Z",
                "number.ready",
                "o1",
                "COMPLETED",
                "+61400000001"
            ]
            .map(str::to_owned)
        );
        let claimed = json!({ "data": { "confirmed": false } });
        assert_eq!(row(&claimed)[5], "not confirmed");
        let alert =
            json!({ "data": { "project": "p1", "alert": { "text": "2 orders are parked" } } });
        assert_eq!(row(&alert)[5], "project p1, 2 orders are parked");
        let of_service = json!({ "data": { "project": null, "alert": { "text": "x" } } });
        assert_eq!(row(&of_service)[5], "x");
    }
}
