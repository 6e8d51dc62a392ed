//! `events targets`, `events resume` and `events send-test`: the targets, and what an operator does about one.

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};
use strum::VariantArray;

use super::Options;
use super::service::{Service, number, print_json, read, target_path, text};
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::table::Table;
use notifications::EventType;

/// Arguments of `events targets`.
#[derive(clap::Args, Debug)]
pub struct ListArguments {
    #[command(flatten)]
    pub(super) options: Options,
}

/// Arguments of `events resume`.
#[derive(clap::Args, Debug)]
pub struct ResumeArguments {
    /// Name of the target.
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Arguments of `events send-test`.
#[derive(clap::Args, Debug)]
pub struct TestArguments {
    /// Name of the target.
    #[arg(value_name = "TARGET")]
    target: String,
    /// Type of the event.
    #[arg(value_name = "TYPE", value_parser = types())]
    event_type: String,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Returns the parser of a type of events.
pub(super) fn types() -> PossibleValuesParser {
    PossibleValuesParser::new(EventType::VARIANTS.iter().map(|one| one.name()))
}

/// Prints the targets.
pub(super) async fn list(service: &Service, json: bool) -> Result<(), CommandError> {
    let answer = service.get("/api/v1/targets").await;
    let answer = answer.map_err(|error| CommandError::service(format!("not listed: {error}")))?;
    if json {
        print_json(&answer);
        return Ok(());
    }
    let answer: Value = read(&answer)?;
    let targets = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    if targets.is_empty() {
        print_line("No target is configured.");
    }
    let head = [
        "TARGET",
        "WAITING",
        "PARKED",
        "OLDEST",
        "LAST SUCCESS",
        "ATTENTION",
        "LAST FAILURE",
    ];
    Table::new(head).print(targets.iter().map(row).collect());
    Ok(())
}

fn row(target: &Value) -> [String; 7] {
    let reasons = target["attention"].as_array().into_iter().flatten();
    let reasons: Vec<&str> = reasons.map(|reason| text(reason, "text")).collect();
    [
        text(target, "name").to_owned(),
        number(target, "waiting"),
        number(target, "parked"),
        text(target, "oldest_at").to_owned(),
        text(target, "delivered_at").to_owned(),
        reasons.join("; "),
        text(&target["failure"], "text").to_owned(),
    ]
}

/// Makes the service tell a target again.
pub(super) async fn resume(
    service: &Service,
    arguments: &ResumeArguments,
) -> Result<(), CommandError> {
    let target = &arguments.target;
    let resumed = service.post(&target_path(target, "resume"), None).await;
    resumed.map_err(|error| CommandError::service(format!("not resumed: {error}")))?;
    if arguments.options.json {
        print_json(&json!({ "resumed": target }).to_string());
    } else {
        print_line(format_args!(
            "{target} is resumed: what waits for it is sent now"
        ));
    }
    Ok(())
}

/// Makes the service send a target an event that is marked as a test.
pub(super) async fn send_test(
    service: &Service,
    arguments: &TestArguments,
) -> Result<(), CommandError> {
    let target = &arguments.target;
    let body = json!({ "type": arguments.event_type });
    let sent = service
        .post(&target_path(target, "test"), Some(&body))
        .await;
    let sent = sent.map_err(|error| CommandError::service(format!("not sent: {error}")))?;
    if arguments.options.json {
        print_json(&sent);
        return Ok(());
    }
    let sent: Value = read(&sent)?;
    print_line(format_args!(
        "event {} waits for {target}; what becomes of it: events notifications --target {target} --newest",
        number(&sent, "sequence")
    ));
    Ok(())
}
