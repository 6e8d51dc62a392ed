//! Output of the commands for people: the only place that writes to standard output, and to standard error.
//!
//! The reader may have left (`check | head -1`): that ends the output, and changes no result. An output that is full is
//! an error. No command waits long for standard error: a service that cannot go on must end, even where its last words
//! are not read.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use super::{FAILURE, shown};

/// Maximum time that standard error may take to accept a line. On a busy machine, seconds can pass before the thread
/// that writes it has its turn.
const STDERR_PATIENCE: Duration = Duration::from_secs(10);

/// Number of columns of a terminal that does not report it.
const USUAL_WIDTH: usize = 80;

/// First failure of a write to standard output. Nothing more is written to standard output after it.
static STDOUT_FAULT: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output.
pub fn print_line(line: impl Display) {
    if STDOUT_FAULT.get().is_none() {
        note_result(writeln!(io::stdout(), "{line}"));
    }
}

/// Returns `true` unless a write to standard output has failed: a command without an end of its own ends then.
pub fn is_taken() -> bool {
    STDOUT_FAULT.get().is_none()
}

/// Writes a text to standard output, wrapped to the terminal's width. All lines but the first are indented to the
/// beginning of `text`.
pub fn print_wrapped(lead: &str, text: &str) {
    print_line(wrapped(lead, text, terminal_width()));
}

/// Character that stands for a blank at which no text is wrapped.
const FIRM_BLANK: char = '\u{a0}';

/// Returns the text for [`print_wrapped`], which keeps it on one line, such as a command that is to be copied.
pub fn on_one_line(text: &str) -> String {
    text.replace(' ', FIRM_BLANK.encode_utf8(&mut [0; 4]))
}

/// Returns a text that is wrapped to `width`, with `lead` before its first line. Words stay whole, with their hyphens: a time
/// or an id can be read and copied.
fn wrapped(lead: &str, text: &str, width: usize) -> String {
    let below = " ".repeat(lead.chars().count());
    let options = whole_words(width)
        .initial_indent(lead)
        .subsequent_indent(&below);
    textwrap::fill(text, options).replace(FIRM_BLANK, " ")
}

/// Returns the options by which texts are wrapped between words only.
pub(super) fn whole_words(width: usize) -> textwrap::Options<'static> {
    textwrap::Options::new(width)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false)
}

/// Returns the number of columns of the terminal, or the usual number where there is no terminal.
fn terminal_width() -> usize {
    terminal_columns().unwrap_or(USUAL_WIDTH)
}

/// Returns the number of columns of the terminal; `None`: there is no terminal, or it does not report it.
pub(super) fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Records the outcome of a write to standard output.
pub fn note_result(written: io::Result<()>) {
    if let Err(error) = written {
        // The first failure is enough, so an earlier one stays.
        let _ = STDOUT_FAULT.set(error);
    }
}

/// Writes a line, or several, to standard error, in the program's name. They may hold words of others, so nothing that a
/// terminal obeys is written.
pub fn print_error(line: impl Display) {
    let line = shown::lines(&line.to_string());
    let line = format!("sinch-callbacks: {line}\n");
    let (written, is_written) = sync_channel(1);
    let write = move || {
        // Standard error itself has failed, so nothing can report the failure.
        let _ = io::stderr().write_all(line.as_bytes());
        let _ = written.send(());
    };
    if thread::Builder::new().spawn(write).is_ok() {
        let _ = is_written.recv_timeout(STDERR_PATIENCE);
    }
}

/// Returns the exit code of a command that ends with `code`: a failure if its output could not be written.
///
/// Standard output itself is not touched: it is written out line by line, and the log's thread may hold it and wait.
pub fn ended(code: ExitCode) -> ExitCode {
    match STDOUT_FAULT.get() {
        None => code,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => code,
        Some(error) => {
            print_error(format_args!("standard output cannot be written: {error}"));
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
        let decision =
            "hears BLOCKED; fits: IN_REVIEW → BLOCKED, provisional until Sinch confirms it";
        assert_eq!(
            wrapped(lead, decision, 61),
            "  1.05 s  service  hears BLOCKED; fits: IN_REVIEW → BLOCKED,\n                   \
             provisional until Sinch confirms it"
        );
        assert_eq!(wrapped(lead, decision, 200), format!("{lead}{decision}"));
        // A word stays whole, however narrow the terminal is.
        assert_eq!(
            wrapped("", "http://127.0.0.1:9090/ it", 5),
            "http://127.0.0.1:9090/\nit"
        );
        assert_eq!(
            wrapped("", "at 2026-11-30T10:03:00Z", 12),
            "at\n2026-11-30T10:03:00Z"
        );
        // A command stays on its line, too.
        let command = on_one_line("it dismiss deliveries 4");
        assert_eq!(
            wrapped("", &format!("read it, then: {command}"), 20),
            "read it, then:\nit dismiss deliveries 4"
        );
    }
}
