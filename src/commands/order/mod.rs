//! `order`: numbers that can be had, and orders for them.

mod check;
mod happened;
mod next;
mod place;
mod placing;
mod reasons;
mod regions;
mod requirements;
mod search;
mod show;
mod story;
mod waits;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use self::place::Single;
use super::command_error::CommandError;

/// Commands about orders.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List the regions in which the project can get numbers.
    Regions(regions::Arguments),
    /// Search numbers that can be had; reserves none.
    Search(search::Arguments),
    /// List what Sinch requires of an order, or write a form to fill in.
    Requirements(requirements::Arguments),
    /// Check a form and its files before anything is created.
    Check(check::Arguments),
    /// Place the order of a form, from the check to numbers that work; run again, it goes on.
    Place(place::PlaceArguments),
    /// Create the order of a form, which reserves its numbers, and print its id.
    Create(place::FormArguments),
    /// Send the data of a form to Sinch, for an order that exists.
    Register(place::OrderArguments),
    /// Upload the documents of a form, for an order that exists.
    Attach(place::OrderArguments),
    /// Submit an order for Sinch's review.
    Submit(place::OrderArguments),
    /// Correct an order that Sinch has blocked, with its corrected form.
    Fix(place::FixArguments),
    /// Wait until an order is reviewed, completed or ready, for as long as it takes.
    Wait(place::WaitArguments),
    /// Show where an order stands, why, what comes next and what happened; on request with Sinch's reasons.
    Show(show::Arguments),
}

impl Command {
    /// Returns `true` if the command prints JSON.
    fn is_json(&self) -> bool {
        let options = match self {
            Command::Regions(arguments) => &arguments.options,
            Command::Search(arguments) => &arguments.options,
            Command::Requirements(arguments) => &arguments.options,
            Command::Check(arguments) => &arguments.options,
            Command::Place(arguments) => &arguments.form.options,
            Command::Create(arguments) => &arguments.options,
            Command::Register(arguments)
            | Command::Attach(arguments)
            | Command::Submit(arguments) => &arguments.options,
            Command::Fix(arguments) => &arguments.order.options,
            Command::Wait(arguments) => &arguments.options,
            Command::Show(arguments) => &arguments.options,
        };
        options.json
    }
}

/// Runs one of the commands.
pub async fn run(config: Option<&Path>, command: Command) -> ExitCode {
    let json = command.is_json();
    let done = |done: Result<(), CommandError>| done.map(|()| ExitCode::SUCCESS);
    let ended = match command {
        Command::Regions(arguments) => done(regions::run(config, &arguments).await),
        Command::Search(arguments) => done(search::run(config, &arguments).await),
        Command::Requirements(arguments) => done(requirements::run(config, &arguments).await),
        Command::Check(arguments) => check::run(config, &arguments).await,
        Command::Place(arguments) => place::place(config, &arguments).await,
        Command::Create(arguments) => place::create(config, &arguments).await,
        Command::Register(arguments) => place::single(config, &arguments, Single::Register).await,
        Command::Attach(arguments) => place::single(config, &arguments, Single::Attach).await,
        Command::Submit(arguments) => place::single(config, &arguments, Single::Submit).await,
        Command::Fix(arguments) => place::fix(config, &arguments).await,
        Command::Wait(arguments) => place::wait(config, &arguments).await,
        Command::Show(arguments) => done(show::run(config, &arguments).await),
    };
    ended.unwrap_or_else(|error| error.report(json))
}
