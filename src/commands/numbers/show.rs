//! `numbers show`: one number, with its services and where its callbacks go.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::callback_url;
use crate::commands::command_error::CommandError;
use crate::commands::output::print_line;
use crate::commands::project_client::{self, Options};
use crate::commands::selection;
use crate::commands::shown;
use crate::commands::words::{amount, interval, print_field, said};
use crate::sinch;
use number_order::{FailureCode, Link, Service};
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
    let links = sinch::links(&number);
    if *json {
        print_line(shown::json(&as_json(&number, &links)?));
        return Ok(());
    }
    print_number(&number);
    for link in &links {
        print_field(&link.service.to_string(), &link.to_string());
    }
    for code in codes(&links) {
        print_field("failure", &code.to_string());
    }
    if blocks_us_texts(&number, &links) {
        let sentence =
            "Until the campaign is linked, text messages to the US are presumably still blocked.";
        print_field("", sentence);
    }
    print_field("callbacks", &callbacks(&number, &project.path));
    Ok(())
}

/// Returns the number as Sinch shows it, beside what is read from it.
fn as_json(number: &ActiveNumber, links: &[Link]) -> Result<String, CommandError> {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        number: &'a RawValue,
        services: Vec<Value>,
        failures: Vec<FailureCode>,
    }
    let unreadable = |_| CommandError::failure("Sinch's answer is no JSON; try again");
    let shown = Shown {
        number: serde_json::from_str(number.object().json()).map_err(unreadable)?,
        services: links.iter().map(link_json).collect(),
        failures: codes(links),
    };
    serde_json::to_string(&shown).map_err(unreadable)
}

fn link_json(link: &Link) -> Value {
    let scheduled = link.scheduled.as_ref();
    let target = scheduled.and_then(|scheduled| scheduled.target.as_ref());
    json!({
        "name": link.service.to_string(),
        "state": link.state(),
        "linked": link.linked.as_ref().map(ToString::to_string),
        "scheduled": target.map(ToString::to_string),
        "status": scheduled.map(|scheduled| &scheduled.status),
    })
}

/// Returns the codes of all failures, once each: one failure can concern two services.
fn codes(links: &[Link]) -> Vec<FailureCode> {
    let scheduled = links.iter().flat_map(|link| &link.scheduled);
    let codes: BTreeSet<&String> = scheduled.flat_map(|scheduled| &scheduled.codes).collect();
    codes.into_iter().map(FailureCode::new).collect()
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
fn blocks_us_texts(number: &ActiveNumber, links: &[Link]) -> bool {
    let is_us = number.region_code().text() == Some("US");
    let campaign_is_open = links
        .iter()
        .any(|link| link.service == Service::Campaign && link.scheduled.is_some());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sinch_simulator::ordering::Failure;

    use super::*;

    /// The simulator plays every code that is known, so that the commands meet each.
    #[test]
    fn the_simulator_plays_every_known_code() {
        let played: BTreeSet<String> = Failure::ALL.iter().map(|f| f.code.to_owned()).collect();
        let known: BTreeSet<String> = FailureCode::known().map(|known| known.code).collect();
        assert_eq!(known, played);
    }
}
