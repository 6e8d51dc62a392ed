//! Alerts about the service in words.

use std::fmt;

use super::{CallbackRefusal, SecretDrift, ServiceAlert};
use number_order::{Time, counted};

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
            ServiceAlert::Silence { changes, last_at } => write_silence(f, *changes, *last_at),
            ServiceAlert::CallbacksRefused { refusal } => {
                write!(f, "callbacks are refused: {refusal}")
            }
            ServiceAlert::UnknownSource {
                callbacks,
                addresses,
            } => write_unknown_source(f, *callbacks, addresses),
            ServiceAlert::SecretDrift { drift } => {
                write!(f, "{drift}; `sinch-callbacks rotate-secret` cures it")
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

fn write_silence(f: &mut fmt::Formatter<'_>, changes: u64, last_at: Option<Time>) -> fmt::Result {
    let changes = counted(changes, "change", "changes");
    match last_at {
        Some(at) => write!(
            f,
            "no callback has come since {at}, though Sinch shows {changes}"
        ),
        None => write!(f, "no callback has ever come, though Sinch shows {changes}"),
    }
}

fn write_unknown_source(
    f: &mut fmt::Formatter<'_>,
    callbacks: u64,
    addresses: &[String],
) -> fmt::Result {
    write!(
        f,
        "{} a valid signature and came from an address that is not allowed: {}",
        counted(callbacks, "callback has", "callbacks have"),
        addresses.join(", ")
    )
}

impl fmt::Display for CallbackRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallbackRefusal::Path => "no project has the path that Sinch calls",
            CallbackRefusal::Signature => "their signature is missing or wrong",
        })
    }
}

impl fmt::Display for SecretDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretDrift::OtherSecret => {
                "Sinch signs callbacks with a secret that is not configured here, so they are refused"
            }
            SecretDrift::NoSecret => {
                "Sinch has no secret to sign callbacks with, so they are refused"
            }
        })
    }
}
