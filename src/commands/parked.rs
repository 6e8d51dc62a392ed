//! `parked`: orders that are not fetched any more, and callbacks that were not understood, with what cures them.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::invocation::Invocation;
use super::orders::state;
use super::output::print_line;
use super::pages::Pages;
use super::service::{Options, Service, print_json, second, text};
use super::shown;
use super::table::Table;

/// Arguments of `parked`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Print the body of this callback, as it came.
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
            Some(delivery) => print_body(&service, delivery, arguments.options.json).await,
            None => print_lists(&service, config, &arguments).await,
        }
    };
    command_error::ended(shown.await, arguments.options.json)
}

async fn print_body(service: &Service, delivery: u64, json: bool) -> Result<(), CommandError> {
    let body = service
        .get(&format!("/api/v1/deliveries/{delivery}/body"))
        .await;
    let body = body.map_err(|error| CommandError::service(format!("not shown: {error}")))?;
    if json {
        print_json(&json!({ "delivery": delivery, "body": body }).to_string());
    } else {
        print_line(shown::lines(&body));
    }
    Ok(())
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
        print_line("Callbacks that were not understood:");
        let head = ["DELIVERY", "RECEIVED", "ORDER", "REASON"];
        Table::new(head).print(deliveries.iter().map(delivery_row).collect());
        print_cures(&[
            ("read one", invocation.command(&["parked", "DELIVERY"])),
            (
                "process them anew",
                invocation.command(&["replay", "--all"]),
            ),
            (
                "dismiss one",
                invocation.command(&["dismiss", "deliveries", "DELIVERY"]),
            ),
        ]);
    }
    Ok(())
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
