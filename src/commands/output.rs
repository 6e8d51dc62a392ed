//! The commands' words to people: the only place that writes to standard output, and to standard error.
//!
//! Whoever reads may have left (`check | head -1`): that ends the output, and changes no verdict. An output that is
//! full is an error. Nobody waits long for standard error: a service that cannot go on must end, even where its
//! last words are not read.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use super::FAILURE;

/// How long standard error may take a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// The first failure of standard output. Nothing is written to it after that.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output.
pub fn say(line: impl Display) {
    if FAULT.get().is_none() {
        wrote(writeln!(io::stdout(), "{line}"));
    }
}

/// Notes how a write to standard output went.
pub fn wrote(written: io::Result<()>) {
    if let Err(error) = written {
        // Another one came first, and is enough.
        let _ = FAULT.set(error);
    }
}

/// Writes a line to standard error, in the program's name.
pub fn complain(line: impl Display) {
    let line = format!("sinch-callbacks: {line}\n");
    let (written, is_written) = sync_channel(1);
    let write = move || {
        // Nowhere is left to complain of it.
        let _ = io::stderr().write_all(line.as_bytes());
        let _ = written.send(());
    };
    if thread::Builder::new().spawn(write).is_ok() {
        let _ = is_written.recv_timeout(PATIENCE);
    }
}

/// The exit code of a command that ends with this one: a failure if its output did not get out.
///
/// Standard output itself is not touched, which is written out line by line: the log's thread may hold it, and wait.
pub fn ended(code: ExitCode) -> ExitCode {
    match FAULT.get() {
        None => code,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Some(error) => {
            complain(format_args!("standard output cannot be written: {error}"));
            ExitCode::from(FAILURE)
        }
    }
}
