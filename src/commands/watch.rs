//! `watch`: makes orders known to the running service, so that their state is asked for even if no
//! callback ever comes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;

use super::{FAILURE, configuration, misconfigured, operators};
use crate::config::Config;
use crate::order::Id;

/// The exit code for arguments that make no sense, as clap has it.
const USAGE: u8 = 2;

/// A long list takes its time.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What can be said on the command line.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The Sinch project that the orders belong to; needed where several are configured.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// A list of orders: one a line, CSV with the id first, or NDJSON; - is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "orders")]
    file: Option<PathBuf>,
    /// The orders' ids.
    #[arg(value_name = "ORDER", required_unless_present = "file")]
    orders: Vec<String>,
}

/// Makes the orders known.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let config = match configuration(config) {
        Ok(loaded) => loaded.config,
        Err(errors) => return misconfigured(&errors),
    };
    let (project, list) = match read(&config, &arguments) {
        Ok(read) => read,
        Err(reason) => {
            eprintln!("sinch-callbacks: {reason}");
            return ExitCode::from(USAGE);
        }
    };
    let path = format!("/api/v1/orders/{project}");
    let sent = operators::send(&config.operators, Method::POST, &path, list, TIMEOUT);
    let reason = match sent.await {
        Ok(response) if response.status().is_success() => {
            println!("{}", response.text().await.unwrap_or_default());
            return ExitCode::SUCCESS;
        }
        Ok(response) => response.text().await.unwrap_or_default(),
        Err(reason) => reason,
    };
    eprintln!("sinch-callbacks: not watched: {reason}");
    ExitCode::from(FAILURE)
}

fn read(config: &Config, arguments: &Arguments) -> Result<(Id, Vec<u8>), String> {
    let project = match (&arguments.project, &config.projects[..]) {
        (Some(project), _) => Id::new(project).ok_or("--project: not the id of a project")?,
        (None, [only]) => only.id.clone(),
        (None, _) => {
            return Err("several projects are configured: say which with --project".to_owned());
        }
    };
    let list = match &arguments.file {
        None => arguments.orders.join("\n").into_bytes(),
        Some(file) if file.as_os_str() == "-" => read_all(std::io::stdin().lock(), file)?,
        Some(file) => {
            let opened = std::fs::File::open(file);
            read_all(
                opened.map_err(|error| format!("{}: {error}", file.display()))?,
                file,
            )?
        }
    };
    Ok((project, list))
}

fn read_all(mut from: impl std::io::Read, file: &Path) -> Result<Vec<u8>, String> {
    let mut list = Vec::new();
    from.read_to_end(&mut list)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(list)
}
