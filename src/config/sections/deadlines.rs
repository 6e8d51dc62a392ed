//! Section `[deadlines]`: times after which an order or the service needs attention.

use std::ops::RangeInclusive;
use std::time::Duration;

use notifications::AlertLimits;
use number_order::{AlertKind, Limits};

use crate::config::keys::reader::Reader;

/// Bounds of deadlines, in seconds, up to a year.
const DEADLINE_SECS: RangeInclusive<f64> = 1.0..=31_536_000.0;

/// Bounds of the quiet time, in seconds: several checks must lie within it.
const QUIET_SECS: RangeInclusive<f64> = 30.0..=31_536_000.0;

/// Times after which something needs attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Deadlines {
    /// Thresholds of alerts about orders.
    pub orders: Limits,
    /// Times after which alerts about the service fire and are resolved.
    pub service: AlertLimits,
}

/// Reads the section `[deadlines]`.
pub fn read(reader: &mut Reader<'_>) -> Deadlines {
    let text = "Times at which an order or the service needs attention: /status, the log and an event say so, once for \
                each alert.";
    reader.section("deadlines", text, |keys| Deadlines {
        orders: of_orders(keys),
        service: of_service(keys),
    })
}

fn of_orders(keys: &mut Reader<'_>) -> Limits {
    Limits {
        expiring: distinct_spans(
            keys.doc(
                "Times before the reservation (expireTime) of an order runs out that has not \
                 been submitted.",
            )
            .seconds_list("expiring_secs", &[86_400.0, 7200.0, 900.0], DEADLINE_SECS),
        ),
        review: keys
            .doc("Time in review after which an order needs attention.")
            .seconds("review_secs", 604_800.0, DEADLINE_SECS),
        blocked: keys
            .doc("Time blocked after which an order needs attention.")
            .seconds("blocked_secs", 86_400.0, DEADLINE_SECS),
    }
}

fn of_service(keys: &mut Reader<'_>) -> AlertLimits {
    AlertLimits {
        trouble: keys
            .doc("Time for which fetches of a project, or attempts to tell a target, must fail before that is an alert.")
            .seconds("trouble_secs", 300.0, DEADLINE_SECS),
        silence: keys
            .doc(
                "Time without any callback of a project, after a change that Sinch shows and no callback announced, \
                 before that is an alert.",
            )
            .seconds("silence_secs", 86_400.0, DEADLINE_SECS),
        quiet: keys
            .doc("Time without trouble, refused callbacks or want of space after which the alert about it is resolved.")
            .seconds("quiet_secs", 900.0, QUIET_SECS),
    }
}

/// Returns the spans without repetitions. Two that an alert cannot tell apart are one threshold, not two alerts of one
/// name.
fn distinct_spans(mut spans: Vec<Duration>) -> Vec<Duration> {
    spans.sort();
    spans.dedup_by_key(|span| AlertKind::expiring(*span).threshold());
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spans_of_one_name_are_one() {
        let spans = [900.0, 172_800.0, 900.000_1, 900.0, 900.5].map(Duration::from_secs_f64);
        let expected = [900.0, 900.5, 172_800.0].map(Duration::from_secs_f64);
        assert_eq!(distinct_spans(spans.to_vec()), expected);
    }
}
