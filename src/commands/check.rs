//! `check`: all that `serve` makes sure of at its start, each with its verdict and its cure.

use std::path::Path;
use std::process::ExitCode;

use super::{CONFIG, configuration, start_code};
use crate::app::{self, StartError};
use crate::config::{Api, Config};
use crate::store;

/// Makes the checks and changes nothing. The exit code is that of the gravest fault, by the codes that
/// `serve` ends with.
pub async fn run(config: Option<&Path>) -> ExitCode {
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => {
            for line in errors.lines() {
                println!("FAILED  configuration: {line}");
            }
            return ExitCode::from(CONFIG);
        }
    };
    println!("ok      configuration");
    for warning in &loaded.warnings {
        println!("unwise  configuration: {warning}");
    }
    let mut code = 0;
    for (what, verdict) in verdicts(&loaded.config).await {
        match verdict {
            Ok(()) => println!("ok      {what}"),
            Err(error) => {
                println!("FAILED  {what}: {error}");
                code = start_code(&error).max(code);
            }
        }
    }
    ExitCode::from(code)
}

async fn verdicts(config: &Config) -> Vec<(String, Result<(), StartError>)> {
    let settings = app::store_settings(config);
    let verdict = store::check(&settings).await.map_err(StartError::from);
    let mut verdicts = vec![(format!("database {}", settings.path.display()), verdict)];
    let listeners = [
        ("callbacks.listen", config.callbacks.listen),
        ("operators.listen", config.operators.listen),
    ];
    // Kept until the end, so that two listeners on one address are found out.
    let mut bound = Vec::new();
    for (key, address) in listeners {
        let verdict = app::bind(key, address).map(|listener| bound.push(listener));
        verdicts.push((format!("{key} {address}"), verdict));
    }
    for project in &config.projects {
        if let Api::On(credentials) = &project.api {
            let verdict = app::client(&project.id, credentials, &config.sinch).map(drop);
            verdicts.push((format!("API client of project {}", project.id), verdict));
        }
    }
    verdicts
}
