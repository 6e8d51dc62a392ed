//! Logs: one JSON object a line, or text for a person at a terminal.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::{Log, LogFormat};

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Standard output: the service's only product there.
    Stdout,
    /// Standard error, where standard output belongs to a person.
    Stderr,
}

/// Starts logging; a second call changes nothing.
///
/// # Errors
///
/// When the filter cannot be read.
pub fn start(log: &Log, sink: Sink) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let (terminal, writer) = match sink {
        Sink::Stdout => (
            std::io::stdout().is_terminal(),
            BoxMakeWriter::new(std::io::stdout),
        ),
        Sink::Stderr => (
            std::io::stderr().is_terminal(),
            BoxMakeWriter::new(std::io::stderr),
        ),
    };
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !terminal,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(terminal);
    // Fails only where logging has been started before.
    let _ = match json {
        true => subscriber.json().flatten_event(true).try_init(),
        false => subscriber.try_init(),
    };
    Ok(())
}
