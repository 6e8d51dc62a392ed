//! `healthcheck`: asks the running service whether it is ready; for a container's HEALTHCHECK.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;

use super::{FAILURE, configuration, misconfigured, operators};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Succeeds if the service answers that it is ready.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let settings = match configuration(config) {
        Ok(loaded) => loaded.config.operators,
        Err(errors) => return misconfigured(&errors),
    };
    let asked = operators::send(&settings, Method::GET, "/readyz", Vec::new(), TIMEOUT);
    let reason = match asked.await {
        Ok(response) if response.status().is_success() => return ExitCode::SUCCESS,
        Ok(response) => response.text().await.unwrap_or_default(),
        Err(reason) => reason,
    };
    eprintln!("sinch-callbacks: not healthy: {reason}");
    ExitCode::from(FAILURE)
}
