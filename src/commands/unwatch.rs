//! `unwatch`: removes orders from the running service that were named to it by mistake.

use std::path::Path;
use std::process::ExitCode;

use super::acted_on::{check_names, order_to_act_on};
use super::command_error::CommandError;
use super::output::{print_error, print_line};
use super::service::Service;
use super::shown;

/// Arguments of `unwatch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project to which the orders belong; needed where several have an order of that id.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Ids of the orders, or whole numbers of them, such as +61491570156.
    #[arg(value_name = "ORDER", required = true)]
    orders: Vec<String>,
}

/// Removes from the service each named order by itself, and reports the outcome for each.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let service = match Service::of_configuration(config) {
        Ok(service) => service,
        Err(error) => return error.report_in_words(),
    };
    let project = arguments.project.as_deref();
    if let Err(error) = check_names(project, &arguments.orders) {
        return error.report_in_words();
    }
    let mut code = 0;
    for order in &arguments.orders {
        match remove_order(&service, project, order).await {
            Ok(()) => print_line(shown::line(&format!("{order}: removed"))),
            Err(reason) => {
                print_error(shown::line(&format!("{order}: not removed: {reason}")));
                code = code.max(reason.exit_code());
            }
        }
    }
    ExitCode::from(code)
}

async fn remove_order(
    service: &Service,
    project: Option<&str>,
    order: &str,
) -> Result<(), CommandError> {
    let found = order_to_act_on(service, project, order).await?;
    Ok(service.delete(&found.path()).await?)
}
