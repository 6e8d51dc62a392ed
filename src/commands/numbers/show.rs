//! `numbers show`: one number, with its services and where its callbacks go.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::services::{self, Service};
use super::{callback_url, failure_code};
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::selection;
use crate::commands::shown;
use crate::commands::words::{amount, interval, print_field, said};
use sinch_numbers::api::{ActiveNumber, PhoneNumber};

/// Arguments of `numbers show`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The number, with its plus: +61400000000.
    #[arg(value_name = "NUMBER", value_parser = selection::number)]
    number: PhoneNumber,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Prints the number.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let Options { project, json } = &arguments.options;
    let project = project_client::open(config, project.as_deref())?;
    let answer = project.client.get_active_number(&arguments.number).await?;
    let number = answer.content;
    let services = services::of(&number);
    if *json {
        print_line(shown::json(&as_json(&number, &services)?));
        return Ok(());
    }
    print_number(&number);
    for service in &services {
        print_field(service.name, &service.to_string());
    }
    for code in codes(&services) {
        print_field("failure", &failure_code::sentence(code));
    }
    if blocks_us_texts(&number, &services) {
        let sentence =
            "Until the campaign is linked, text messages to the US are presumably still blocked.";
        print_field("", sentence);
    }
    print_field("callbacks", &callbacks(&number, &project.path));
    Ok(())
}

/// Returns the number as Sinch shows it, beside what is read from it.
fn as_json(number: &ActiveNumber, services: &[Service]) -> Result<String, CommandError> {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        number: &'a RawValue,
        services: Vec<Value>,
        failures: Vec<Value>,
    }
    let unreadable = |_| CommandError::failure("Sinch's answer is no JSON; try again");
    let shown = Shown {
        number: serde_json::from_str(number.object().json()).map_err(unreadable)?,
        services: services.iter().map(service_json).collect(),
        failures: codes(services).into_iter().map(failure_json).collect(),
    };
    serde_json::to_string(&shown).map_err(unreadable)
}

fn service_json(service: &Service) -> Value {
    let scheduled = service.scheduled.as_ref();
    json!({
        "name": service.name,
        "state": service.state(),
        "linked": service.linked,
        "scheduled": scheduled.and_then(|scheduled| scheduled.id.as_deref()),
        "status": scheduled.map(|scheduled| &scheduled.status),
    })
}

fn failure_json(code: &str) -> Value {
    let known = failure_code::find(code);
    json!({
        "code": code,
        "meaning": known.map(|known| known.meaning),
        "try_again": known.map_or("unknown", |known| known.again.as_str()),
        "advice": known.map(|known| known.advice),
    })
}

/// Returns the codes of all failures, once each: one failure can concern two services.
fn codes(services: &[Service]) -> BTreeSet<&str> {
    let scheduled = services.iter().flat_map(|service| &service.scheduled);
    scheduled
        .flat_map(|scheduled| scheduled.codes.iter().map(String::as_str))
        .collect()
}

fn print_number(number: &ActiveNumber) {
    print_field("number", &said(&number.phone_number()));
    if let Some(name) = number.display_name().text() {
        print_field("name", name);
    }
    let region = said(&number.region_code());
    let number_type = said(&number.number_type());
    print_field("product", &format!("{region} {number_type}"));
    print_field("capabilities", &number.capabilities().join(", "));
    let price = amount(number.recurring_price().as_ref());
    let every = interval(number.payment_interval_months());
    let next = said(&number.next_charge_date());
    print_field(
        "price",
        &format!("{price}, paid every {every}; next payment {next}"),
    );
    if let Some(end) = number.expire_at().text() {
        print_field("ends", &format!("{end}: the number was released"));
    }
}

/// Returns `true` if the service plan of a US number is linked and its campaign is still on its way or has failed.
/// (Inferred from the order of Sinch's steps; not documented.)
fn blocks_us_texts(number: &ActiveNumber, services: &[Service]) -> bool {
    let is_us = number.region_code().text() == Some("US");
    let campaign_is_open = services
        .iter()
        .any(|service| service.name == services::CAMPAIGN && service.scheduled.is_some());
    is_us && campaign_is_open
}

/// Tells where callbacks about the number go.
fn callbacks(number: &ActiveNumber, path: &str) -> String {
    let Some(url) = number.callback_url().text().map(str::to_owned) else {
        return "no URL is set, so nobody receives callbacks about this number; `numbers set-callback-url` sets one"
            .to_owned();
    };
    if callback_url::is_of_project(&url, path) {
        format!("{url}: the path is this project's in the configuration")
    } else {
        format!(
            "{url}: not the path of this project in the configuration, {path}, so another service receives them"
        )
    }
}
