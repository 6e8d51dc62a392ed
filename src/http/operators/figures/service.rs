//! Figures of the whole service.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use strum::VariantNames;

use super::Figure;
use super::Reading::{self, At, By, Bytes, Fault, Flag, List, Secs, Since, Span, Tally, Total};
use crate::clock;
use crate::http::operators::targets::{Attention, TargetView};
use crate::metrics::Metrics;
use crate::store::{QuarantineReason, Standing};
use notifications::ServiceAlert;
use number_order::{State, Time};

/// Word for the state of orders of which no state was ever said.
const UNKNOWN: &str = "UNKNOWN";

/// Sources from which the figures are read.
pub(in crate::http::operators) struct FigureSource {
    /// Time at which the figures are read.
    pub now: Time,
    /// Metrics that the service keeps of itself.
    pub metrics: Arc<Metrics>,
    /// State of orders and deliveries in the database.
    pub standing: Standing,
    /// Targets of notifications.
    pub targets: Vec<TargetView>,
}

impl FigureSource {
    /// Returns the number of alerts about the service that fire, by each kind.
    fn service_alerts_firing(&self) -> Vec<(String, Reading)> {
        let firing = &self.standing.service_alerts;
        let count = |code: &&str| {
            firing
                .iter()
                .filter(|row| row.alert.code() == *code)
                .count()
        };
        ServiceAlert::VARIANTS
            .iter()
            .map(|code| ((*code).to_owned(), Reading::Count(count(code) as u64)))
            .collect()
    }

    /// Returns a reading for each project and each reason for which its callbacks are in the quarantine; `read` takes both,
    /// and the number of them.
    fn by_project_and_reason(
        &self,
        read: impl Fn(&str, QuarantineReason, i64) -> Reading,
    ) -> Reading {
        let of_project = |counts: &[(String, QuarantineReason, i64)]| {
            let each = counts.iter().map(|(project, reason, kept)| {
                (reason.code().to_owned(), read(project, *reason, *kept))
            });
            By("reason", each.collect())
        };
        let projects = self
            .standing
            .summary
            .quarantined
            .chunk_by(|a, b| a.0 == b.0);
        let each = projects.filter_map(|counts| {
            let (project, ..) = counts.first()?;
            Some((project.clone(), of_project(counts)))
        });
        By("project", each.collect())
    }

    /// Returns the number of targets that an operator should see to, by each reason.
    fn targets_needing_attention(&self) -> Vec<(String, Reading)> {
        let targets = self.targets.iter();
        let found = targets.flat_map(|view| Attention::of_target(&view.row));
        let found: Vec<&str> = found.map(|reason| reason.code()).collect();
        let count = |code: &&str| found.iter().filter(|one| *one == code).count() as u64;
        Attention::VARIANTS
            .iter()
            .map(|code| ((*code).to_owned(), Reading::Count(count(code))))
            .collect()
    }

    /// Returns the number of orders in each state, of those too in which there is none.
    fn orders_by_state(&self) -> Vec<(String, Reading)> {
        let states = State::ALL.iter().map(|state| state.as_str());
        let mut counts: BTreeMap<&str, i64> =
            states.chain([UNKNOWN]).map(|state| (state, 0)).collect();
        let counted = &self.standing.summary.orders_by_state;
        counts.extend(
            counted
                .iter()
                .map(|count| (count.state.as_str(), count.orders)),
        );
        let readings = counts.into_iter();
        readings
            .map(|(state, orders)| (state.to_owned(), count_reading(orders)))
            .collect()
    }
}

fn count_reading(number: i64) -> Reading {
    Reading::Count(u64::try_from(number).unwrap_or(0))
}

