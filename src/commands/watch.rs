//! `watch`: makes orders known to the running service, so that their state is fetched even if no callback ever comes.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::command_error::{self, CommandError};
use super::file;
use super::file_fault::FileFault;
use super::operators::{self, ServiceError};
use super::project_client::which_project;
use super::service::{list, print_json, read, text};
use super::shown::quoted;
use crate::config::Operators;
use crate::files::{read_limited, read_to_limit};
use crate::http::operators::IMPORT_MAX_BYTES;
use number_order::{Id, entered};

/// Maximum time for one request to the service: a long list of orders takes a while.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of a list, which the service takes.
const LIST_MAX_BYTES: u64 = IMPORT_MAX_BYTES as u64;

/// Arguments of `watch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project to which the orders belong; needed where several are configured.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// File with a list of orders: one per line, CSV with the id first, or NDJSON; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "orders")]
    file: Option<PathBuf>,
    /// Ids of the orders.
    #[arg(value_name = "ORDER", required_unless_present = "file")]
    orders: Vec<String>,
}

/// Makes the named orders known to the service. The command needs only the service's address and token from the
/// configuration.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(watch(config, &arguments).await, false)
}

async fn watch(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let service = Operators::load(file(config).as_deref(), std::env::vars_os())?;
    let (path, list) = request_of(arguments).map_err(CommandError::usage)?;
    let watched = operators::send(&service, Method::POST, &path, list, REQUEST_TIMEOUT).await;
    let watched = match watched {
        Ok(watched) => watched,
        Err(error) if error.is_conflict() && arguments.project.is_none() => {
            return Err(refused(&service, error).await);
        }
        Err(error) => return Err(not_watched(error)),
    };
    read::<Watched>(&watched)?;
    print_json(&watched);
    Ok(())
}

/// What of the answer shows that it is the service's.
#[derive(Deserialize)]
struct Watched {
    #[serde(rename = "orders")]
    _orders: u64,
}

/// Returns the failure where the service refuses orders of no named project. If several are configured, it names them.
async fn refused(service: &Operators, error: ServiceError) -> CommandError {
    let path = "/api/v1/projects";
    let listed = operators::send(service, Method::GET, path, Vec::new(), REQUEST_TIMEOUT).await;
    let listed: Value = match listed
        .map_err(CommandError::from)
        .and_then(|text| read(&text))
    {
        Ok(listed) => listed,
        Err(_) => return not_watched(error),
    };
    let projects = list(&listed, "items").iter();
    let configured = projects.filter(|project| project["configured"] == true);
    let ids: Vec<&str> = configured.map(|project| text(project, "project")).collect();
    if ids.len() > 1 {
        which_project("--project", &ids)
    } else {
        not_watched(error)
    }
}

fn not_watched(error: ServiceError) -> CommandError {
    CommandError::from(error).about("not watched")
}

/// Returns the path of the request to the service, and the list of orders to send.
fn request_of(arguments: &Arguments) -> Result<(String, Vec<u8>), String> {
    let path = match &arguments.project {
        None => "/api/v1/orders".to_owned(),
        Some(text) => {
            let project = Id::new(text)
                .ok_or_else(|| format!("--project: {} is no project's id", quoted(text)))?;
            format!("/api/v1/orders/{project}")
        }
    };
    let list = match &arguments.file {
        None => {
            for order in &arguments.orders {
                entered(order).map_err(|why| format!("{} is {why}", quoted(order)))?;
            }
            arguments.orders.join("\n").into_bytes()
        }
        Some(file) => {
            let list = if file.as_os_str() == "-" {
                read_to_limit(std::io::stdin().lock(), LIST_MAX_BYTES)
            } else {
                read_limited(file, LIST_MAX_BYTES)
            };
            list.map_err(|error| unread(file, error))?
        }
    };
    Ok((path, list))
}

fn unread(file: &Path, error: Error) -> String {
    let fault = match error.kind() {
        ErrorKind::FileTooLarge => format!("{error}; send it in parts"),
        ErrorKind::InvalidInput => {
            format!("{error}; write it there, or pipe it in with --file -")
        }
        _ => FileFault::from(error).to_string(),
    };
    format!("{}: {fault}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_regular_file_of_the_size_that_the_service_takes() {
        let list = tempfile::NamedTempFile::new().expect("a file");
        let read = |path: &Path| {
            request_of(&Arguments {
                project: None,
                file: Some(path.to_owned()),
                orders: Vec::new(),
            })
        };
        std::fs::write(list.path(), vec![b'x'; IMPORT_MAX_BYTES]).expect("written");
        let (_, bytes) = read(list.path()).expect("is read");
        assert_eq!(bytes.len(), IMPORT_MAX_BYTES);
        std::fs::write(list.path(), vec![b'x'; IMPORT_MAX_BYTES + 1]).expect("written");
        let error = read(list.path()).expect_err("is too large");
        assert!(
            error.ends_with(": more than 4194304 bytes; send it in parts"),
            "{error}"
        );
        let error = read(Path::new("/dev/null")).expect_err("is no file");
        assert!(
            error.starts_with("/dev/null: not a regular file; "),
            "{error}"
        );
    }
}
