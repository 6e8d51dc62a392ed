//! Points in time as people write them: in full, or so long ago; and the periods between two of them.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::command_error::CommandError;
use crate::clock;
use number_order::Time;

/// Units of spans, each with its seconds.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];

/// Point in time that an option names.
#[derive(Clone, Debug)]
pub struct Moment {
    written: String,
    at: Time,
    /// The time as the service reads it.
    text: String,
}

impl Moment {
    /// Reads a point in time: in the form of RFC 3339, or the span since then.
    fn read(written: &str, now: Time) -> Result<Moment, String> {
        let in_full = serde_json::from_value(Value::from(written)).ok();
        let at = in_full.or_else(|| Some(now.minus(read_span(written)?)));
        let at: Time =
            at.ok_or("write a time, as 2026-01-31T12:00:00Z, or a span back from now, such as 30min, 2h or 3d")?;
        Ok(Moment {
            written: written.to_owned(),
            at,
            text: at.to_string(),
        })
    }

    /// Returns the time itself.
    pub fn at(&self) -> Time {
        self.at
    }

    /// Returns the time as the service reads it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what was written.
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl FromStr for Moment {
    type Err = String;

    /// Reads an argument. All spans of a command line count back from the same time, so that they can be compared.
    fn from_str(written: &str) -> Result<Moment, String> {
        static BEGAN: OnceLock<Time> = OnceLock::new();
        Moment::read(written, *BEGAN.get_or_init(clock::now))
    }
}

/// Period that a command is about, from `--since` to `--until`; it ends before the latter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period<'a> {
    pub since: Option<&'a Moment>,
    pub until: Option<&'a Moment>,
}

impl<'a> Period<'a> {
    /// Returns the period between two options.
    ///
    /// # Errors
    ///
    /// Fails if no time lies in it.
    pub fn between(
        since: Option<&'a Moment>,
        until: Option<&'a Moment>,
    ) -> Result<Period<'a>, CommandError> {
        if let (Some(since), Some(until)) = (since, until)
            && until.at <= since.at
        {
            return Err(CommandError::usage(format!(
                "--since {} is not before --until {}, so nothing lies between them: write the earlier time, or the \
                 longer span, as --since",
                since.written, until.written
            )));
        }
        Ok(Period { since, until })
    }

    /// Returns what is waited for, where a time of the period is yet to come; `None` where none is.
    pub fn awaited(self, now: Time) -> Option<String> {
        let is_to_come = |moment: &&Moment| moment.at > now;
        let since = self.since.filter(is_to_come).map(|since| {
            let since = &since.written;
            format!("nothing is told before --since {since}, which is yet to come")
        });
        let until = self.until.filter(is_to_come).map(|until| {
            let until = &until.written;
            format!("this ends at --until {until}, which is yet to come")
        });
        let awaited: Vec<String> = since.into_iter().chain(until).collect();
        (!awaited.is_empty()).then(|| awaited.join("; "))
    }

    /// Returns the parameters of the API that choose the period.
    pub fn params(self) -> [(&'static str, Option<&'a str>); 2] {
        [
            ("since", self.since.map(Moment::text)),
            ("until", self.until.map(Moment::text)),
        ]
    }
}

/// Reads a span of time.
pub(super) fn span(text: &str) -> Result<Duration, &'static str> {
    read_span(text).ok_or("write a span such as 30s, 30min, 2h or 3d")
}

fn read_span(text: &str) -> Option<Duration> {
    UNITS.iter().find_map(|(unit, secs)| {
        let count: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        Some(Duration::from_secs(count.checked_mul(*secs)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_span_is_read() {
        let now = Time(200_000_000_000);
        for (text, expected) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000)),
            ("30s", Some(199_970_000_000)),
            ("2 min", Some(199_880_000_000)),
            ("1h", Some(196_400_000_000)),
            ("2d", Some(27_200_000_000)),
            ("", None),
            ("h", None),
            ("-1h", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
            ("yesterday", None),
        ] {
            let read = Moment::read(text, now).ok();
            assert_eq!(read.as_ref().map(Moment::at), expected.map(Time), "{text}");
            let sent = expected.map(|at| Time(at).to_string());
            assert_eq!(read.as_ref().map(Moment::text), sent.as_deref(), "{text}");
        }
    }

    #[test]
    fn a_period_ends_after_it_begins() {
        let now = Time(200_000_000_000);
        let moment = |text: &str| Moment::read(text, now).expect("a time");
        for (since, until, is_period) in [
            (Some("2min"), Some("1min"), true),
            (Some("1d"), Some("0s"), true),
            (Some("1h"), Some("1970-01-04T00:00:00Z"), true),
            (Some("1min"), None, true),
            (None, Some("2min"), true),
            (None, None, true),
            (Some("1min"), Some("2min"), false),
            (Some("60s"), Some("1min"), false),
            (Some("1970-01-04T00:00:00Z"), Some("1s"), false),
        ] {
            let [begins, ends] = [since, until].map(|text| text.map(moment));
            let period = Period::between(begins.as_ref(), ends.as_ref());
            assert_eq!(period.is_ok(), is_period, "{since:?} {until:?}");
            if let (Err(error), Some(since), Some(until)) = (period, since, until) {
                let said = error.to_string();
                for named in [format!("--since {since}"), format!("--until {until}")] {
                    assert!(said.contains(&named), "{named}: {said}");
                }
            }
        }
    }

    #[test]
    fn what_is_yet_to_come_is_said() {
        let moment = |text: &str| text.parse::<Moment>().expect("a time");
        let [past, now, later] = [
            "2026-01-31T11:00:00Z",
            "2026-01-31T12:00:00Z",
            "2026-01-31T13:00:00Z",
        ]
        .map(moment);
        let last = moment("2026-01-31T14:00:00Z");
        let told = "nothing is told before --since 2026-01-31T13:00:00Z";
        let ends = "this ends at --until 2026-01-31T14:00:00Z";
        for (since, until, expected) in [
            (None, None, &[][..]),
            (Some(&past), Some(&now), &[]),
            (Some(&past), Some(&last), &[ends]),
            (None, Some(&last), &[ends]),
            (Some(&later), None, &[told]),
            (Some(&later), Some(&last), &[told, ends]),
        ] {
            let said = Period { since, until }.awaited(now.at());
            assert_eq!(said.is_some(), !expected.is_empty(), "{said:?}");
            let said = said.unwrap_or_default();
            for words in [told, ends] {
                assert_eq!(said.contains(words), expected.contains(&words), "{said}");
            }
        }
    }

    #[test]
    fn spans_of_one_command_line_count_back_from_the_same_time() {
        let [a, b] = ["1min", "60s"].map(|text| text.parse::<Moment>().expect("a span"));
        assert_eq!(a.at(), b.at());
    }
}
