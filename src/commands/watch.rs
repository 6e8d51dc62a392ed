//! `watch`: makes orders known to the running service, so that their state is fetched even if no callback ever comes.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;

use super::file_fault::FileFault;
use super::output::{print_error, print_line};
use super::{FAILURE, USAGE, file, misconfigured, operators};
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
    let service = match Operators::load(file(config).as_deref(), std::env::vars_os()) {
        Ok(service) => service,
        Err(errors) => return misconfigured(&errors),
    };
    let (path, list) = match request_of(&arguments) {
        Ok(read) => read,
        Err(reason) => {
            print_error(reason);
            return ExitCode::from(USAGE);
        }
    };
    match operators::send(&service, Method::POST, &path, list, REQUEST_TIMEOUT).await {
        Ok(watched) => {
            print_line(&watched);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            print_error(format_args!("not watched: {reason}"));
            ExitCode::from(FAILURE)
        }
    }
}

/// Returns the path of the request to the service, and the list of orders to send.
fn request_of(arguments: &Arguments) -> Result<(String, Vec<u8>), String> {
    let path = match &arguments.project {
        None => "/api/v1/orders".to_owned(),
        Some(text) => {
            let project =
                Id::new(text).ok_or_else(|| format!("--project: {text:?} is no project's id"))?;
            format!("/api/v1/orders/{project}")
        }
    };
    let list = match &arguments.file {
        None => {
            for order in &arguments.orders {
                entered(order).map_err(|why| format!("{order:?} is {why}"))?;
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
