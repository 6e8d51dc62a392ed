//! `numbers release`: gives a number up.

use std::path::Path;

use serde_json::value::RawValue;

use crate::commands::command_error::CommandError;
use crate::commands::output::{print_error, print_line, print_wrapped};
use crate::commands::project_client::{self, Options};
use crate::commands::selection;
use crate::commands::shown;
use crate::commands::words::said;
use sinch_numbers::api::{ActiveNumber, PhoneNumber};

/// Arguments of `numbers release`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The number, with its plus: +61400000000.
    #[arg(value_name = "NUMBER", value_parser = selection::number)]
    number: PhoneNumber,
    /// Release it; without this, nothing is done.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Says what a release does not undo, and releases the number if that is confirmed.
pub(super) async fn run(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let Options { project, json } = &arguments.options;
    let client = project_client::open(config, project.as_deref())?.client;
    let number = &arguments.number;
    let before = client.get_active_number(number).await?.content;
    let warning = warning(&before);
    if *json {
        print_error(&warning);
    } else {
        print_wrapped("", &warning);
    }
    let (after, is_released) = if arguments.yes {
        (client.release_active_number(number).await?.content, true)
    } else {
        (before, false)
    };
    if *json {
        print_line(shown::json(&as_json(&after, is_released)?));
    } else if is_released {
        let end = after
            .expire_at()
            .text()
            .unwrap_or("a time that Sinch does not say")
            .to_owned();
        print_line(shown::line(&format!(
            "Released; the number stays until {end}."
        )));
    } else {
        print_line("Nothing is done; with --yes the number is released.");
    }
    Ok(())
}

/// Returns what a release does and does not do, as it was seen of Sinch.
fn warning(number: &ActiveNumber) -> String {
    let phone = said(&number.phone_number());
    let next = said(&number.next_charge_date());
    let warning = format!(
        "A release is no undo: {phone} stays with the project until the next payment would \
         be due ({next}). Nothing is refunded, a link on its way is dropped, and no call takes the release back."
    );
    shown::line(&warning)
}

fn as_json(number: &ActiveNumber, released: bool) -> Result<String, CommandError> {
    #[derive(serde::Serialize)]
    struct Shown<'a> {
        released: bool,
        number: &'a RawValue,
    }
    let unreadable = |_| CommandError::failure("Sinch's answer is no JSON");
    let number = serde_json::from_str(number.object().json()).map_err(unreadable)?;
    serde_json::to_string(&Shown { released, number }).map_err(unreadable)
}
