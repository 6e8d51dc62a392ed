//! `order show`: what the running service knows of an order, and on request Sinch's reasons.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{reasons, story};
use crate::commands::command_error::CommandError;
use crate::commands::invocation::Invocation;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::{file, operators, shown};
use crate::config::Operators;
use number_order::Id;
use sinch_numbers::api::Registration;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `order show`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the order.
    #[arg(value_name = "ORDER")]
    order: String,
    /// Ask Sinch for the messages of its review team and the documents of the order. They can name persons: they are
    /// printed here and kept nowhere.
    #[arg(long)]
    reasons: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the order. Without `--reasons` the command needs only the service's address and token from the configuration.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let order = project_client::id("ORDER", &arguments.order)?;
    let path = match &arguments.options.project {
        None => format!("/api/v1/orders/{order}"),
        Some(project) => {
            let project = project_client::id("--project", project)?;
            format!("/api/v1/orders/{project}/{order}")
        }
    };
    let service = Operators::load(file(config).as_deref(), std::env::vars_os())?;
    let answer = operators::find(&service, &path, TIMEOUT).await;
    let answer = answer.map_err(|reason| CommandError::service(format!("not shown: {reason}")))?;
    let known = answer.ok_or_else(|| unknown(config, arguments, &order))?;
    let registration = if arguments.reasons {
        Some(registration(config, &order, &known).await?)
    } else {
        None
    };
    if arguments.options.json {
        print_line(shown::json(&as_json(&known, registration.as_ref())?));
        return Ok(());
    }
    story::print(&read(&known)?, arguments.reasons);
    if let Some(registration) = &registration {
        print_line("");
        reasons::print(registration);
    }
    Ok(())
}

/// Returns the error of an order that the service does not know, with the command that makes it known.
fn unknown(config: Option<&Path>, arguments: &Arguments, order: &Id) -> CommandError {
    let project = arguments.options.project.as_deref();
    let watch = Invocation::new(config, project).command(&["watch", order.as_str()]);
    CommandError::service(format!(
        "not shown: the service does not know this order. Check its id; if Sinch has such an order, make it known: {watch}"
    ))
}

fn read<'a, T: serde::Deserialize<'a>>(known: &'a str) -> Result<T, CommandError> {
    let unreadable =
        |_| CommandError::failure("the service's answer is no JSON; is it this program?");
    serde_json::from_str(known).map_err(unreadable)
}

/// Asks Sinch for the registration of the order, with the key of the project to which the service says it belongs.
async fn registration(
    config: Option<&Path>,
    order: &Id,
    known: &str,
) -> Result<Registration, CommandError> {
    let known: Value = read(known)?;
    let project = project_client::open(config, known["project"].as_str())?;
    Ok(project.client.get_registration(order).await?.content)
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
