//! Logs: one JSON object per line, or text for a person at a terminal.

mod queue;

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::reload;

use self::queue::Queue;
use crate::config::{Log, LogFormat};
use crate::redact;

/// Destination of the log's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard output, through a queue, so that the service never waits for the reader of the log.
    Stdout,
    /// Standard error, without a queue: the demo prints its stories on standard output.
    Stderr,
}

/// Reason why there is no log of the service.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log's filter cannot be read.
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    /// The system has no thread left for the log.
    #[error("the log's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
}

/// Filter of the log, as it was read from the configuration.
pub struct LogFilter(EnvFilter);

impl LogFilter {
    /// Reads the filter of the log.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Filter`].
    pub fn of(log: &Log) -> Result<LogFilter, LogError> {
        Ok(LogFilter(EnvFilter::builder().parse(&log.filter)?))
    }
}

/// Sets another filter of the log.
type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// Handle of the log that was started. When the handle is dropped, it waits for the last lines to be written, but not
/// for long.
#[must_use]
pub struct Logging {
    queue: Option<Queue>,
    set_filter: SetFilter,
}

impl Logging {
    /// Goes on with another filter of the log.
    pub fn set_filter(&self, filter: LogFilter) {
        if let Err(error) = (self.set_filter)(filter.0) {
            tracing::error!(%error, "log.filter stays as it was until a restart");
        }
    }
}

/// Maximum time at the end of the program for the last lines of the log to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

impl Drop for Logging {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.flush(FLUSH_MAX);
        }
    }
}

/// Starts logging to the given sink; a second call changes nothing.
///
/// # Errors
///
/// Any [`LogError`].
pub fn start(log: &Log, sink: Sink) -> Result<Logging, LogError> {
    let LogFilter(filter) = LogFilter::of(log)?;
    let (terminal, queue, writer) = match sink {
        Sink::Stdout => {
            let queue = Queue::start(io::stdout())?;
            let writer = BoxMakeWriter::new(queue.clone());
            (io::stdout().is_terminal(), Some(queue), writer)
        }
        Sink::Stderr => {
            let writer = BoxMakeWriter::new(io::stderr);
            (io::stderr().is_terminal(), None, writer)
        }
    };
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let no_color = std::env::var_os("NO_COLOR");
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(has_colours(terminal, no_color.as_deref()));
    // To start it fails only where logging has been started before.
    let set_filter: SetFilter = if json {
        let subscriber = subscriber
            .json()
            .flatten_event(true)
            .with_filter_reloading();
        let handle = subscriber.reload_handle();
        let _ = subscriber.try_init();
        Box::new(move |filter| handle.reload(filter))
    } else {
        let subscriber = subscriber.with_filter_reloading();
        let handle = subscriber.reload_handle();
        let _ = subscriber.try_init();
        Box::new(move |filter| handle.reload(filter))
    };
    if queue.is_some() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(Logging { queue, set_filter })
}

/// Returns `true` if the log's lines are coloured: a person reads them at a terminal, and `NO_COLOR` is not set.
fn has_colours(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Logs a panic of the program. On standard error, where Rust writes it by default, it could wait for a reader.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let reason = panic.payload_as_str().unwrap_or("for no known reason");
    let reason = redact::peer_text(reason);
    let at = panic.location().map(tracing::field::display);
    tracing::error!(
        reason,
        at,
        "a part of the program panicked, which is a fault in it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_without_no_color() {
        for (terminal, no_color, coloured) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (true, Some("0"), false),
            (false, None, false),
            (false, Some("1"), false),
        ] {
            let no_color = no_color.map(OsStr::new);
            assert_eq!(has_colours(terminal, no_color), coloured);
        }
    }
}
