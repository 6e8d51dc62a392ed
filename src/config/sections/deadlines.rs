//! Section `[deadlines]`: times after which an order needs attention.

use std::ops::RangeInclusive;
use std::time::Duration;

use number_order::{AlertKind, Limits};

use crate::config::keys::reader::Reader;

/// Bounds of deadlines, in seconds, up to a year.
const DEADLINE_SECS: RangeInclusive<f64> = 1.0..=31_536_000.0;

/// Reads the section `[deadlines]`.
pub fn read(reader: &mut Reader<'_>) -> Limits {
    let text = "Times at which an order needs attention: /status and the log report it, once for each threshold.";
    reader.section("deadlines", text, |keys| Limits {
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
    })
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
