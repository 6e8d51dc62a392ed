//! Signals: those that stop a command, and SIGXFSZ, which comes with a write beyond the file-size limit.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::FAILURE;
use super::output::print_error;

/// Returns a token that SIGTERM or SIGINT cancels. A second signal ends the process at once.
///
/// # Errors
///
/// Returns the system's error if it does not let the program listen for signals.
pub(super) fn stop_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let cancel = stop.clone();
    tokio::spawn(async move {
        for times in 1.. {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if times > 1 {
                std::process::exit(FAILURE.into());
            }
            cancel.cancel();
        }
    });
    Ok(stop)
}

/// Returns the token of [`stop_signal`], or reports why there is none.
pub(super) fn stop_or_report() -> Result<CancellationToken, ExitCode> {
    stop_signal().map_err(|error| report(&error))
}

/// Returns SIGHUP as a signal to read the configuration again, or reports why there is none. Without this, it would kill the
/// program.
pub(super) fn reload_signal() -> Result<Signal, ExitCode> {
    signal(SignalKind::hangup()).map_err(|error| report(&error))
}

/// Makes a write fail if it would make a file longer than the system allows (`ulimit -f`), as a write to a full disk
/// does. Without this, the signal that comes with such a write would kill the program.
///
/// # Errors
///
/// Returns the exit code of the failure, which has been reported.
pub fn survive_file_size_limit() -> Result<(), ExitCode> {
    // The signal stays caught when the stream is dropped.
    let caught = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    caught.map(drop).map_err(|error| report(&error))
}

fn report(error: &io::Error) -> ExitCode {
    print_error(format_args!("cannot listen for signals: {error}"));
    ExitCode::from(FAILURE)
}
