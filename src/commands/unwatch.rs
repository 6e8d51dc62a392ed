//! `unwatch`: removes orders from the running service that were named to it by mistake.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::output::{print_error, print_line};
use super::{FAILURE, file, misconfigured, operators};
use crate::config::Operators;
use number_order::Id;

/// Maximum time for one request to the service.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `unwatch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project to which the orders belong; needed where several have an order of that id.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// Ids of the orders.
    #[arg(value_name = "ORDER", required = true)]
    orders: Vec<String>,
}

/// Removes from the service each named order by itself, and reports the outcome for each.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let service = match Operators::load(file(config).as_deref(), std::env::vars_os()) {
        Ok(service) => service,
        Err(errors) => return misconfigured(&errors),
    };
    let mut code = ExitCode::SUCCESS;
    for order in &arguments.orders {
        match remove_order(&service, arguments.project.as_deref(), order).await {
            Ok(()) => print_line(format_args!("{order}: removed")),
            Err(reason) => {
                print_error(format_args!("{order}: not removed: {reason}"));
                code = ExitCode::from(FAILURE);
            }
        }
    }
    code
}

async fn remove_order(
    service: &Operators,
    project: Option<&str>,
    order: &str,
) -> Result<(), String> {
    let order = Id::new(order).ok_or("it cannot be the id of an order")?;
    let project = match project {
        Some(project) => Id::new(project).ok_or("--project cannot be the id of a project")?,
        None => project_of(service, &order).await?,
    };
    let path = format!("/api/v1/orders/{project}/{order}");
    operators::send(service, Method::DELETE, &path, Vec::new(), REQUEST_TIMEOUT).await?;
    Ok(())
}

/// Returns the configured project that has the order, as the service says.
async fn project_of(service: &Operators, order: &Id) -> Result<Id, String> {
    #[derive(Deserialize)]
    struct KnownOrder {
        project: String,
    }
    let path = format!("/api/v1/orders/{order}");
    let answer = operators::send(service, Method::GET, &path, Vec::new(), REQUEST_TIMEOUT).await?;
    let known = serde_json::from_str::<KnownOrder>(&answer).ok();
    let project = known.and_then(|known| Id::new(known.project));
    project.ok_or_else(|| "the service does not say whose order it is".to_owned())
}
