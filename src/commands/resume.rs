//! `resume`: a project's orders are fetched again at once, since the operator has removed what stopped it.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use super::command_error::{self, CommandError};
use super::output::print_line;
use super::project_client::id;
use super::service::{Options, Service, print_json};

/// Arguments of `resume`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project.
    #[arg(value_name = "PROJECT")]
    project: String,
    #[command(flatten)]
    options: Options,
}

/// Makes the running service close the project's circuit.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(resume(config, &arguments).await, arguments.options.json)
}

async fn resume(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let project = id("PROJECT", &arguments.project)?;
    let service = Service::of_configuration(config)?;
    let path = format!("/api/v1/projects/{project}/resume");
    let resumed = service.post(&path, None).await;
    resumed.map_err(|error| CommandError::service(format!("not resumed: {error}")))?;
    if arguments.options.json {
        print_json(&json!({ "resumed": project.as_str() }).to_string());
    } else {
        print_line(format_args!(
            "the orders of {project} are fetched again now"
        ));
    }
    Ok(())
}
