//! `orders`: the orders that the running service knows, by filters.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use super::command_error::{self, CommandError};
use super::order_filter::OrderFilter;
use super::output::print_line;
use super::pages::{Pages, full_page};
use super::service::{Options, Service, list, print_json, second, text};
use super::shown;
use super::table::Table;

const PATH: &str = "/api/v1/orders";

/// Arguments of `orders`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    filter: OrderFilter,
    /// The newest first, else the oldest.
    #[arg(long)]
    newest: bool,
    /// Maximum number of orders.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where an earlier list ended: its `next`.
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// List all of them, page by page.
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    all: bool,
    #[command(flatten)]
    options: Options,
}

/// Prints orders.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let listed = async {
        let service = Service::of_configuration(config)?;
        if arguments.all {
            print_all(&service, &arguments).await
        } else {
            print_page(&service, &arguments).await
        }
    };
    command_error::ended(listed.await, arguments.options.json)
}

async fn print_page(service: &Service, arguments: &Arguments) -> Result<(), CommandError> {
    let mut params = arguments.filter.params();
    params.extend([
        ("sort", arguments.newest.then_some("newest")),
        ("after", arguments.after.as_deref()),
    ]);
    let page = full_page(service, PATH, &params, arguments.limit as usize).await?;
    if arguments.options.json {
        print_json(&page.to_string());
        return Ok(());
    }
    let rows = list(&page, "items");
    if rows.is_empty() {
        print_line("There is no order that fits.");
    }
    let mut table = head();
    table.print(rows.iter().map(row).collect());
    print_unreadable(&page);
    if let Some(next) = page["next"].as_str() {
        print_line(format_args!("There may be more: --after {next}, or --all"));
    }
    Ok(())
}

/// Prints all orders: as rows of one table, or as one JSON value of which each order is a line.
async fn print_all(service: &Service, arguments: &Arguments) -> Result<(), CommandError> {
    let mut params = arguments.filter.params();
    params.push(("sort", arguments.newest.then_some("newest")));
    let mut pages = Pages::new(service, PATH, params);
    let json = arguments.options.json;
    let (mut table, mut before, mut unreadable) = (head(), "", Vec::new());
    let mut is_begun = false;
    loop {
        let page = match pages.next().await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            // A JSON value that was begun stays without an end, so that a part does not pass for the whole.
            Err(error) if is_begun => return Err(CommandError::told(error.to_string())),
            Err(error) => return Err(error),
        };
        if json && !is_begun {
            print_line("{\"items\":[");
        }
        is_begun = true;
        let rows = list(&page, "items");
        if json {
            for row in rows {
                print_line(format_args!("{before}{}", shown::json(&row.to_string())));
                before = ",";
            }
            unreadable.extend_from_slice(list(&page, "unreadable"));
        } else {
            table.print(rows.iter().map(row).collect());
            print_unreadable(&page);
        }
    }
    if json {
        let unreadable = shown::json(&Value::from(unreadable).to_string());
        print_line(format_args!(
            "],\"next\":null,\"unreadable\":{unreadable}}}"
        ));
    }
    Ok(())
}

fn head() -> Table<8> {
    Table::new([
        "ORDER",
        "STATE",
        "STANDS",
        "REGION",
        "TYPE",
        "NUMBERS",
        "NEXT FETCH",
        "PROJECT",
    ])
}

/// Prints rows that belong on the page and cannot be read.
fn print_unreadable(page: &Value) {
    for row in list(page, "unreadable") {
        print_line(shown::line(&format!(
            "order {} cannot be read: {}",
            row["order"], row["reason"]
        )));
    }
}

/// Returns the row of an order in tables.
fn row(order: &Value) -> [String; 8] {
    let numbers = list(order, "numbers").iter();
    let numbers: Vec<&str> = numbers.map(|number| text(number, "phone_number")).collect();
    [
        text(order, "order").to_owned(),
        state(order).to_owned(),
        stands(order).to_owned(),
        text(order, "region").to_owned(),
        text(order, "number_type").to_owned(),
        numbers.join(", "),
        second(order, "fetch_at"),
        text(order, "project").to_owned(),
    ]
}

/// Returns an order's state, also where none was ever said.
pub(super) fn state(order: &Value) -> &str {
    order["state"].as_str().unwrap_or("UNKNOWN")
}

/// Returns a word for how far an order's state is to be believed.
fn stands(order: &Value) -> &'static str {
    if !order["parked"].is_null() {
        "parked"
    } else if order["settled"] == true {
        "settled"
    } else if order["confirmed"] == order["state"] && !order["state"].is_null() {
        "open"
    } else {
        "claimed"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_how_far_a_state_is_to_be_believed() {
        for (order, expected) in [
            (
                json!({"state": "BLOCKED", "confirmed": "BLOCKED", "settled": true}),
                ["BLOCKED", "settled"],
            ),
            (
                json!({"state": "BLOCKED", "confirmed": "BLOCKED", "settled": false}),
                ["BLOCKED", "open"],
            ),
            (
                json!({"state": "BLOCKED", "confirmed": "IN_REVIEW", "settled": false}),
                ["BLOCKED", "claimed"],
            ),
            (
                json!({"state": null, "confirmed": null, "settled": false}),
                ["UNKNOWN", "claimed"],
            ),
            (
                json!({"state": "CREATED", "confirmed": "CREATED", "parked": {"code": "x"}}),
                ["CREATED", "parked"],
            ),
        ] {
            assert_eq!(row(&order)[1..3], expected.map(str::to_owned), "{order}");
        }
    }
}
