//! `check`: all checks that `serve` makes at its start, each with its result and its cure; on request, also what only calls
//! show.

mod online;
mod reach;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Resource, getrlimit};

use super::expectations::expectations;
use super::output::print_line;
use super::{CONFIG, FAILURE, configuration, operators, shown, start_code, stop_or_report};
use crate::app::{self, StartError, TargetError};
use crate::clock;
use crate::config::{Api, Config, Operators};
use crate::store;
use crate::traces::{Checked, Traces};
use crate::worker::JudgedAddress;

/// Maximum time for the request to an instance that may run.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `check`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Also call Sinch, with the key of each project, and the service's own public URL.
    #[arg(long)]
    online: bool,
}

/// Makes all checks of a start, and changes nothing. The exit code is that of the gravest fault, by the codes with
/// which `serve` ends. While another instance runs, the check leaves out what that instance holds.
///
/// The check takes a moment only, so a signal to stop waits for its end: it leaves nothing behind.
pub async fn run(config: Option<&Path>, arguments: Arguments) -> ExitCode {
    if let Err(code) = stop_or_report() {
        return code;
    }
    let loaded = match configuration(config) {
        Ok(loaded) => loaded,
        Err(errors) => {
            for line in errors.lines() {
                print_line(format_args!("FAILED  configuration: {line}"));
            }
            return ExitCode::from(CONFIG);
        }
    };
    print_line("ok      configuration");
    for warning in &loaded.warnings {
        print_line(format_args!("unwise  configuration: {warning}"));
    }
    // `serve` raises its limit of open files to the maximum, so the check goes by the maximum.
    let files = getrlimit(Resource::Nofile).maximum;
    if let Some(shortage) = app::listener_limits(&loaded.config, files).shortage {
        print_line(format_args!("unwise  open files: {shortage}"));
    }
    let mut code = 0;
    let mut verdicts = verdicts(&loaded.config).await;
    if arguments.online {
        verdicts.extend(online::verdicts(&loaded.config).await);
    }
    for (what, verdict) in verdicts {
        code = code.max(print_verdict(&what, verdict));
    }
    for sentence in expectations(&loaded.config) {
        print_line(format_args!("expects {sentence}"));
    }
    for (path, warning) in app::store_settings(&loaded.config).exposed() {
        print_line(format_args!(
            "unwise  database {}: {warning}",
            path.display()
        ));
    }
    ExitCode::from(code)
}

/// Prints the result of a check, and returns the exit code for it.
fn print_verdict(what: &str, verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Unwise(sentences) => {
            print_line(format_args!("ok      {what}"));
            for sentence in sentences {
                print_line(format_args!("unwise  {what}: {sentence}"));
            }
        }
        Verdict::Good => print_line(format_args!("ok      {what}")),
        Verdict::InUse => print_line(format_args!(
            "in use  {what}: left out, since a running instance has it and found it good"
        )),
        Verdict::Failed(error) => {
            print_line(format_args!("FAILED  {what}: {error}"));
            return start_code(&error);
        }
        Verdict::Untellable(error) => {
            print_line(format_args!("FAILED  {what}: {error}"));
            return FAILURE;
        }
        Verdict::Seen(words) => {
            print_line(shown::line(&format!("ok      {what}: {words}")));
        }
        Verdict::LeftOut(words) => {
            print_line(shown::line(&format!("left out  {what}: {words}")));
        }
        Verdict::Faulty(words) => {
            print_line(shown::line(&format!("FAILED  {what}: {words}")));
            return FAILURE;
        }
    }
    0
}

/// Result of one of the checks.
enum Verdict {
    Good,
    /// The check succeeded, with these warnings.
    Unwise(Vec<String>),
    /// The running instance holds what is checked: a configuration may be checked before that instance takes it up.
    InUse,
    Failed(StartError),
    /// The service would start, and could not tell a target anything.
    Untellable(TargetError),
    /// A call has shown that all is well, in these words.
    Seen(String),
    /// No call was made, for this reason.
    LeftOut(String),
    /// The service would start, and a call has shown what would not work, in these words.
    Faulty(String),
}

/// Returns `true` if an instance of the service answers at the address of its operators' listener.
async fn is_alive(listen: SocketAddr) -> bool {
    let service = Operators {
        listen,
        token: None,
    };
    let (path, body) = ("/livez", Vec::new());
    operators::send(&service, Method::GET, path, body, REQUEST_TIMEOUT)
        .await
        .is_ok_and(|answer| answer.trim() == "alive")
}

async fn verdicts(config: &Config) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    if let Err(error) = clock::check() {
        verdicts.push(("clock".to_owned(), Verdict::Failed(error.into())));
    }
    let settings = app::store_settings(config);
    let verdict = match store::check(&settings).await {
        Ok(sentences) => Verdict::Unwise(sentences),
        Err(error) if error.is_held() => Verdict::InUse,
        Err(error) => Verdict::Failed(error.into()),
    };
    // A store that is shared does not tell if one of its instances runs here, so that one is asked.
    let runs = matches!(verdict, Verdict::InUse)
        || (settings.is_shared() && is_alive(config.operators.listen).await);
    verdicts.push((format!("database {settings}"), verdict));
    let listeners = [
        ("callbacks.listen", config.callbacks.listen),
        ("operators.listen", config.operators.listen),
    ];
    // Listeners are kept until the end, so that two of them on one address are detected.
    let mut bound = Vec::new();
    for (key, address) in listeners {
        let verdict = match app::bind(key, address) {
            Ok(listener) => {
                bound.push(listener);
                Verdict::Good
            }
            Err(error) if runs && error.is_address_in_use() => Verdict::InUse,
            Err(error) => Verdict::Failed(error),
        };
        verdicts.push((format!("{key} {address}"), verdict));
    }
    for project in &config.projects {
        if let Api::On(credentials) = &project.api {
            let verdict = app::client(&project.id, credentials, &config.sinch)
                .map_or_else(Verdict::Failed, |_| Verdict::Good);
            verdicts.push((format!("API client of project {}", project.id), verdict));
        }
    }
    for (name, examined) in app::examine_targets(config).await {
        verdicts.push(target_verdict(&name, examined));
    }
    verdicts.extend(traces_verdict().map(|verdict| ("traces".to_owned(), verdict)));
    verdicts
}

/// Returns the result for traces; `None`: the environment asks for none.
fn traces_verdict() -> Option<Verdict> {
    match Traces::check() {
        Ok(Checked::Off) => None,
        Ok(Checked::Good) => Some(Verdict::Good),
        Ok(Checked::NotBuilt) => {
            let sentence =
                "the environment asks for them, and the program was built without the feature otel";
            Some(Verdict::LeftOut(sentence.to_owned()))
        }
        Err(error) => Some(Verdict::Failed(error.into())),
    }
}

fn target_verdict(
    name: &str,
    examined: Result<Vec<JudgedAddress>, TargetError>,
) -> (String, Verdict) {
    let target = format!("target {name}");
    match examined {
        Ok(addresses) if addresses.is_empty() => (target, Verdict::Good),
        Ok(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let what = format!("{target}: it leads to {}", addresses.join(", "));
            (what, Verdict::Good)
        }
        Err(TargetError::Start(error)) => (target, Verdict::Failed(error)),
        Err(error) => (target, Verdict::Untellable(error)),
    }
}
