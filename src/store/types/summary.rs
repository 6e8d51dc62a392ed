//! Summary of the whole database, for the operators.

use super::{AlertRow, QuarantineReason, ServiceAlertRow, TargetRow, UnreadableRow};
use number_order::{AlertKind, Time};

/// Figures of the whole database.
///
/// Waiting, open and parked orders are counted only of projects that are fetched: the orders of other projects are
/// never fetched.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Number of orders in each state; `UNKNOWN` counts those of which no state was ever said.
    pub orders_by_state: Vec<StateCount>,
    /// Number of orders of each project that is not fetched, since its API is off or it is not configured any more;
    /// counted up to a hundred thousand.
    pub orders_not_fetched: Vec<(String, i64)>,
    /// Time of receipt of the oldest delivery that is not processed.
    pub oldest_pending_at: Option<Time>,
    /// Number of orders that are due for a fetch now.
    pub orders_due: i64,
    /// Earliest time since which any order is due.
    pub oldest_due_at: Option<Time>,
    /// Number of orders of each project that is fetched of which something is open: a hint, a tie, or every state; counted
    /// up to a hundred thousand. Parked orders are counted apart.
    pub orders_unsettled: Vec<(String, i64)>,
    /// Earliest time since which something is open about any order, by the time stamp of the event.
    pub oldest_unsettled_at: Option<Time>,
    /// Number of parked orders: they are not fetched any more until an event arrives or an operator requests a fetch.
    pub orders_parked: i64,
    /// Numbers of completed orders that are not ready, by the code of their readiness; `unknown` counts those of which
    /// no answer has come yet. Counted up to a hundred thousand.
    pub numbers_not_ready: Vec<(&'static str, i64)>,
    /// Numbers that were not ready days after their order was completed; counted up to a hundred thousand.
    pub numbers_late: i64,
    /// Number of deliveries that are not processed; counted up to a hundred thousand.
    pub deliveries_waiting: i64,
    /// Number of parked deliveries, which an operator must look at.
    pub deliveries_parked: i64,
    /// Number of callbacks in the quarantine, of each project for each reason, those included that are zero.
    pub quarantined: Vec<(String, QuarantineReason, i64)>,
    /// Time of receipt of the last delivery, of those that are kept.
    pub last_delivery_at: Option<Time>,
    /// Time of the last fetch of any order.
    pub last_fetched_at: Option<Time>,
    /// Delay and announcement of the last thousand confirmed changes.
    pub convergence: Convergence,
    /// Rows that cannot be read: those that were met since the start, a hundred at most. The rows of orders have just
    /// been tried again.
    pub rows_unreadable: Vec<UnreadableRow>,
    /// Size of the database, in bytes.
    pub database_bytes: u64,
    /// Size of the database's write-ahead log, in bytes; `None` if the backend cannot tell.
    pub wal_bytes: Option<u64>,
    /// Number of bytes that are free on the database's disk; `None` if the backend cannot tell.
    pub disk_free_bytes: Option<u64>,
    /// Reason why callbacks are refused for lack of space; `null` if they are accepted.
    pub little_space: Option<String>,
}

impl Summary {
    /// Returns the number of orders of which something is open, of all projects.
    pub fn unsettled(&self) -> i64 {
        self.orders_unsettled.iter().map(|(_, orders)| orders).sum()
    }
}

/// Convergence of confirmed changes: how soon each was confirmed after Sinch made it (or after the order was first
/// heard of), and how many of them no event had announced. The latter is the share of callbacks that were lost, or
/// slower than the service's own fetches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Convergence {
    /// Number of confirmed changes that the figures are about: at most a thousand, of the last four thousand changes of
    /// any kind.
    pub changes: usize,
    /// Number of the confirmed changes that no event had announced.
    pub unannounced: usize,
    /// Time within which half of the changes were confirmed, in seconds.
    pub p50_secs: f64,
    /// Time within which nine in ten of the changes were confirmed, in seconds.
    pub p90_secs: f64,
    /// Time within which all of the changes were confirmed, in seconds.
    pub max_secs: f64,
}

impl Convergence {
    /// Computes the figures from confirmed changes. Each change has 1 if an event had announced it, and the
    /// microseconds until its confirmation.
    pub(in crate::store) fn of(changes: &[(i64, i64)]) -> Convergence {
        let mut took: Vec<i64> = changes.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let at = |share: f64| {
            let rank = (took.len() as f64 * share).ceil() as usize;
            let micros = took.get(rank.saturating_sub(1)).copied().unwrap_or(0);
            micros as f64 / 1e6
        };
        Convergence {
            changes: took.len(),
            unannounced: changes
                .iter()
                .filter(|(announced, _)| *announced == 0)
                .count(),
            p50_secs: at(0.5),
            p90_secs: at(0.9),
            max_secs: at(1.0),
        }
    }
}

/// Number of orders in a state.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// Sinch's word for the state, or `UNKNOWN`.
    pub state: String,
    /// Number of orders in the state.
    pub orders: i64,
}

/// Summary of the database and the alerts that fire, as of one moment.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Figures of the whole database.
    pub summary: Summary,
    /// Orders with an alert that fires: the most urgent of each kind of alert.
    pub alerts: Vec<AlertRow>,
    /// Number of orders of each kind of alert that can fire; counted up to a hundred thousand.
    pub alerts_counted: Vec<(AlertKind, i64)>,
    /// Alerts about the service that fire, the oldest first.
    pub service_alerts: Vec<ServiceAlertRow>,
    /// All targets, also those that are not configured any more.
    pub targets: Vec<TargetRow>,
    /// Number of the newest event.
    pub newest_event: i64,
}
