//! The one list of figures, from which `/status` and `/metrics` both come.
//!
//! A figure that is added to a list below is in both; in `/metrics` its name follows from its key and its kind.

mod map;
mod projects;
mod service;
mod source;

use serde::ser::{Serialize, Serializer};
use serde_json::Value;

pub(super) use self::map::FigureMap;
pub(super) use self::projects::{API_FIGURES, SECRET_FIGURES};
pub(super) use self::service::FIGURES;
pub(super) use self::source::FigureSource;
use crate::metrics::Count;
use number_order::Time;

/// A figure of the whole service, or of one project's fetches.
pub(super) struct Figure<F> {
    /// Name of the figure in `/status`. A dot separates the name of an object from a name within it.
    pub key: &'static str,
    /// Description that can be understood without the other figures.
    pub help: &'static str,
    /// Function that reads the figure.
    pub read: fn(&F) -> Reading,
}

impl<F> Figure<F> {
    /// Returns the object of `/status` in which the figure stands: the part of the key before its dot.
    fn group(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(group, _)| group)
    }

    /// Returns the figure's name within its object.
    fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }
}

/// Value of a figure, which decides its form in `/status` and `/metrics`.
pub(super) enum Reading {
    /// Number of something at the present time.
    Count(u64),
    /// Number of occurrences since the start of the service, and the time of the last one.
    Tally(Count),
    /// Number of occurrences since the start of the service.
    Total(u64),
    /// Size in bytes; `None` if it is not known.
    Bytes(Option<u64>),
    /// Span in whole seconds, which may be negative.
    Secs(i64),
    /// Span in seconds, with its fraction.
    Span(f64),
    /// Start of a span, and its end, which is now; in `/metrics`, the length of the span.
    Since(Option<Time>, Time),
    /// Point in time; `None`: there is none.
    At(Option<Time>),
    /// Yes or no; `None` if it is not known yet.
    Flag(Option<bool>),
    /// Fault in words, if there is one; in `/metrics`, 1 or 0.
    Fault(Option<String>),
    /// A list of values; in `/metrics`, its length.
    List(Vec<Value>),
    /// One reading for each value of the named label, such as a project's id.
    By(&'static str, Vec<(String, Reading)>),
}

/// Returns one reading for each value of a label.
fn by<L: Into<String>, V>(
    label: &'static str,
    values: impl IntoIterator<Item = (L, V)>,
    read: impl Fn(V) -> Reading,
) -> Reading {
    let values = values.into_iter();
    Reading::By(
        label,
        values
            .map(|(name, value)| (name.into(), read(value)))
            .collect(),
    )
}

/// Returns the reading of a number that the database counted.
fn counted(number: i64) -> Reading {
    Reading::Count(u64::try_from(number).unwrap_or(0))
}

/// Returns the reading of a list.
fn listed(all: &[impl Serialize]) -> Reading {
    let all = all.iter();
    let all = all.map(|each| serde_json::to_value(each).unwrap_or_default());
    Reading::List(all.collect())
}

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Reading::Count(number) | Reading::Total(number) => number.serialize(to),
            Reading::Bytes(number) => number.serialize(to),
            Reading::Tally(count) => count.serialize(to),
            Reading::Secs(secs) => secs.serialize(to),
            Reading::Span(secs) => secs.serialize(to),
            Reading::Since(at, _) | Reading::At(at) => at.serialize(to),
            Reading::Flag(flag) => flag.serialize(to),
            Reading::Fault(words) => words.serialize(to),
            Reading::List(all) => all.serialize(to),
            Reading::By(_, readings) => {
                to.collect_map(readings.iter().map(|(label, each)| (label, each)))
            }
        }
    }
}
