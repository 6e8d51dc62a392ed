//! Client of a project's API, for a command that calls Sinch itself.

use std::path::Path;
use std::time::Duration;

use super::command_error::CommandError;
use super::{file, shown};
use crate::app;
use crate::config::{Api, Callbacks, ProjectAccess, SecretsPlace, SinchAccess};
use number_order::Id;
use sinch_numbers::api::Client;

/// Options of every command that calls Sinch.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Id of the Sinch project; needed where several are configured.
    #[arg(long, value_name = "ID")]
    pub project: Option<String>,
    /// Print one JSON value, in Sinch's own words, for programs; a failure is one too.
    #[arg(long)]
    pub json: bool,
}

/// Project that a command is about.
#[derive(Debug)]
pub(super) struct Project {
    /// Path at which the service takes the project's callbacks.
    pub path: String,
    /// Place of the secrets of the project's callbacks.
    pub secrets: SecretsPlace,
    /// Client of the project's API.
    pub client: Client,
    /// Maximum time for a request with its answer.
    pub request_timeout: Duration,
}

/// Loads the addresses and access keys from the configuration, and makes the client of the project that a command is
/// about: the named one, or the only one. It needs no database, and no secret of callbacks.
///
/// # Errors
///
/// Fails if the configuration has faults, if it does not say which project is meant, or if that project's API is off.
pub(super) fn open(config: Option<&Path>, project: Option<&str>) -> Result<Project, CommandError> {
    open_named(config, "--project", project)
}

/// Makes the client as [`open`] does, for a command that takes the project in another argument.
pub(super) fn open_named(
    config: Option<&Path>,
    argument: &str,
    project: Option<&str>,
) -> Result<Project, CommandError> {
    let access = SinchAccess::load(file(config).as_deref(), std::env::vars_os())?;
    let found = choose_project(&access.projects, argument, project)?;
    match &found.api {
        Api::On(credentials) => Ok(Project {
            path: found.path.clone(),
            secrets: found.secrets.clone(),
            client: app::client(&found.id, credentials, &access.sinch)?,
            request_timeout: access.sinch.request_timeout,
        }),
        Api::Off => Err(CommandError::configuration(format!(
            "project {} has api = \"off\", so Sinch is never called for it; say api = \"on\", with key_id and key_secret",
            found.id
        ))),
    }
}

/// Returns the URL at which the service takes the callbacks of a project with this path; `None` if the configuration
/// does not say how Sinch reaches the service.
///
/// # Errors
///
/// Fails if `[callbacks]` has faults.
pub(super) fn callback_url(
    config: Option<&Path>,
    path: &str,
) -> Result<Option<String>, CommandError> {
    let callbacks = Callbacks::load(file(config).as_deref(), std::env::vars_os())?;
    Ok(callbacks.public_url.map(|url| format!("{url}{path}")))
}

fn choose_project<'a>(
    projects: &'a [ProjectAccess],
    argument: &str,
    named: Option<&str>,
) -> Result<&'a ProjectAccess, CommandError> {
    match (named, projects) {
        (None, [only]) => Ok(only),
        (None, _) => {
            let ids = projects.iter().map(|project| project.id.as_str());
            Err(which_project(argument, &ids.collect::<Vec<_>>()))
        }
        (Some(named), _) => {
            let found = projects.iter().find(|project| project.id.as_str() == named);
            found.ok_or_else(|| {
                CommandError::usage(format!(
                    "{argument}: {} is not configured; configured: {}",
                    shown::quoted(named),
                    list_ids(projects)
                ))
            })
        }
    }
}

/// Returns the failure where several projects are configured and the argument is needed that names one.
pub(super) fn which_project(argument: &str, ids: &[&str]) -> CommandError {
    CommandError::usage(format!(
        "several projects are configured; say which by {argument}: {}",
        ids.join(", ")
    ))
}

fn list_ids(projects: &[ProjectAccess]) -> String {
    let ids: Vec<&str> = projects.iter().map(|project| project.id.as_str()).collect();
    ids.join(", ")
}

/// Reads the id of a project or an order.
///
/// # Errors
///
/// Fails if the text could not stand in a path.
pub(super) fn id(what: &str, text: &str) -> Result<Id, CommandError> {
    Id::new(text).ok_or_else(|| {
        let text = shown::quoted(text);
        CommandError::usage(format!("{what}: {text} is no id"))
    })
}
