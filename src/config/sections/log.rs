//! Section `[log]`: format and filter of the log.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::keys::reader::{Reader, default_of};

/// Text of Cargo's lock file, which names every crate that the program is made of.
const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

/// Section `[log]`: format and filter of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Format of a line of the log.
    pub format: LogFormat,
    /// Filter of the log, in the syntax of `EnvFilter`, which has parsed it without an error.
    pub filter: String,
}

/// Format of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line of the log is text on a terminal, and JSON elsewhere.
    Auto,
    /// A line of the log is JSON, for programs.
    Json,
    /// A line of the log is text, for people.
    Text,
}

impl Default for Log {
    fn default() -> Log {
        default_of(Log::read)
    }
}

impl Log {
    /// Reads the section `[log]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Log {
        reader.section("log", "Format and content of the log.", |keys| Log {
            format: keys
                .doc("\"json\" for programs, \"text\" for people, \"auto\": text on a terminal, else json.")
                .word(
                    "format",
                    &[
                        ("auto", LogFormat::Auto),
                        ("json", LogFormat::Json),
                        ("text", LogFormat::Text),
                    ],
                ),
            filter: read_filter(keys),
        })
    }
}

fn read_filter(keys: &mut Reader<'_>) -> String {
    let filter = keys
        .doc("Levels, for all or by module: \"info\", \"sinch_callbacks=debug,warn\".")
        .text("filter", "info");
    if let Err(what) = check_filter(&filter) {
        keys.fault(&keys.at("filter"), &what);
    }
    filter
}

/// Refuses a directive that names neither a level nor an existing crate. `EnvFilter` takes any word for a
/// target, and then logs nothing else: a mistake would silence the whole log.
fn check_filter(filter: &str) -> Result<(), String> {
    const FILTER_CURE: &str = "write such as \"info\" or \"sinch_callbacks=debug,warn\"";
    if filter.contains(char::is_whitespace) {
        return Err(format!("holds a blank; {FILTER_CURE}"));
    }
    EnvFilter::try_new(filter).map_err(|error| format!("{error}; {FILTER_CURE}"))?;
    let directives = filter.split(',');
    let directives = directives
        .filter(|directive| !directive.is_empty())
        .collect::<Vec<_>>();
    if directives.is_empty() {
        return Err(format!("empty; {FILTER_CURE}"));
    }
    directives
        .into_iter()
        .try_for_each(check_directive)
        .map_err(|what| format!("{what}; {FILTER_CURE}"))
}

fn check_directive(text: &str) -> Result<(), String> {
    let Some((target, level)) = text.split_once('=') else {
        return match text.parse::<LevelFilter>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!(
                "{text:?} is none of the levels error, warn, info, debug, trace and off"
            )),
        };
    };
    if level.is_empty() {
        return Err(format!("{text:?} has no level"));
    }
    let name = target.split("::").next().unwrap_or(target);
    if is_crate(name) {
        Ok(())
    } else {
        Err(format!("no crate of this program is called {name:?}"))
    }
}

fn is_crate(name: &str) -> bool {
    let names = LOCK_FILE
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names
        .map(|known| known.replace('-', "_"))
        .any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Filters, each with a part of its fault; empty if there is none.
    const FILTERS: &[(&str, &str)] = &[
        ("info", ""),
        ("WARN", ""),
        ("off", ""),
        ("3", ""),
        ("sinch_callbacks=debug,warn", ""),
        ("info,sqlx=warn,hyper_util=trace", ""),
        ("info,", ""),
        (
            "sinch_callbacks::worker::ask=trace,rustls=off,reqwest=debug,tower_http=info,axum=info",
            "",
        ),
        ("", "empty"),
        (" ", "holds a blank"),
        ("info, sqlx=warn", "holds a blank"),
        (",", "empty"),
        ("warning", "\"warning\" is none of the levels"),
        ("verbose", "\"verbose\" is none of the levels"),
        ("infoo,warn", "\"infoo\" is none of the levels"),
        ("6", "\"6\" is none of the levels"),
        (
            "sinch_callbacks",
            "\"sinch_callbacks\" is none of the levels",
        ),
        (
            "sinch-callbacks=debug",
            "no crate of this program is called \"sinch-callbacks\"",
        ),
        (
            "sinch=debug",
            "no crate of this program is called \"sinch\"",
        ),
        (
            "Sinch_callbacks=debug",
            "no crate of this program is called \"Sinch_callbacks\"",
        ),
        (
            "worker=debug",
            "no crate of this program is called \"worker\"",
        ),
        ("sinch_callbacks.worker=debug", "no crate"),
        ("debug=sinch_callbacks", "expected one of"),
        ("sinch_callbacks=verbose", "expected one of"),
        ("sinch_callbacks=", "has no level"),
        ("sinch_callbacks = debug", "holds a blank"),
        ("info;warn", "none of the levels"),
        ("info warn", "holds a blank"),
        ("\"info\"", "invalid filter"),
        ("[ask]", "none of the levels"),
        ("[ask]=debug", "no crate"),
    ];

    #[test]
    fn levels_and_crates_must_exist() {
        for (filter, fault) in FILTERS {
            let found = check_filter(filter);
            if fault.is_empty() {
                assert_eq!(found, Ok(()), "{filter:?}");
            } else {
                let found = found.expect_err(filter);
                assert!(
                    found.contains(fault) && found.contains("write such as"),
                    "{filter:?}: {found}"
                );
            }
        }
    }
}
