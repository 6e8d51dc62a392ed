//! `events schema`: what an event of a type looks like, for who writes a receiver.

use std::process::ExitCode;

use strum::VariantArray;

use super::targets::types;
use crate::commands::output::print_line;
use notifications::{EventType, schema};

/// Arguments of `events schema`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Type of the events; without it, the types are listed.
    #[arg(value_name = "TYPE", value_parser = types())]
    event_type: Option<String>,
}

/// Prints the schema of a type as the running service of this version has it, or the types.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let named = arguments.event_type.as_deref();
    let chosen: Option<EventType> = named.and_then(|name| name.parse().ok());
    match chosen {
        Some(event_type) => print_line(schema(event_type).trim_end()),
        None => {
            for event_type in EventType::VARIANTS {
                print_line(event_type.name());
            }
        }
    }
    ExitCode::SUCCESS
}
