//! `order regions`: regions in which the project can get numbers.

use std::path::Path;

use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::selection;
use crate::commands::shown;
use crate::commands::table::Table;
use crate::commands::words::said;
use sinch_numbers::api::{NumberType, Region};

/// Arguments of `order regions`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Only regions that have numbers of this type: mobile, local or toll-free; can be repeated.
    #[arg(long = "type", value_name = "TYPE", value_parser = selection::number_type)]
    types: Vec<NumberType>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the regions.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let Options { project, json } = &arguments.options;
    let project = project_client::open(config, project.as_deref())?;
    let answer = project.client.list_regions(&arguments.types).await?;
    if *json {
        print_line(shown::json(answer.content.object().json()));
        return Ok(());
    }
    let regions = answer.content.regions();
    if regions.is_empty() {
        print_line("Sinch names no region in which this project can get such numbers.");
    }
    Table::new(["REGION", "NAME", "TYPES"]).print(regions.iter().map(row).collect());
    Ok(())
}

fn row(region: &Region) -> [String; 3] {
    [
        said(&region.region_code()),
        said(&region.region_name()),
        region.types().join(", "),
    ]
}
