//! The command line: arguments in, exit code out.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
use sinch_callbacks::commands;
use tokio::runtime::Builder;

/// A callback's memory is taken on one thread and given back on another, over which the system's allocator spends a
/// fifth of the processor's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Receives Sinch's number-order callbacks and keeps the true state of every order.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file; without it, the one that SINCH_CALLBACKS_CONFIG names, else config.toml where
    /// there is one, and the environment. The demo and the simulator need none.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take callbacks, and keep the state of every order.
    Serve,
    /// Show what the service does, against a simulated Sinch; needs nothing.
    Demo(commands::demo::Arguments),
    /// Play Sinch on loopback: its API, and signed callbacks to a URL.
    Simulate(commands::simulate::Arguments),
    /// Make orders known to the running service, so that they are asked about without a callback.
    Watch(commands::watch::Arguments),
    /// Make all the checks that `serve` makes at its start, without serving.
    Check,
    /// Copy the database into a file, while the service runs or not.
    Backup(commands::backup::Backup),
    /// Put a backup in the database's place, while the service does not run.
    Restore(commands::backup::Restore),
    /// Ask the running service whether it is ready.
    Healthcheck,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let built = Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build();
    match built {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => {
            eprintln!("sinch-callbacks: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One thread less than there are cores: the database keeps one core busy, and with more threads than cores it
/// waits for one.
fn workers() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    cores.saturating_sub(1).max(1)
}

async fn run(arguments: Arguments) -> ExitCode {
    let config = arguments.config.as_deref();
    match arguments.command {
        Command::Serve => commands::serve::run(config).await,
        Command::Demo(arguments) => commands::demo::run(arguments).await,
        Command::Simulate(arguments) => commands::simulate::run(arguments).await,
        Command::Watch(arguments) => commands::watch::run(config, arguments).await,
        Command::Check => commands::check::run(config).await,
        Command::Backup(arguments) => commands::backup::backup(config, arguments).await,
        Command::Restore(arguments) => commands::backup::restore(config, arguments).await,
        Command::Healthcheck => commands::healthcheck::run(config).await,
    }
}
