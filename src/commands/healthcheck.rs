//! `healthcheck`: asks the running service whether it is ready; for a container's HEALTHCHECK.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;

use super::output::print_error;
use super::{FAILURE, file, misconfigured, operators};
use crate::config::Operators;

/// Maximum time for the request to the service.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Succeeds if the service answers that it is ready. The command needs only the service's address.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let listen = match Operators::address(file(config).as_deref(), std::env::vars_os()) {
        Ok(listen) => listen,
        Err(errors) => return misconfigured(&errors),
    };
    let service = Operators {
        listen,
        token: None,
    };
    match operators::send(
        &service,
        Method::GET,
        "/readyz",
        Vec::new(),
        REQUEST_TIMEOUT,
    )
    .await
    {
        Ok(_) => ExitCode::SUCCESS,
        Err(reason) => {
            print_error(format_args!("not healthy: {reason}"));
            ExitCode::from(FAILURE)
        }
    }
}
