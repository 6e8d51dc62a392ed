//! `order show`: what the running service knows of an order, and on request Sinch's reasons.

use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

use super::next::next_fetch_at;
use super::waits::Fetches;
use super::{reasons, story};
use crate::clock;
use crate::commands::command_error::CommandError;
use crate::commands::invocation::Invocation;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::service::{Service, read};
use crate::commands::{lookup, shown};
use sinch_numbers::api::Registration;

/// Arguments of `order show`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the order, or any part of one of its numbers.
    #[arg(value_name = "ORDER")]
    order: String,
    /// Ask Sinch for the messages of its review team and the documents of the order. They can name persons: they are
    /// printed here and kept nowhere.
    #[arg(long)]
    reasons: bool,
    /// Show all that happened and all that was told, not only the last of it.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the order. Without `--reasons` the command needs only the service's address and token from the configuration.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let project = arguments.options.project.as_deref();
    let service = Service::of_configuration(config)?;
    let invocation = Invocation::new(config, project);
    let known = lookup::order(&service, project, &arguments.order).await?;
    let known = known.into_one(&invocation)?;
    let registration = if arguments.reasons {
        Some(registration(config, &known).await?)
    } else {
        None
    };
    if arguments.options.json {
        print_line(shown::json(&as_json(&known, registration.as_ref())?));
        return Ok(());
    }
    let order: Value = read(&known)?;
    let status = if next_fetch_at(&order).is_some() {
        read(&service.get("/status").await?)?
    } else {
        Value::Null
    };
    let fetches = Fetches {
        status: &status,
        now: clock::now(),
        invocation: &invocation,
    };
    let shown = story::Shown {
        reasons: arguments.reasons,
        all: arguments.all,
    };
    story::print(&order, &shown, &fetches);
    if let Some(registration) = &registration {
        print_line("");
        reasons::print(registration);
    }
    Ok(())
}

/// Asks Sinch for the registration of the order, with the key of the project to which the service says it belongs.
async fn registration(config: Option<&Path>, known: &str) -> Result<Registration, CommandError> {
    let known: Value = read(known)?;
    let order = project_client::id("ORDER", known["order"].as_str().unwrap_or_default())?;
    let project = project_client::open(config, known["project"].as_str())?;
    Ok(project.client.get_registration(&order).await?.content)
}

/// Returns what the service knows, beside what Sinch says: logs and attachments alone. The registered data is not taken.
fn as_json(known: &str, registration: Option<&Registration>) -> Result<String, CommandError> {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        order: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        logs: Option<Vec<Box<RawValue>>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        attachments: Option<Vec<Box<RawValue>>>,
    }
    let raw = |json: &str| RawValue::from_string(json.to_owned());
    let list = |objects: Vec<&str>| {
        objects
            .into_iter()
            .filter_map(|json| raw(json).ok())
            .collect()
    };
    let (logs, attachments) = registration
        .map(|found| (found.logs(), found.attachments()))
        .unzip();
    let shown = Shown {
        order: read(known)?,
        logs: logs
            .as_ref()
            .map(|logs| list(logs.iter().map(|log| log.object().json()).collect())),
        attachments: attachments
            .as_ref()
            .map(|files| list(files.iter().map(|file| file.object().json()).collect())),
    };
    let unreadable = |error: serde_json::Error| CommandError::failure(error.to_string());
    serde_json::to_string(&shown).map_err(unreadable)
}
