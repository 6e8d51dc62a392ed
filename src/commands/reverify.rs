//! `reverify`: callbacks that were refused are judged again, and those that pass both checks now are admitted.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::command_error::{self, CommandError};
use super::output::{is_taken, print_error, print_line};
use super::quarantine::{PATH, RefusedCallbacks};
use super::service::{Options, Service, print_json, read};
use number_order::counted;

/// Time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Arguments of `reverify`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    refused: RefusedCallbacks,
    /// Admit nothing: only say how many callbacks would be.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: Options,
}

/// Has the running service judge its quarantine again, by the configuration that it runs with.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    command_error::ended(reverify(config, &arguments).await, arguments.options.json)
}

/// What became of callbacks, as the service answers it.
#[derive(Debug, Default, Deserialize)]
struct Reverified {
    admitted: u64,
    duplicates: u64,
    refused: Refused,
    next: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Refused {
    wrong_signature: u64,
    unknown_source: u64,
    not_configured: u64,
}

impl Reverified {
    fn add(&mut self, more: &Reverified) {
        self.admitted += more.admitted;
        self.duplicates += more.duplicates;
        self.refused.wrong_signature += more.refused.wrong_signature;
        self.refused.unknown_source += more.refused.unknown_source;
        self.refused.not_configured += more.refused.not_configured;
    }

    fn as_json(&self, dry_run: bool) -> Value {
        json!({
            "admitted": self.admitted,
            "duplicates": self.duplicates,
            "refused": {
                "wrong-signature": self.refused.wrong_signature,
                "unknown-source": self.refused.unknown_source,
                "not-configured": self.refused.not_configured,
            },
            "dry_run": dry_run,
        })
    }

    /// Returns what is said of the callbacks: a sentence a line.
    fn in_words(&self, dry_run: bool) -> Vec<String> {
        let admitted = if dry_run {
            let fit = counted(self.admitted, "callback passes", "callbacks pass");
            format!("{fit} both checks now; none is admitted yet: leave --dry-run out")
        } else {
            admitted_in_words(self.admitted)
        };
        let refused = &self.refused;
        let others = [
            (
                self.duplicates,
                "came again by itself, and was known",
                "came again by themselves, and were known",
            ),
            (
                refused.wrong_signature,
                "stays: none of the project's secrets makes its signature",
                "stay: none of the project's secrets makes their signature",
            ),
            (
                refused.unknown_source,
                "stays: the address that it came from is not in callbacks.allow",
                "stay: the address that they came from is not in callbacks.allow",
            ),
            (
                refused.not_configured,
                "stays: its project is not configured",
                "stay: their project is not configured",
            ),
        ];
        let others = others.into_iter().filter(|(count, ..)| *count > 0);
        let others = others.map(|(count, one, several)| counted(count, one, several));
        std::iter::once(admitted).chain(others).collect()
    }
}

fn admitted_in_words(callbacks: u64) -> String {
    let callbacks = counted(callbacks, "callback is", "callbacks are");
    format!("{callbacks} admitted")
}

async fn reverify(config: Option<&Path>, arguments: &Arguments) -> Result<(), CommandError> {
    let service = Service::of_configuration(config)?;
    let (dry_run, refused) = (arguments.dry_run, &arguments.refused);
    let mut done = Reverified::default();
    let (mut after, mut reported) = (0, Instant::now());
    loop {
        let body = json!({
            "dry_run": dry_run, "project": refused.project, "reason": refused.reason, "after": after,
        });
        let answer = service.post(&format!("{PATH}/reverify"), Some(&body)).await;
        let answer = answer.map_err(|error| {
            CommandError::service(format!(
                "not all are judged anew: {error}; {}, and the command can be repeated",
                admitted_in_words(if dry_run { 0 } else { done.admitted })
            ))
        })?;
        let step: Reverified = read(&answer)?;
        done.add(&step);
        let Some(next) = step.next else { break };
        after = next;
        if reported.elapsed() > REPORT_EVERY && is_taken() {
            let so_far = counted(done.admitted, "callback", "callbacks");
            print_error(format_args!("{so_far} so far"));
            reported = Instant::now();
        }
    }
    if arguments.options.json {
        print_json(&done.as_json(dry_run).to_string());
    } else {
        for line in done.in_words(dry_run) {
            print_line(line);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_told_with_its_reason() {
        let counts = |admitted, duplicates, wrong_signature, unknown_source, not_configured| {
            let refused = Refused {
                wrong_signature,
                unknown_source,
                not_configured,
            };
            Reverified {
                admitted,
                duplicates,
                refused,
                next: None,
            }
        };
        for (counts, dry_run, expected) in [
            (
                counts(0, 0, 0, 0, 0),
                false,
                vec!["0 callbacks are admitted"],
            ),
            (
                counts(3, 1, 2, 0, 0),
                false,
                vec![
                    "3 callbacks are admitted",
                    "1 came again",
                    "2 stay: none of",
                ],
            ),
            (
                counts(1, 0, 0, 0, 1),
                false,
                vec!["1 callback is admitted", "1 stays: its project"],
            ),
            (
                counts(3, 0, 0, 4, 5),
                true,
                vec![
                    "3 callbacks pass both checks",
                    "4 stay: the address",
                    "5 stay: their project",
                ],
            ),
        ] {
            let lines = counts.in_words(dry_run);
            assert_eq!(lines.len(), expected.len(), "{lines:?}");
            for (line, beginning) in lines.iter().zip(expected) {
                assert!(line.starts_with(beginning), "{line}");
            }
        }
    }
}
