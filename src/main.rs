//! The command line: arguments in, exit code out.

// Only commands::output writes to standard output and standard error.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use sinch_callbacks::commands::{self, output, signals};
use tokio::runtime::{Builder, Runtime};

/// Allocator of the program. A callback's memory is allocated on one thread and freed on another. The system's
/// allocator spends a fifth of the processor's time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Receives Sinch's number-order callbacks and keeps the true state of every order.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file; without it, the one that SINCH_CALLBACKS_CONFIG names, else config.toml where
    /// there is one, and the environment.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Receive callbacks, and keep the state of every order.
    Serve,
    /// Show what the service does, against a simulated Sinch; needs nothing.
    #[command(arg = refused_config_option())]
    Demo(commands::demo::Arguments),
    /// Play Sinch on loopback: its API, and signed callbacks to a URL.
    #[command(arg = refused_config_option())]
    Simulate(commands::simulate::Arguments),
    /// Receive what a target is sent, and print it with the result of its verification; keeps nothing.
    #[command(arg = refused_config_option())]
    Listen(commands::listen::Arguments),
    /// Show what needs attention, with what cures it, and how the running service stands.
    Status(commands::status::Arguments),
    /// List the orders that the running service knows, by filters.
    Orders(commands::orders::Arguments),
    /// List the orders that an operator should see to in time.
    Alerts(commands::alerts::Arguments),
    /// List what operators had the service do, with who and when.
    Actions(commands::actions::Arguments),
    /// List what is parked: orders that are not fetched any more, and callbacks that were not understood.
    Parked(commands::parked::Arguments),
    /// Tell what happens, live, or what happened between two times: of all orders or of one.
    Tail(commands::tail::Arguments),
    /// Fetch orders from Sinch now; with --dry-run, only count them.
    Fetch(commands::fetch::Arguments),
    /// List callbacks that were refused and are perhaps genuine: only their signature or only their source was wrong.
    Quarantine(commands::quarantine::Arguments),
    /// Admit the callbacks in quarantine that pass both checks by now; with --dry-run, only count them.
    Reverify(commands::reverify::Arguments),
    /// Process parked callbacks anew; with --dry-run, only count them.
    Replay(commands::replay::Arguments),
    /// Note that you have seen to what is parked: it needs no attention any more.
    #[command(subcommand)]
    Dismiss(commands::dismiss::Command),
    /// Remove orders with all that is kept about them; without --yes, say how much that is.
    Forget(commands::forget::Arguments),
    /// Fetch a project's orders again without waiting for the next probe, once the cause is removed.
    Resume(commands::resume::Arguments),
    /// Change the secret with which Sinch signs a project's callbacks, with nothing refused; also cures a secret that differs.
    RotateSecret(commands::rotate_secret::Arguments),
    /// Make orders known to the running service, so that it fetches them without a callback.
    Watch(commands::watch::Arguments),
    /// Remove orders that were named by mistake: those that Sinch never showed and no callback named.
    Unwatch(commands::unwatch::Arguments),
    /// Remove what is left of a project that is no longer configured; without --yes, say how much that is.
    DropProject(commands::drop_project::Arguments),
    /// Find numbers, place orders for them from a form, and follow them.
    #[command(subcommand)]
    Order(commands::order::Command),
    /// See the project's numbers, set where their callbacks go, and release them.
    #[command(subcommand)]
    Numbers(commands::numbers::Command),
    /// See the events that other systems are told, and how they take them; send them again; make keys, print schemas.
    #[command(subcommand)]
    Events(commands::events::Command),
    /// Say what retention removes now, or would remove by other periods; needs --dry-run and removes nothing itself.
    Prune(commands::prune::Arguments),
    /// Make all the checks that `serve` makes at its start, without serving.
    Check(commands::check::Arguments),
    /// See the configuration as it is in force.
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Copy the database into a file, while the service runs or not.
    Backup(commands::backup::Backup),
    /// Put a backup in the database's place, while the service does not run.
    Restore(commands::backup::Restore),
    /// Copy a SQLite database into the PostgreSQL database of database.url, while the service does not run.
    #[cfg(feature = "postgres")]
    CopyStore(commands::copy_store::Arguments),
    /// Check that the running service is ready.
    Healthcheck,
    /// Print the document that describes the operators' API (OpenAPI 3.1).
    #[command(arg = refused_config_option())]
    Openapi,
    /// Print the completions of this program for a shell.
    Completions(commands::completions::CompletionsArguments),
    /// Write the pages of the manual into a folder.
    ManPages(commands::completions::ManPagesArguments),
}

