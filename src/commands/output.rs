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

/// The columns of a terminal that does not say how many it has.
const USUAL_WIDTH: usize = 80;

/// The first failure of standard output. Nothing is written to it after that.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output.
pub fn say(line: impl Display) {
    if FAULT.get().is_none() {
        wrote(writeln!(io::stdout(), "{line}"));
    }
}

/// Writes a line to standard output, in as many as the terminal's width asks for: all but the first begin below `text`.
pub fn say_wrapped(lead: &str, text: &str) {
    say(wrapped(lead, text, width()));
}

fn wrapped(lead: &str, text: &str, width: usize) -> String {
    let below = " ".repeat(lead.chars().count());
    let options = textwrap::Options::new(width)
        .initial_indent(lead)
        .subsequent_indent(&below)
        .break_words(false);
    textwrap::fill(text, options)
}

/// The columns of the terminal; those of a usual one where there is none.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let columns = size.map_or(0, |size| usize::from(size.ws_col));
    if columns == 0 { USUAL_WIDTH } else { columns }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_wrapped_below_its_text() {
        let lead = "  1.05 s  service  ";
        let verdict =
            "hears BLOCKED; fits: IN_REVIEW → BLOCKED, provisional until Sinch confirms it";
        assert_eq!(
            wrapped(lead, verdict, 61),
            "  1.05 s  service  hears BLOCKED; fits: IN_REVIEW → BLOCKED,\n                   \
             provisional until Sinch confirms it"
        );
        assert_eq!(wrapped(lead, verdict, 200), format!("{lead}{verdict}"));
        // A word is whole, however narrow the terminal.
        assert_eq!(
            wrapped("", "http://127.0.0.1:9090/ it", 5),
            "http://127.0.0.1:9090/\nit"
        );
    }
}
