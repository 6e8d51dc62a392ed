//! Figures of the whole service.

use super::Reading::{self, At, Bytes, Fault, Flag, Secs, Since, Span, Tally, Total};
use super::{Figure, FigureSource, by, counted, listed};
use crate::clock;

/// Figures of the whole service.
pub(in crate::http::operators) const FIGURES: &[Figure<FigureSource>] = &[
    Figure {
        key: "uptime_secs",
        help: "Time since the start; a reload does not end it",
        read: |f| Secs(i64::try_from(f.metrics.uptime().as_secs()).unwrap_or(i64::MAX)),
    },
    Figure {
        key: "reloaded_at",
        help: "Time of the last reload, at which all counts began anew",
        read: |f| At(f.metrics.reloaded_at()),
    },
    Figure {
        key: "draining",
        help: "1 if the service is about to stop",
        read: |f| Flag(Some(f.metrics.is_draining())),
    },
    Figure {
        key: "clock_set_by_secs",
        help: "Seconds by which the clock was set since the start; a restart follows it",
        read: |_| Secs(clock::set_by_secs()),
    },
    Figure {
        key: "silent_workers",
        help: "Workers that have done nothing, or nothing but fail, for a minute",
        read: |f| listed(&f.metrics.silent_workers()),
    },
    Figure {
        key: "log_lines_dropped",
        help: "Log lines dropped, since they were not read in time",
        read: |f| Total(f.metrics.log_lines_dropped()),
    },
    Figure {
        key: "callbacks_accepted",
        help: "Callbacks answered 200",
        read: |f| by("kind", f.metrics.accepted_counts(), Tally),
    },
    Figure {
        key: "callbacks_refused",
        help: "Requests not answered 200",
        read: |f| {
            let counts = f.metrics.refused_counts().into_iter();
            by("reason", counts.map(|(why, n)| (why.code(), n)), Tally)
        },
    },
    Figure {
        key: "callbacks_verified",
        help: "Callbacks whose signature was made with the secret",
        read: |f| by("secret", f.metrics.secrets().counts(), Tally),
    },
    Figure {
        key: "callbacks_verified_at",
        help: "Time of the last callback whose signature was made with the secret",
        read: |f| by("secret", f.metrics.secrets().counts(), |n| At(n.last_at)),
    },
    Figure {
        key: "timestamps_unreadable",
        help: "Callbacks whose time stamp is there and cannot be read",
        read: |f| Tally(f.metrics.timestamps_unreadable()),
    },
    Figure {
        key: "last_delivery_at",
        help: "Receipt of the last callback, of those that are kept",
        read: |f| At(f.standing.summary.last_delivery_at),
    },
    Figure {
        key: "last_fetched_at",
        help: "Time of the last fetch",
        read: |f| At(f.standing.summary.last_fetched_at),
    },
    Figure {
        key: "deliveries_waiting",
        help: "Deliveries not processed yet; up to a hundred thousand are counted",
        read: |f| counted(f.standing.summary.deliveries_waiting),
    },
    Figure {
        key: "oldest_pending_at",
        help: "Time since the receipt of the oldest delivery that is not processed yet",
        read: |f| Since(f.standing.summary.oldest_pending_at, f.now),
    },
    Figure {
        key: "deliveries_parked",
        help: "Deliveries that are parked for an operator",
        read: |f| counted(f.standing.summary.deliveries_parked),
    },
    Figure {
        key: "quarantined",
        help: "Callbacks that were refused, are perhaps genuine, and are kept, by what was wrong with them",
        read: |f| f.by_project_and_reason(|_, _, kept| counted(kept)),
    },
    Figure {
        key: "quarantine_dropped",
        help: "Callbacks that were refused, are perhaps genuine, and found no room",
        read: |f| {
            let metrics = &f.metrics;
            f.by_project_and_reason(|project, reason, _| {
                Total(metrics.quarantine_drops(project, reason))
            })
        },
    },
    Figure {
        key: "sources_unexamined",
        help: "Requests from sources that are not allowed that were refused without an examination of their signature",
        read: |f| Total(f.metrics.sources_unexamined()),
    },
    Figure {
        key: "orders_by_state",
        help: "Orders by state, provisional before confirmed",
        read: |f| f.orders_by_state(),
    },
    Figure {
        key: "orders_due",
        help: "Orders that are due for a fetch",
        read: |f| counted(f.standing.summary.orders_due),
    },
    Figure {
        key: "oldest_due_at",
        help: "Time for which an order has been due for a fetch, at most",
        read: |f| Since(f.standing.summary.oldest_due_at, f.now),
    },
    Figure {
        key: "orders_unsettled",
        help: "Orders of which something is open; up to a hundred thousand of each project are counted",
        read: |f| counted(f.standing.summary.unsettled()),
    },
    Figure {
        key: "orders_unsettled_by_project",
        help: "Orders of which something is open, by project: they wait for an answer of Sinch's",
        read: |f| {
            by(
                "project",
                f.standing.summary.orders_unsettled.clone(),
                counted,
            )
        },
    },
    Figure {
        key: "oldest_unsettled_at",
        help: "Time for which an order has been unsettled, at most",
        read: |f| Since(f.standing.summary.oldest_unsettled_at, f.now),
    },
    Figure {
        key: "orders_parked",
        help: "Orders that are not fetched until an event comes or an operator requests it",
        read: |f| counted(f.standing.summary.orders_parked),
    },
    Figure {
        key: "numbers_not_ready",
        help: "Numbers of completed orders that are not ready; up to a hundred thousand are counted",
        read: |f| {
            by(
                "readiness",
                f.standing.summary.numbers_not_ready.clone(),
                counted,
            )
        },
    },
    Figure {
        key: "numbers_late",
        help: "Numbers that were not ready three days after their order was completed",
        read: |f| counted(f.standing.summary.numbers_late),
    },
    Figure {
        key: "orders_needing_attention",
        help: "Orders that need an operator's attention, by alert",
        read: |f| {
            let counts = f.standing.alerts_counted.iter();
            by(
                "alert",
                counts.map(|(alert, n)| (alert.label(), *n)),
                counted,
            )
        },
    },
    Figure {
        key: "service_alerts_firing",
        help: "Alerts about the service that fire, by kind",
        read: |f| f.service_alerts_firing(),
    },
    Figure {
        key: "orders_not_fetched",
        help: "Orders that are not fetched: their project's API is off, or it is not configured",
        read: |f| {
            by(
                "project",
                f.standing.summary.orders_not_fetched.clone(),
                counted,
            )
        },
    },
    Figure {
        key: "convergence.changes",
        help: "The last confirmed changes of orders' states, from which the convergence figures come",
        read: |f| Reading::Count(f.standing.summary.convergence.changes as u64),
    },
    Figure {
        key: "convergence.unannounced",
        help: "Of the last confirmed changes, those that no event had announced",
        read: |f| Reading::Count(f.standing.summary.convergence.unannounced as u64),
    },
    Figure {
        key: "convergence.p50_secs",
        help: "Half of the last confirmed changes were confirmed within this time",
        read: |f| Span(f.standing.summary.convergence.p50_secs),
    },
    Figure {
        key: "convergence.p90_secs",
        help: "Nine in ten of the last confirmed changes were confirmed within this time",
        read: |f| Span(f.standing.summary.convergence.p90_secs),
    },
    Figure {
        key: "convergence.max_secs",
        help: "All of the last confirmed changes were confirmed within this time",
        read: |f| Span(f.standing.summary.convergence.max_secs),
    },
    Figure {
        key: "newest_event",
        help: "Number of the newest event of which other systems are told",
        read: |f| counted(f.standing.newest_event),
    },
    Figure {
        key: "targets_needing_attention",
        help: "Targets of notifications that need an operator's attention, by reason",
        read: |f| f.targets_needing_attention(),
    },
    Figure {
        key: "rows_unreadable",
        help: "Rows that cannot be read, of those that were met since the start; a hundred at most",
        read: |f| listed(&f.standing.summary.rows_unreadable),
    },
    Figure {
        key: "database_bytes",
        help: "Size of the database",
        read: |f| Bytes(Some(f.standing.summary.database_bytes)),
    },
    Figure {
        key: "wal_bytes",
        help: "Size of the database's write-ahead log",
        read: |f| Bytes(f.standing.summary.wal_bytes),
    },
    Figure {
        key: "disk_free_bytes",
        help: "Bytes that are free on the database's disk",
        read: |f| Bytes(f.standing.summary.disk_free_bytes),
    },
    Figure {
        key: "little_space",
        help: "1 if callbacks are refused for want of space",
        read: |f| Fault(f.standing.summary.little_space.clone()),
    },
];
