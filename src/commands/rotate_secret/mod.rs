//! `rotate-secret`: another secret for a project's callbacks, without a moment in which Sinch has one that the service does
//! not take. Nothing is kept of how far it has come: each step follows from what there is.

mod file;
mod look;
mod secret;
mod service;
mod steps;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::sleep;

use self::file::SecretsFile;
use self::look::Found;
use self::service::Verifier;
use self::steps::{AtSinch, Step};
use super::command_error::{self, CommandError};
use super::output::print_line;
use super::project_client::{self, Project};
use super::service::Service;
use super::{moment, stop_or_report};
use crate::config::SecretsPlace;
use sinch_numbers::api::Repeat;

/// Pause before Sinch is asked what became of a change, if it names none.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// Number of times that a secret is given to Sinch before its failure is believed.
const CHANGES_MAX: u32 = 3;

/// Arguments of `rotate-secret`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Id of the Sinch project; needed where several are configured.
    #[arg(value_name = "PROJECT")]
    project: Option<String>,
    /// File with the new secret: 32 to 64 letters, digits and hyphens. Without it, one is made.
    #[arg(long, value_name = "FILE")]
    new_secret_file: Option<PathBuf>,
    /// Time for which the old secret must have verified nothing before it is retired, such as 30min or 2h. Sinch does not say
    /// for how long it sends a refused callback again; for text messages it does for nearly a day.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = moment::span)]
    quiet_for: Duration,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
}

/// Changes the secret of a project, or goes on with a change that was broken off.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    let stop = match stop_or_report() {
        Ok(stop) => stop,
        Err(code) => return code,
    };
    let done = stop.run_until_cancelled(rotate(config, &arguments)).await;
    let done = done.unwrap_or_else(|| {
        let reason = "stopped: run the same command again, and it goes on from here";
        Err(CommandError::interrupted(reason))
    });
    command_error::ended(done, false)
}

async fn rotate(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let project = project_client::open_named(config, "PROJECT", arguments.project.as_deref())?;
    let file = SecretsFile::open(place(&project)?)?;
    let given = arguments.new_secret_file.as_deref();
    let given = given.map(secret::read).transpose()?;
    let service = Service::of_configuration(config)?;
    let rotation = Rotation {
        verifier: Verifier::new(service, project.client.project().clone()),
        project,
        file,
        given,
        quiet_for: arguments.quiet_for,
    };
    let found = rotation.look().await?;
    let plan = found.standing.plan(rotation.quiet_for);
    rotation.introduce(&found, &plan);
    if !arguments.dry_run {
        rotation.run(found).await?;
    }
    Ok(())
}

/// Returns the file that has the secrets of a project.
fn place(project: &Project) -> Result<&Path, CommandError> {
    match &project.secrets {
        SecretsPlace::File(path) => Ok(path),
        SecretsPlace::Inline(key) => {
            let file = key.replace(".secrets", ".secrets_file");
            Err(CommandError::configuration(format!(
                "the secrets stand in {key}, in the configuration or the environment, where this command changes nothing: write \
                 them into a file, one a line, readable for the service alone; set {file} to its path, leave {key} out, reload \
                 the service (SIGHUP), and run this command again"
            )))
        }
        SecretsPlace::Unsigned => Err(CommandError::configuration(
            "this project says signature = \"off\": its callbacks need no secret; say \"required\" to use one",
        )),
    }
}

/// A rotation, with all that it reads and changes.
struct Rotation {
    project: Project,
    verifier: Verifier,
    file: SecretsFile,
    /// The new secret, if the operator has given it.
    given: Option<SecretString>,
    quiet_for: Duration,
}

impl Rotation {
    /// Prints what was found, and what is done about it.
    fn introduce(&self, found: &Found, plan: &[Step]) {
        let project = self.project.client.project();
        let at_sinch = match found.standing.at_sinch {
            AtSinch::Line(line) => format!("the one on line {}", line + 1),
            AtSinch::Elsewhere => "another one: its callbacks are refused".to_owned(),
            AtSinch::Unusable => "none that could be used".to_owned(),
        };
        print_line(format_args!(
            "project {project}: {} has {} of its secrets; Sinch has {at_sinch}",
            self.file.path().display(),
            found.file.len()
        ));
        for (number, step) in (1..).zip(plan) {
            print_line(format_args!("{number}. {step}"));
        }
        if plan.is_empty() {
            print_line("nothing is to be done");
        }
    }

    /// Takes one step after the other, until the rotation is done.
    async fn run(&self, mut found: Found) -> Result<(), CommandError> {
        let (mut has_begun, mut changes) = (false, 0);
        while let Some(step) = found.standing.next(has_begun, self.quiet_for) {
            if let Step::Change(_) = step {
                changes += 1;
                if changes > CHANGES_MAX {
                    return Err(CommandError::sinch(
                        "Sinch does not show the new secret though it was given it; the service takes the old and the new one: \
                         run this command again later",
                    ));
                }
            }
            self.take(step, &found).await?;
            has_begun = true;
            found = self.look().await?;
        }
        if has_begun {
            print_line("done: Sinch and the service have the same secret, and no other is taken");
        }
        Ok(())
    }

    async fn take(&self, step: Step, found: &Found) -> Result<(), CommandError> {
        let Found { standing, file, .. } = found;
        match step {
            Step::TakeOver => {
                self.file.write(&with(file, found.at_sinch.clone()))?;
                print_line("the file has the secret that Sinch has");
            }
            Step::Add => {
                let new = self.given.clone().map_or_else(secret::new, Ok)?;
                self.file.write(&with(file, Some(new)))?;
                print_line("the file has the new secret, beside the old");
            }
            Step::Reload => {
                self.verifier.reload(file).await?;
                let secrets = if file.len() == 1 { "secret" } else { "secrets" };
                print_line(format_args!(
                    "the service verifies callbacks by the {} {secrets} of the file",
                    file.len()
                ));
            }
            Step::Change(line) => self.change(&file[line]).await?,
            Step::Watch(watch) => self.watch(watch, standing).await?,
            Step::Retire => {
                let kept = match standing.at_sinch {
                    AtSinch::Line(line) => file[line].clone(),
                    AtSinch::Elsewhere | AtSinch::Unusable => return Ok(()),
                };
                self.file.write(&[kept])?;
                print_line("the file has the secret that Sinch has, and no other");
            }
        }
        Ok(())
    }

    /// Gives Sinch a secret. Whether it has taken it is seen afterwards.
    async fn change(&self, secret: &SecretString) -> Result<(), CommandError> {
        let client = &self.project.client;
        match client.update_callback_configuration(secret).await {
            Ok(_) => print_line("Sinch was given the new secret"),
            // Sinch's own words may quote the secret, so they are left out.
            Err(error) if error.repeat() == Repeat::Forbidden => {
                return Err(CommandError::sinch(error.to_string()));
            }
            Err(error) => {
                print_line(format_args!(
                    "it is not known if Sinch took the secret: {}",
                    error.request
                ));
                sleep(error.retry_after().unwrap_or(ASK_PAUSE)).await;
            }
        }
        Ok(())
    }
}

/// Returns the secrets with another one after them.
fn with(secrets: &[SecretString], added: Option<SecretString>) -> Vec<SecretString> {
    secrets.iter().cloned().chain(added).collect()
}
