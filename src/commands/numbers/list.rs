//! `numbers list`: the project's numbers, page by page.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::selection::{self, Pattern};
use crate::commands::shown;
use crate::commands::table::Table;
use crate::commands::words::{amount, interval, said};
use sinch_numbers::api::{
    ActiveNumber, ActiveNumbersQuery, Capability, Client, NumberType, OrderBy,
};

/// Number of numbers of a page. Sinch publishes neither a default nor a maximum.
const PAGE_SIZE: u32 = 100;

/// Arguments of `numbers list`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only numbers of this region: two letters, such as AU.
    #[arg(long, value_parser = selection::region)]
    region: Option<String>,
    /// Only numbers of this type: mobile, local or toll-free.
    #[arg(long = "type", value_name = "TYPE", value_parser = selection::number_type)]
    number_type: Option<NumberType>,
    /// Only numbers with this capability: SMS or VOICE; can be repeated.
    #[arg(long = "capability", value_name = "WORD", value_parser = selection::capability)]
    capabilities: Vec<Capability>,
    #[command(flatten)]
    pattern: Pattern,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints every page as it comes. A list that breaks off ends with an error, and its JSON without an end.
pub(super) async fn run(
    config: Option<&Path>,
    arguments: &Arguments,
) -> Result<ExitCode, CommandError> {
    let Options { project, json } = &arguments.options;
    let project = project_client::open(config, project.as_deref())?;
    let query = ActiveNumbersQuery {
        region_code: arguments.region.clone(),
        number_type: arguments.number_type.clone(),
        capabilities: arguments.capabilities.clone(),
        number_pattern: arguments.pattern.number_pattern(),
        page_size: Some(PAGE_SIZE),
        page_token: None,
        order_by: Some(OrderBy::PhoneNumber),
    };
    if *json {
        print_json(&project.client, query).await
    } else {
        print_table(&project.client, query).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn print_table(client: &Client, query: ActiveNumbersQuery) -> Result<(), CommandError> {
    let mut table = Table::new([
        "NUMBER",
        "REGION",
        "TYPE",
        "CAPABILITIES",
        "PRICE",
        "PAID EVERY",
        "NAME",
    ]);
    let mut count = 0;
    for_each_page(client, query, |numbers| {
        count += numbers.len();
        table.print(numbers.iter().map(row).collect());
    })
    .await?;
    if count == 0 {
        print_line("The project has no number that fits.");
    }
    Ok(())
}

async fn print_json(client: &Client, query: ActiveNumbersQuery) -> Result<ExitCode, CommandError> {
    let mut separator = None;
    let printed = for_each_page(client, query, |numbers| {
        if separator.is_none() {
            print_line("{\"activeNumbers\":[");
        }
        let mut before = separator.unwrap_or("");
        for number in numbers {
            let json = shown::json(number.object().json());
            print_line(format_args!("{before}{json}"));
            before = ",";
        }
        separator = Some(before);
    })
    .await;
    match printed {
        Ok(()) => {
            print_line("]}");
            Ok(ExitCode::SUCCESS)
        }
        // The value that was begun stays without an end, so that a part does not pass for the whole.
        Err(error) if separator.is_some() => Ok(error.report_in_words()),
        Err(error) => Err(error),
    }
}

/// Fetches page after page.
///
/// # Errors
///
/// Fails if a page cannot be fetched, or if the pages lead back to one that was fetched before.
async fn for_each_page(
    client: &Client,
    mut query: ActiveNumbersQuery,
    mut see: impl FnMut(&[ActiveNumber]),
) -> Result<(), CommandError> {
    let mut fetched = HashSet::new();
    loop {
        let page = client.list_active_numbers(&query).await?.content;
        see(&page.numbers());
        let Some(token) = page.next_page_token().text().map(str::to_owned) else {
            return Ok(());
        };
        if !fetched.insert(token.clone()) {
            let reason = "the list is incomplete: Sinch's pages lead in a circle; try again later";
            return Err(CommandError::failure(reason));
        }
        query.page_token = Some(token);
    }
}

fn row(number: &ActiveNumber) -> [String; 7] {
    [
        said(&number.phone_number()),
        said(&number.region_code()),
        said(&number.number_type()),
        number.capabilities().join(", "),
        amount(number.recurring_price().as_ref()),
        interval(number.payment_interval_months()),
        number.display_name().text().unwrap_or_default().to_owned(),
    ]
}