fn list_reading(all: &[impl Serialize]) -> Reading {
    let all = all
        .iter()
        .map(|each| serde_json::to_value(each).unwrap_or_default());
    List(all.collect())
}

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
        read: |f| list_reading(&f.metrics.silent_workers()),
    },
    Figure {
        key: "log_lines_dropped",
        help: "Log lines dropped, since they were not read in time",
        read: |f| Total(f.metrics.log_lines_dropped()),
    },
    Figure {
        key: "callbacks_accepted",
        help: "Callbacks answered 200",
        read: |f| {
            let counts = f.metrics.accepted_counts().into_iter();
            By(
                "kind",
                counts
                    .map(|(kind, n)| (kind.to_owned(), Tally(n)))
                    .collect(),
            )
        },
    },
    Figure {
        key: "callbacks_refused",
        help: "Requests not answered 200",
        read: |f| {
            let counts = f.metrics.refused_counts().into_iter();
            By(
                "reason",
                counts
                    .map(|(why, n)| (why.code().to_owned(), Tally(n)))
                    .collect(),
            )
        },
    },
    Figure {
        key: "callbacks_verified",
        help: "Callbacks whose signature was made with the secret",
        read: |f| {
            let counts = f.metrics.secrets().counts().into_iter();
            By(
                "secret",
                counts.map(|(secret, n)| (secret, Tally(n))).collect(),
            )
        },
    },
    Figure {
        key: "callbacks_verified_at",
        help: "Time of the last callback whose signature was made with the secret",
        read: |f| {
            let counts = f.metrics.secrets().counts().into_iter();
            By(
                "secret",
                counts.map(|(secret, n)| (secret, At(n.last_at))).collect(),
            )
        },
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
        read: |f| count_reading(f.standing.summary.deliveries_waiting),
    },
    Figure {
        key: "oldest_pending_at",
        help: "Time since the receipt of the oldest delivery that is not processed yet",
        read: |f| Since(f.standing.summary.oldest_pending_at, f.now),
    },
    Figure {
        key: "deliveries_parked",
        help: "Deliveries that are parked for an operator",
        read: |f| count_reading(f.standing.summary.deliveries_parked),
    },
    Figure {
        key: "quarantined",
        help: "Callbacks that were refused, are perhaps genuine, and are kept, by what was wrong with them",
        read: |f| f.by_project_and_reason(|_, _, kept| count_reading(kept)),
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
        read: |f| By("state", f.orders_by_state()),
    },
    Figure {
        key: "orders_due",
        help: "Orders that are due for a fetch",
        read: |f| count_reading(f.standing.summary.orders_due),
    },
    Figure {
        key: "oldest_due_at",
        help: "Time for which an order has been due for a fetch, at most",
        read: |f| Since(f.standing.summary.oldest_due_at, f.now),
    },
    Figure {
        key: "orders_unsettled",
        help: "Orders of which something is open; up to a hundred thousand of each project are counted",
        read: |f| count_reading(f.standing.summary.unsettled()),
    },
    Figure {
        key: "orders_unsettled_by_project",
        help: "Orders of which something is open, by project: they wait for an answer of Sinch's",
        read: |f| {
            let counts = f.standing.summary.orders_unsettled.iter();
            By(
                "project",
                counts
                    .map(|(project, n)| (project.clone(), count_reading(*n)))
                    .collect(),
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
        read: |f| count_reading(f.standing.summary.orders_parked),
    },
    Figure {
        key: "numbers_not_ready",
        help: "Numbers of completed orders that are not ready; up to a hundred thousand are counted",
        read: |f| {
            let counts = f.standing.summary.numbers_not_ready.iter();
            let by_readiness =
                counts.map(|(readiness, n)| ((*readiness).to_owned(), count_reading(*n)));
            By("readiness", by_readiness.collect())
        },
    },
    Figure {
        key: "numbers_late",
        help: "Numbers that were not ready three days after their order was completed",
        read: |f| count_reading(f.standing.summary.numbers_late),
    },
    Figure {
        key: "orders_needing_attention",
        help: "Orders that need an operator's attention, by alert",
        read: |f| {
            let counts = f.standing.alerts_counted.iter();
            let by_condition = counts.map(|(alert, n)| (alert.label(), count_reading(*n)));
            By("alert", by_condition.collect())
        },
    },
    Figure {
        key: "service_alerts_firing",
        help: "Alerts about the service that fire, by kind",
        read: |f| By("alert", f.service_alerts_firing()),
    },
    Figure {
        key: "orders_not_fetched",
        help: "Orders that are not fetched: their project's API is off, or it is not configured",
        read: |f| {
            let counts = f.standing.summary.orders_not_fetched.iter();
            By(
                "project",
                counts
                    .map(|(project, n)| (project.clone(), count_reading(*n)))
                    .collect(),
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
        read: |f| count_reading(f.standing.newest_event),
    },
    Figure {
        key: "targets_needing_attention",
        help: "Targets of notifications that need an operator's attention, by reason",
        read: |f| By("reason", f.targets_needing_attention()),
    },
    Figure {
        key: "rows_unreadable",
        help: "Rows that cannot be read, of those that were met since the start; a hundred at most",
        read: |f| list_reading(&f.standing.summary.rows_unreadable),
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
