//! Alerts about the service in words.

use std::fmt;

use super::{CallbackRefusal, ServiceAlert};

impl fmt::Display for ServiceAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceAlert::OrdersParked { orders } => {
                write!(f, "{} parked", counted(*orders, "order is", "orders are"))
            }
            ServiceAlert::DeliveriesParked { deliveries } => write!(
                f,
                "{} parked within a day",
                counted(*deliveries, "delivery was", "deliveries were")
            ),
            ServiceAlert::ProviderTrouble { reason } => write!(f, "fetches fail: {reason}"),
            ServiceAlert::Silence { changes, last_at } => {
                let changes = counted(*changes, "change", "changes");
                match last_at {
                    Some(at) => write!(
                        f,
                        "no callback has come since {at}, though Sinch shows {changes}"
                    ),
                    None => write!(f, "no callback has ever come, though Sinch shows {changes}"),
                }
            }
            ServiceAlert::CallbacksRefused { refusal } => {
                write!(f, "callbacks are refused: {refusal}")
            }
            ServiceAlert::DiskLow(disk) => write!(
                f,
                "{} bytes are free on the database's disk; below {} callbacks are refused",
                disk.free_bytes, disk.refused_below_bytes
            ),
            ServiceAlert::DiskFull(disk) => write!(
                f,
                "callbacks are refused: {} bytes are free on the database's disk, less than {}",
                disk.free_bytes, disk.refused_below_bytes
            ),
            ServiceAlert::TargetFailing { target, since } => {
                write!(
                    f,
                    "target {target:?}: all attempts have failed since {since}"
                )
            }
            ServiceAlert::TargetSwitchedOff { target } => write!(
                f,
                "target {target:?} answered 410: it is told nothing until it is resumed"
            ),
            ServiceAlert::NotificationsParked {
                target,
                notifications,
            } => write!(
                f,
                "target {target:?}: {} parked",
                counted(*notifications, "notification is", "notifications are")
            ),
            ServiceAlert::WorkerSilent { worker } => {
                write!(
                    f,
                    "worker {worker} has done nothing, or nothing but fail, for a minute"
                )
            }
        }
    }
}

impl fmt::Display for CallbackRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallbackRefusal::Path => "no project has the path that Sinch calls",
            CallbackRefusal::Signature => "their signature is missing or wrong",
        })
    }
}

/// Returns a number with the words for one or for several.
fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
