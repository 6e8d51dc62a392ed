//! `status`: what an operator must know in one screen, what needs attention first, each with what cures it.

mod callbacks;
mod orders;
mod screen;
#[cfg(test)]
mod tests;
mod trouble;

use std::path::Path;
use std::process::ExitCode;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use self::trouble::{Found, Trouble};
use super::command_error::CommandError;
use super::invocation::Invocation;
use super::output::print_line;
use super::service::{Options, Service, list, read, text};
use super::{ATTENTION, shown};
use crate::clock;

/// Arguments of `status`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// Prints how the running service stands. The exit code says if something needs attention.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let json = arguments.options.json;
    let shown = show(config, json).await;
    shown.unwrap_or_else(|error| error.report(json))
}

async fn show(config: Option<&Path>, json: bool) -> Result<ExitCode, CommandError> {
    let service = Service::of_configuration(config)?;
    let invocation = Invocation::new(config, None);
    let answer = service.get("/status").await?;
    let status: Value = read(&answer)?;
    let found = Found {
        unready: unready(&service).await?,
        not_configured: not_configured(&service, &status).await?,
        now: clock::now(),
        status: &status,
    };
    let troubles = found.troubles();
    if json {
        print_json(&answer, &troubles, &invocation)?;
    } else {
        screen::print(&found, &troubles, &invocation);
    }
    Ok(if troubles.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(ATTENTION)
    })
}

/// Asks why the service is not ready; `None` if it is.
async fn unready(service: &Service) -> Result<Option<String>, CommandError> {
    match service.get("/readyz").await {
        Ok(_) => Ok(None),
        Err(error) if error.is_unavailable() => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Returns the projects that have orders which are not fetched because the configuration does not have the project any more.
/// For others the configuration says that they are not.
async fn not_configured(service: &Service, status: &Value) -> Result<Vec<String>, CommandError> {
    let not_fetched = with_orders_not_fetched(status);
    if not_fetched.is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value = read(&service.get("/api/v1/projects").await?)?;
    let projects = list(&answer, "items").iter();
    let projects = projects.filter(|project| project["configured"] == false);
    let names = projects.map(|project| text(project, "project").to_owned());
    Ok(names
        .filter(|name| not_fetched.contains(&name.as_str()))
        .collect())
}

/// Returns the projects that have orders which are not fetched. Of one without any, nothing needs attention.
fn with_orders_not_fetched(status: &Value) -> Vec<&str> {
    let counts = status["orders_not_fetched"]
        .as_object()
        .into_iter()
        .flatten();
    let some = counts.filter(|(_, orders)| orders.as_u64().is_some_and(|orders| orders > 0));
    some.map(|(project, _)| project.as_str()).collect()
}

fn print_json(
    answer: &str,
    troubles: &[Trouble],
    invocation: &Invocation,
) -> Result<(), CommandError> {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        attention: Vec<Value>,
        status: &'a RawValue,
    }
    let attention = troubles.iter().map(|trouble| {
        let cures = trouble.cures.iter().map(|cure| cure.in_words(invocation));
        let cures: Vec<String> = cures.collect();
        json!({ "code": trouble.code, "text": trouble.text, "cures": cures })
    });
    let shown = Shown {
        attention: attention.collect(),
        status: read(answer)?,
    };
    let text = serde_json::to_string(&shown);
    let text = text.map_err(|error| CommandError::failure(error.to_string()))?;
    print_line(shown::json(&text));
    Ok(())
}
