//! `events key`: the keys with which targets are told. `new` is the one command that prints a secret: that is its purpose.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::commands::command_error::{CommandError, ended};
use crate::commands::configuration;
use crate::commands::output::print_line;
use crate::config::{Destination, Target};
use notifications::{Scheme, new_key};

/// Commands about keys.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print a new secret (`whsec_…`), which the service and the receiver both need. Nothing is stored.
    New(NewArguments),
    /// Print the public keys (`whpk_…`) that verify what a target of the configuration is told.
    Public(PublicArguments),
}

/// Arguments of `events key new`.
#[derive(clap::Args, Debug)]
pub struct NewArguments {
    /// Print the secret key of an ed25519 pair (`whsk_…`) instead: the receiver needs its public key only, and cannot sign.
    #[arg(long)]
    pair: bool,
}

/// Arguments of `events key public`.
#[derive(clap::Args, Debug)]
pub struct PublicArguments {
    /// Name of the target.
    #[arg(value_name = "TARGET")]
    target: String,
}

/// Runs one of the commands.
pub(super) fn run(config: Option<&Path>, command: &Command) -> ExitCode {
    let done = match command {
        Command::New(arguments) => print_new(arguments),
        Command::Public(arguments) => print_public(config, &arguments.target),
    };
    ended(done, false)
}

fn print_new(arguments: &NewArguments) -> Result<(), CommandError> {
    let scheme = if arguments.pair {
        Scheme::V1a
    } else {
        Scheme::V1
    };
    print_line(new_key(scheme, &random_bytes()?).as_str());
    Ok(())
}

/// Draws bytes from the system's source of randomness.
fn random_bytes() -> Result<[u8; 32], CommandError> {
    let mut bytes = [0; 32];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(count) if count == bytes.len() => Ok(bytes),
        Ok(_) => Err(CommandError::failure(
            "the system gave too few random bytes; try again",
        )),
        Err(error) => Err(CommandError::failure(format!(
            "the system gives no random bytes: {error}"
        ))),
    }
}

fn print_public(config: Option<&Path>, name: &str) -> Result<(), CommandError> {
    let targets = configuration(config)?.config.targets;
    let target = targets.iter().find(|target| target.name == name);
    let target = target.ok_or_else(|| {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        let known = if names.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        CommandError::usage(format!("no target {name} is configured; {known}"))
    })?;
    for key in public_keys(target)? {
        print_line(key);
    }
    Ok(())
}

/// Returns the public keys of those that sign for a target, of which there is at least one.
fn public_keys(target: &Target) -> Result<Vec<String>, CommandError> {
    let name = &target.name;
    let (keys, signs) = match &target.destination {
        Destination::Url { keys, .. } => {
            let public = keys.iter().filter_map(|key| key.public_key());
            (public.collect(), !keys.is_empty())
        }
        Destination::Command(_) => (Vec::new(), false),
    };
    if !keys.is_empty() {
        return Ok(keys);
    }
    Err(CommandError::configuration(if signs {
        format!(
            "{name} has secrets (whsec_), of which there is no public part: its receiver needs one of them. A key that \
             `events key new --pair` makes has one"
        )
    } else {
        format!("{name} has no key: what it is told is not signed")
    }))
}
