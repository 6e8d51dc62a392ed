//! `drop-project`: removes what is left of a project that is no longer configured.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use super::output::{print_error, print_line};
use super::{FAILURE, file, misconfigured, operators};
use crate::config::Operators;
use crate::store::Holdings as Counted;
use number_order::{Id, counted};

/// Maximum time for one request to the service. The service removes rows for some seconds, and then counts those that
/// are left.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `drop-project`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project.
    #[arg(value_name = "ID")]
    project: String,
    /// Remove; without it, only say how much there is.
    #[arg(long)]
    yes: bool,
}

/// Number of a project's rows, as the service answers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
struct Holdings {
    orders: u64,
    deliveries: u64,
    quarantined: u64,
    placements: u64,
}

/// The holdings in words.
impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holdings {
            orders,
            deliveries,
            quarantined,
            placements,
        } = self;
        write!(
            f,
            "{}, {}, {} and {}",
            counted_up(*orders, "order", "orders"),
            counted_up(*deliveries, "delivery", "deliveries"),
            counted(
                *quarantined,
                "quarantined callback",
                "quarantined callbacks"
            ),
            counted(*placements, "placement", "placements")
        )
    }
}

/// Returns a number of rows in words. The service counts these up to a limit.
fn counted_up(number: u64, one: &str, several: &str) -> String {
    if number < Counted::COUNT_MAX {
        counted(number, one, several)
    } else {
        format!("{number} or more {several}")
    }
}

/// Answer of the service about a project.
#[derive(Deserialize)]
struct Project {
    configured: bool,
    #[serde(flatten)]
    holdings: Holdings,
}

/// Answer of the service to a request that removes rows: what is left.
#[derive(Deserialize)]
struct Dropped {
    left: Holdings,
}

/// Reports the size of a project's holdings, or removes them.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let service = match Operators::load(file(config).as_deref(), std::env::vars_os()) {
        Ok(service) => service,
        Err(errors) => return misconfigured(&errors),
    };
    let done = match Id::new(arguments.project) {
        None => Err("it cannot be the id of a project".to_owned()),
        Some(project) if arguments.yes => remove_all(&service, &project).await,
        Some(project) => describe_holdings(&service, &project).await,
    };
    match done {
        Ok(sentence) => {
            print_line(&sentence);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            print_error(format_args!("not dropped: {reason}"));
            ExitCode::from(FAILURE)
        }
    }
}

fn project_path(project: &Id) -> String {
    format!("/api/v1/projects/{project}")
}

async fn describe_holdings(service: &Operators, project: &Id) -> Result<String, String> {
    let answer = operators::send(
        service,
        Method::GET,
        &project_path(project),
        Vec::new(),
        REQUEST_TIMEOUT,
    )
    .await?;
    let found: Project = parse_answer(&answer)?;
    let next = if found.configured {
        "the project is configured: take it out of the configuration and restart first"
    } else {
        "nothing is removed yet; with --yes all of it is, and cannot be brought back"
    };
    Ok(format!("{project} has {}; {next}", found.holdings))
}

/// Sends requests until nothing is left. If a request fails, some rows are left, and the request can be sent again.
async fn remove_all(service: &Operators, project: &Id) -> Result<String, String> {
    loop {
        let answer = operators::send(
            service,
            Method::DELETE,
            &project_path(project),
            Vec::new(),
            REQUEST_TIMEOUT,
        )
        .await?;
        let left = parse_answer::<Dropped>(&answer)?.left;
        if left == Holdings::default() {
            return Ok(format!("all of {project} is removed"));
        }
        print_line(format_args!("{left} are left"));
    }
}

fn parse_answer<T: serde::de::DeserializeOwned>(answer: &str) -> Result<T, String> {
    serde_json::from_str(answer)
        .map_err(|_| format!("the service's answer cannot be read: {answer}"))
}
