//! `[deadlines]`: times after which an order needs attention.

use std::ops::RangeInclusive;

use number_order::Limits;

use crate::config::keys::reader::Reader;

/// Bounds of deadlines, up to a year.
const DEADLINE_SECS: RangeInclusive<f64> = 1.0..=31_536_000.0;

/// Reads the section.
pub fn read(reader: &mut Reader<'_>) -> Limits {
    let text = "Times at which an order needs attention: /status and the log report it, once for each threshold.";
    reader.section("deadlines", text, |keys| Limits {
        expiring: keys
            .doc(
                "Times before the reservation (expireTime) of an order runs out that has not \
                 been submitted.",
            )
            .seconds_list("expiring_secs", &[86_400.0, 7200.0, 900.0], DEADLINE_SECS),
        review: keys
            .doc("Time in review after which an order needs attention.")
            .seconds("review_secs", 604_800.0, DEADLINE_SECS),
        blocked: keys
            .doc("Time blocked after which an order needs attention.")
            .seconds("blocked_secs", 86_400.0, DEADLINE_SECS),
    })
}
