//! `alerts`: what is wrong with the service, and the orders that an operator should see to in time, with what to do.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::invocation::Invocation;
use super::output::print_line;
use super::service::{Options, Service, list, print_json, read, second, text};
use super::shown;
use super::table::Table;

/// Arguments of `alerts`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// Prints the alerts that fire.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let json = arguments.options.json;
    command_error::ended(show(config, json).await, json)
}

async fn show(config: Option<&Path>, json: bool) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let answer = service.get("/status").await?;
    let status: Value = read(&answer)?;
    let alerts = list(&status, "alerts");
    let counts = &status["orders_needing_attention"];
    if json {
        let of_service = list(&status, "service_alerts");
        let shown = json!({ "items": alerts, "counts": counts, "service": of_service });
        print_json(&shown.to_string());
        return Ok(());
    }
    let of_service = list(&status, "service_alerts").iter().map(service_row);
    Table::new(["ABOUT", "SINCE", "ALERT, AS IT FIRED"]).print(of_service.collect());
    if alerts.is_empty() {
        print_line("No order needs attention.");
    }
    let invocation = Invocation::new(config, None);
    let head = ["ORDER", "ALERT", "SINCE", "EXPIRES", "WHAT TO DO"];
    let rows = alerts.iter().map(|alert| row(alert, &invocation));
    Table::new(head).print(rows.collect());
    let total: u64 = counts
        .as_object()
        .map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum());
    if total > alerts.len() as u64 {
        let all = invocation.command(&["orders", "--all", "--alert"]);
        print_line(shown::line(&format!(
            "These are the most urgent of {total}; all of a kind: {all} KIND"
        )));
    }
    Ok(())
}

fn service_row(alert: &Value) -> [String; 3] {
    let project = text(alert, "project");
    [
        if project.is_empty() {
            "the service"
        } else {
            project
        }
        .to_owned(),
        second(alert, "fired_at"),
        text(&alert["alert"], "text").to_owned(),
    ]
}

fn row(alert: &Value, invocation: &Invocation) -> [String; 5] {
    let order = text(alert, "order");
    [
        order.to_owned(),
        text(&alert["alert"], "text").to_owned(),
        second(alert, "since"),
        second(alert, "expires_at"),
        what_to_do(text(&alert["alert"], "code"), order, invocation),
    ]
}

fn what_to_do(alert: &str, order: &str, invocation: &Invocation) -> String {
    match alert {
        "expiring" => "submit it: order place FORM".to_owned(),
        "overdue" => "order anew: Sinch lets the number go".to_owned(),
        "long-blocked" => invocation.command(&["order", "show", order, "--reasons"]),
        "long-in-review" => "ask Sinch's support".to_owned(),
        _ => invocation.command(&["order", "show", order]),
    }
}
