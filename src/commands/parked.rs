//! `parked`: orders that are not fetched any more, and callbacks that changed no order, with what cures them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::invocation::Invocation;
use super::orders::state;
use super::output::print_line;
use super::pages::Pages;
use super::parked_delivery::{self, Cure};
use super::service::{Options, Service, print_json, second, text};
use super::table::Table;

/// Arguments of `parked`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Print the story of this callback, and its body, as it came.
    #[arg(value_name = "DELIVERY")]
    delivery: Option<u64>,
    /// Only of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Also what an operator has dismissed.
    #[arg(long)]
    dismissed: bool,
    #[command(flatten)]
    options: Options,
}

/// Prints what is parked.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let shown = async {
        let service = Service::of_configuration(config)?;
        match arguments.delivery {
            Some(delivery) => {
                let invocation = Invocation::new(config, None);
                let json = arguments.options.json;
                parked_delivery::print(&service, delivery, json, &invocation).await
            }
            None => print_lists(&service, config, &arguments).await,
        }
    };
    command_error::ended(shown.await, arguments.options.json)
}

async fn print_lists(
    service: &Service,
    config: Option<&Path>,
    arguments: &Arguments,
) -> Result<(), CommandError> {
    let project = ("project", arguments.project.as_deref());
    let orders = vec![project, ("parked", Some("true"))];
    let mut orders = Pages::new(service, "/api/v1/orders", orders).all().await?;
    let deliveries = vec![project, ("phase", Some("parked"))];
    let mut deliveries = Pages::new(service, "/api/v1/deliveries", deliveries)
        .all()
        .await?;
    if !arguments.dismissed {
        let is_open = |row: &Value| row["dismissed_at"].is_null();
        orders.retain(is_open);
        deliveries.retain(is_open);
    }
    if arguments.options.json {
        print_json(&json!({ "orders": orders, "deliveries": deliveries }).to_string());
        return Ok(());
    }
    let invocation = Invocation::new(config, None);
    if orders.is_empty() && deliveries.is_empty() {
        print_line("Nothing is parked.");
    }
    if !orders.is_empty() {
        print_line("Orders that are not fetched any more:");
        let head = ["ORDER", "STATE", "LAST FETCH", "REASON"];
        Table::new(head).print(orders.iter().map(order_row).collect());
        print_cures(&[
            (
                "fetch them again",
                invocation.command(&["fetch", "--parked"]),
            ),
            (
                "dismiss one",
                invocation.command(&["dismiss", "orders", "ORDER"]),
            ),
        ]);
    }
    if !deliveries.is_empty() {
        print_line("Callbacks that changed no order:");
        let head = ["DELIVERY", "RECEIVED", "ORDER", "REASON"];
        Table::new(head).print(deliveries.iter().map(delivery_row).collect());
        let cures = delivery_cures(&deliveries).into_iter();
        let cures = cures.map(|(what, command)| (what, invocation.command(&command)));
        print_cures(&cures.collect::<Vec<_>>());
    }
    Ok(())
}

/// Returns what can be done about these callbacks. What cannot be cured is not offered to be processed again.
fn delivery_cures(deliveries: &[Value]) -> Vec<(&'static str, Vec<&str>)> {
    let mut cures = vec![("see one", vec!["parked", "DELIVERY"])];
    let codes: BTreeSet<&str> = deliveries
        .iter()
        .map(|delivery| text(&delivery["decision"], "code"))
        .collect();
    let replay = |code| vec!["replay", "--decision", code];
    for code in codes {
        match Cure::of(code) {
            Cure::ApiOn => cures.push((
                "process them anew once their project says api = \"on\"",
                replay(code),
            )),
            Cure::RowRepaired => {
                cures.push(("process them anew once the row is repaired", replay(code)));
            }
            Cure::None => {}
        }
    }
    let dismiss = vec!["dismiss", "deliveries", "DELIVERY"];
    cures.push(("dismiss one that you have seen to", dismiss));
    cures
}

fn print_cures(cures: &[(&str, String)]) {
    for (what, command) in cures {
        print_line(format_args!("    to {what}: {command}"));
    }
}

fn order_row(order: &Value) -> [String; 4] {
    [
        text(order, "order").to_owned(),
        state(order).to_owned(),
        second(order, "fetched_at"),
        text(&order["parked"], "text").to_owned(),
    ]
}

fn delivery_row(delivery: &Value) -> [String; 4] {
    [
        delivery["id"].to_string(),
        second(delivery, "received_at"),
        text(delivery, "order").to_owned(),
        text(&delivery["decision"], "text").to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_replay_can_cure_is_offered_for_one() {
        let parked = |codes: &[&str]| {
            let rows = codes.iter().map(|code| json!({"decision": {"code": code}}));
            rows.collect::<Vec<_>>()
        };
        let offered = |codes: &[&str]| {
            let parked = parked(codes);
            let cures = delivery_cures(&parked).into_iter();
            let commands = cures.map(|(_, command)| command.join(" "));
            commands.collect::<Vec<_>>()
        };
        let (first, last) = ("parked DELIVERY", "dismiss deliveries DELIVERY");
        let none = [first, last];
        assert_eq!(offered(&["body-not-json", "property-missing"]), none);
        assert_eq!(
            offered(&["body-not-json", "api-off", "api-off", "order-unreadable"]),
            [
                first,
                "replay --decision api-off",
                "replay --decision order-unreadable",
                last
            ]
        );
    }
}