/// Returns the option for a configuration file as a command that refuses it has it: left out of its help.
fn refused_config_option() -> Arg {
    Arg::new("config")
        .long("config")
        .value_parser(value_parser!(PathBuf))
        .hide(true)
}

/// Returns the command line of the program, with an example of each command.
fn program() -> clap::Command {
    commands::examples::with_examples(Arguments::command())
}

/// Returns the arguments of the command line, or an error if they do not go together.
fn parse_arguments() -> Result<Arguments, clap::Error> {
    let matches = program().try_get_matches();
    let matches = matches.map_err(commands::faulty_argument::shortened)?;
    let arguments =
        Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut program()))?;
    if arguments.config.is_some()
        && matches!(
            arguments.command,
            Command::Demo(_) | Command::Simulate(_) | Command::Listen(_) | Command::Openapi
        )
    {
        let reason =
            "--config: demo, simulate, listen and openapi take no configuration; leave it out";
        return Err(program().error(ErrorKind::ArgumentConflict, reason));
    }
    Ok(arguments)
}

fn main() -> ExitCode {
    let arguments = match parse_arguments() {
        Ok(arguments) => arguments,
        Err(said) => {
            return output::ended(commands::faulty_argument::print(&said, std::env::args_os()));
        }
    };
    commands::keep_private();
    let built = Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .enable_all()
        .build();
    match built {
        Ok(runtime) => output::ended(run_and_leave(runtime, run(arguments))),
        Err(error) => {
            output::print_error(format_args!("cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command on the runtime to its end, and leaves the runtime's threads behind: one that looks up a name would
/// wait for as long as the name server is silent.
fn run_and_leave<T>(runtime: Runtime, run: impl Future<Output = T>) -> T {
    let outcome = runtime.block_on(run);
    runtime.shutdown_background();
    outcome
}

/// Returns the number of worker threads of the runtime: one less than there are cores. The database keeps one core
/// busy, and with more threads than cores it waits for one.
fn worker_threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

async fn run(arguments: Arguments) -> ExitCode {
    if let Err(code) = signals::survive_file_size_limit() {
        return code;
    }
    let config = arguments.config.as_deref();
    match arguments.command {
        Command::Serve => commands::serve::run(config).await,
        Command::Demo(arguments) => commands::demo::run(arguments).await,
        Command::Simulate(arguments) => commands::simulate::run(arguments).await,
        Command::Listen(arguments) => commands::listen::run(arguments).await,
        Command::Status(arguments) => commands::status::run(config, arguments).await,
        Command::Orders(arguments) => commands::orders::run(config, arguments).await,
        Command::Alerts(arguments) => commands::alerts::run(config, arguments).await,
        Command::Actions(arguments) => commands::actions::run(config, arguments).await,
        Command::Parked(arguments) => commands::parked::run(config, arguments).await,
        Command::Tail(arguments) => commands::tail::run(config, arguments).await,
        Command::Fetch(arguments) => commands::fetch::run(config, arguments).await,
        Command::Quarantine(arguments) => commands::quarantine::run(config, arguments).await,
        Command::Reverify(arguments) => commands::reverify::run(config, arguments).await,
        Command::Replay(arguments) => commands::replay::run(config, arguments).await,
        Command::Dismiss(command) => commands::dismiss::run(config, command).await,
        Command::Forget(arguments) => commands::forget::run(config, arguments).await,
        Command::Resume(arguments) => commands::resume::run(config, arguments).await,
        Command::RotateSecret(arguments) => commands::rotate_secret::run(config, arguments).await,
        Command::Watch(arguments) => commands::watch::run(config, arguments).await,
        Command::Unwatch(arguments) => commands::unwatch::run(config, arguments).await,
        Command::DropProject(arguments) => commands::drop_project::run(config, arguments).await,
        Command::Order(command) => commands::order::run(config, command).await,
        Command::Numbers(command) => commands::numbers::run(config, command).await,
        Command::Events(command) => commands::events::run(config, command).await,
        Command::Prune(arguments) => commands::prune::run(config, arguments).await,
        Command::Check(arguments) => commands::check::run(config, arguments).await,
        Command::Config(command) => commands::config::run(config, command).await,
        Command::Backup(arguments) => commands::backup::backup(config, arguments).await,
        Command::Restore(arguments) => commands::backup::restore(config, arguments).await,
        #[cfg(feature = "postgres")]
        Command::CopyStore(arguments) => commands::copy_store::run(config, arguments).await,
        Command::Healthcheck => commands::healthcheck::run(config).await,
        Command::Openapi => commands::openapi::run(),
        Command::Completions(arguments) => {
            commands::completions::completions(program(), &arguments)
        }
        Command::ManPages(arguments) => commands::completions::man_pages(program(), &arguments),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Calls a function with each command that has no commands of its own, and its path.
    fn each_command(
        command: &clap::Command,
        path: &str,
        visit: &mut dyn FnMut(&clap::Command, &str),
    ) {
        let mut subcommands = command.get_subcommands().peekable();
        if subcommands.peek().is_none() {
            visit(command, path);
        }
        for sub in subcommands {
            each_command(
                sub,
                format!("{path} {}", sub.get_name()).trim_start(),
                visit,
            );
        }
    }

    #[test]
    fn every_command_has_a_description_and_examples_that_can_be_run() {
        let mut commands = 0;
        each_command(&program(), "", &mut |command, path| {
            commands += 1;
            let about = command
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(about.len() > 10, "{path}: {about:?}");
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<&str> = help.lines().skip(1).collect();
            assert!(!examples.is_empty(), "{path} has no example");
            for example in examples {
                // What follows is the shell's.
                let words = example.split(" > ").next().unwrap_or_default();
                let words: Vec<&str> = words.split_whitespace().collect();
                assert!(
                    words
                        .join(" ")
                        .starts_with(&format!("sinch-callbacks {path}")),
                    "{example}"
                );
                if let Err(error) = program().try_get_matches_from(words) {
                    panic!("{example}: {error}");
                }
            }
            for argument in command.get_arguments() {
                let is_told = argument.get_help().is_some() || argument.is_hide_set();
                let name = argument.get_id();
                assert!(
                    is_told || ["help", "version"].contains(&name.as_str()),
                    "{path}: {name}"
                );
            }
        });
        assert!(commands > 35, "{commands}");
    }

    #[test]
    fn times_have_the_same_names_and_forms_in_every_command() {
        let mut times = 0;
        each_command(&program(), "", &mut |command, path| {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                let is_time = argument
                    .get_value_names()
                    .is_some_and(|names| names == ["TIME"]);
                assert!(!name.contains("before"), "{path} --{name}: say --until");
                if !is_time {
                    continue;
                }
                times += 1;
                let is_known = ["since", "until", "changed-since"].contains(&name);
                assert!(is_known, "{path} --{name}");
                for (text, is_refused) in [
                    ("30min", false),
                    ("2026-01-31T12:00:00Z", false),
                    ("soon", true),
                ] {
                    let option = format!("--{name}={text}");
                    let words = ["sinch-callbacks"].into_iter().chain(path.split(' '));
                    let read = program().try_get_matches_from(words.chain([option.as_str()]));
                    // Other arguments that the command needs are missing.
                    let refused = read.err().map(|error| error.kind());
                    assert_eq!(
                        refused == Some(ErrorKind::ValueValidation),
                        is_refused,
                        "{path} {option}: {refused:?}"
                    );
                }
            }
        });
        // Seven commands with both ends of a period, and four about orders that have changed since.
        assert!(times >= 18, "{times}");
    }

    #[test]
    fn the_command_line_is_consistent() {
        program().debug_assert();
    }

    #[test]
    fn nobody_waits_for_a_thread_that_hangs() {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread().build().expect("a runtime");
            let (hanging, hangs) = mpsc::channel();
            let run = async move {
                // The thread waits as getaddrinfo does while the name server is silent.
                tokio::task::spawn_blocking(move || {
                    let _ = hanging.send(());
                    loop {
                        thread::park();
                    }
                });
                hangs.recv()
            };
            ended.send(run_and_leave(runtime, run))
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(180)), Ok(Ok(())));
    }
}
