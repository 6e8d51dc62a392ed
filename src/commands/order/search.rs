//! `order search`: numbers that can be had.

use std::path::Path;

use crate::commands::command_error::CommandError;
use crate::commands::output::{print_error, print_line};
use crate::commands::project_client::{self, Options};
use crate::commands::selection::{self, Pattern, Product};
use crate::commands::shown;
use crate::commands::table::Table;
use crate::commands::words::{amount, interval, said};
use sinch_numbers::api::{AvailableNumber, Capability, NumberSearch};

/// Arguments of `order search`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    product: Product,
    #[command(flatten)]
    pattern: Pattern,
    /// Capability that a number must have: SMS or VOICE; can be repeated.
    #[arg(long = "capability", value_name = "WORD", value_parser = selection::capability)]
    capabilities: Vec<Capability>,
    /// Maximum number of numbers; without it, Sinch decides.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the numbers that are found.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let Options { project, json } = &arguments.options;
    let project = project_client::open(config, project.as_deref())?;
    if let Some(warning) = arguments.pattern.warning() {
        print_error(warning);
    }
    let search = NumberSearch {
        region_code: arguments.product.region.clone(),
        number_type: arguments.product.number_type.clone(),
        capabilities: arguments.capabilities.clone(),
        number_pattern: arguments.pattern.number_pattern(),
        size: arguments.size,
    };
    let answer = project.client.search_available_numbers(&search).await?;
    if *json {
        print_line(shown::json(answer.content.object().json()));
        return Ok(());
    }
    let numbers = answer.content.numbers();
    if numbers.is_empty() {
        print_line(format_args!(
            "No {} number of region {} that fits can be had at present; search with fewer conditions, or see \
             `order regions`.",
            arguments.product.number_type.as_str(),
            arguments.product.region,
        ));
        return Ok(());
    }
    let head = [
        "NUMBER",
        "TYPE",
        "CAPABILITIES",
        "SET-UP",
        "MONTHLY",
        "PAID EVERY",
    ];
    Table::new(head).print(numbers.iter().map(row).collect());
    print_line("A search reserves no number, and the next one may find others.");
    Ok(())
}

fn row(number: &AvailableNumber) -> [String; 6] {
    [
        said(&number.phone_number()),
        said(&number.number_type()),
        number.capabilities().join(", "),
        amount(number.setup_price().as_ref()),
        amount(number.monthly_price().as_ref()),
        interval(number.payment_interval_months()),
    ]
}
