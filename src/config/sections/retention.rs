//! Section `[retention]`: periods for which stored data is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::keys::reader::{Reader, default_of};
use crate::config::keys::values::in_days;

/// Bounds of retention periods, in days, from about a second, for simulations, to a hundred years.
const RETENTION_DAYS: RangeInclusive<f64> = 0.00001..=36_500.0;

/// Section `[retention]`: periods after which the worker prunes data.
#[derive(Clone, Debug, PartialEq)]
pub struct Retention {
    /// Period for which the service keeps raw bodies of deliveries that were understood and processed. Longer than
    /// zero.
    pub bodies: Duration,
    /// Period for which the service keeps deliveries that were understood and processed, and answers of Sinch. Not less
    /// than that of bodies.
    pub deliveries: Duration,
    /// Period for which the service keeps parked deliveries. Not less than that of other deliveries.
    pub parked: Duration,
    /// Period for which the service keeps callbacks that it refused and that are perhaps genuine.
    pub quarantine: Duration,
    /// Period for which the service keeps events and delivered notifications.
    pub events: Duration,
    /// Period for which the service keeps closed orders. Not less than that of any delivery.
    pub orders: Duration,
}

impl Default for Retention {
    fn default() -> Retention {
        default_of(Retention::read)
    }
}

impl Retention {
    /// Reads the section `[retention]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Retention {
        let text = "Retention periods. Days may have a fraction.";
        reader.section("retention", text, read_keys)
    }
}

fn read_keys(keys: &mut Reader<'_>) -> Retention {
    let retention = Retention {
        bodies: keys
            .doc(
                "Raw bodies of callbacks that were understood and processed. What they said is \
                 kept, and duplicates and conflicts are still told apart.",
            )
            .days("bodies_days", 30.0, RETENTION_DAYS),
        deliveries: keys
            .doc(
                "These callbacks themselves. A callback that comes again after that counts as \
                 new. Fetches are kept for the same time, and the ten newest of each order \
                 always. Not below bodies_days.",
            )
            .days("deliveries_days", 90.0, RETENTION_DAYS),
        parked: keys
            .doc("Callbacks that are parked, with their bodies. Not below deliveries_days.")
            .days("parked_days", 365.0, RETENTION_DAYS),
        quarantine: keys
            .doc("Callbacks that were refused and are perhaps genuine, with their bodies.")
            .days("quarantine_days", 30.0, RETENTION_DAYS),
        events: keys
            .doc(
                "Events, and what was told to targets. The feed can be read back to here. The newest event of each order \
                 stays, and what a target is still to be told. Where orders_days is less, that counts.",
            )
            .days("events_days", 30.0, RETENTION_DAYS),
        orders: keys
            .doc(
                "Orders that are at their end and settled, with their history, counted from the \
                 last event or fetch. Not below parked_days.",
            )
            .days("orders_days", 400.0, RETENTION_DAYS),
    };
    let bodies = ("bodies_days", in_days(retention.bodies));
    let deliveries = ("deliveries_days", in_days(retention.deliveries));
    let parked = ("parked_days", in_days(retention.parked));
    let orders = ("orders_days", in_days(retention.orders));
    keys.not_below(deliveries, bodies);
    keys.not_below(parked, deliveries);
    keys.not_below(orders, parked);
    retention
}
