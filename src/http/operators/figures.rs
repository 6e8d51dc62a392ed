//! The one list of figures, from which `/status` and `/metrics` both come.
//!
//! A figure that is added to a list below is in both; in `/metrics` its name follows from its key and its kind.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use strum::VariantNames;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType};
use utoipa::{PartialSchema, ToSchema};

use super::targets::{Attention, TARGET_FIGURES, TargetView};
use crate::clock;
use crate::metrics::{ApiView, Count, Metrics, SecretView};
use crate::store::{QuarantineReason, Standing};
use notifications::{SecretComparison, ServiceAlert};
use number_order::Time;

/// Sources from which the figures are read.
pub(super) struct FigureSource {
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
}

/// A figure of the whole service, or of one project's fetches.
pub(super) struct Figure<F> {
    /// Name of the figure in `/status`. A dot separates the name of an object from a name within it.
    pub key: &'static str,
    /// Description that can be understood without the other figures.
    pub help: &'static str,
    /// Function that reads the figure.
    pub read: fn(&F) -> Reading,
}

/// Value of a figure, which decides its form in `/status` and `/metrics`.
pub(super) enum Reading {
    /// Number of something at the present time.
    Count(u64),
    /// Number of occurrences since the start of the service, and the time of the last one.
    Tally(Count),
    /// Number of occurrences since the start of the service.
    Total(u64),
    /// Size in bytes; `None` if it is not known.
    Bytes(Option<u64>),
    /// Span in whole seconds, which may be negative.
    Secs(i64),
    /// Span in seconds, with its fraction.
    Span(f64),
    /// Start of a span, and its end, which is now; in `/metrics`, the length of the span.
    Since(Option<Time>, Time),
    /// Point in time; `None`: there is none.
    At(Option<Time>),
    /// Yes or no; `None` if it is not known yet.
    Flag(Option<bool>),
    /// Fault in words, if there is one; in `/metrics`, 1 or 0.
    Fault(Option<String>),
    /// A list of values; in `/metrics`, its length.
    List(Vec<Value>),
    /// One reading for each value of the named label, such as a project's id.
    By(&'static str, Vec<(String, Reading)>),
}

use Reading::{At, By, Bytes, Fault, Flag, List, Secs, Since, Span, Tally, Total};

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
pub(super) const FIGURES: &[Figure<FigureSource>] = &[
    Figure {
        key: "uptime_secs",
        help: "Time since the start",
        read: |f| Secs(i64::try_from(f.metrics.uptime().as_secs()).unwrap_or(i64::MAX)),
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
        read: |f| {
            let counts = f.standing.summary.orders_by_state.iter();
            let by_state = counts.map(|each| (each.state.clone(), count_reading(each.orders)));
            By("state", by_state.collect())
        },
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
        help: "Orders of which something is open; up to a hundred thousand are counted",
        read: |f| count_reading(f.standing.summary.orders_unsettled),
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

/// Figures of one project's fetches. `/status` shows them under `api` and the project, `/metrics` with a prefix and a
/// label.
pub(super) const API_FIGURES: &[Figure<ApiView>] = &[
    Figure {
        key: "last_at",
        help: "Time at which the last fetch was recorded",
        read: |view| At(view.last_at),
    },
    Figure {
        key: "answered",
        help: "1 if Sinch answered the last fetch",
        read: |view| Flag(view.answered),
    },
    Figure {
        key: "failures",
        help: "Attempts in a row that failed through the provider",
        read: |view| Reading::Count(view.failures.into()),
    },
    Figure {
        key: "paused",
        help: "1 if the project's circuit is open",
        read: |view| Flag(Some(view.paused_until.is_some())),
    },
    Figure {
        key: "paused_until",
        help: "Time until which the project's circuit is open",
        read: |view| At(view.paused_until),
    },
];

/// Figures of the secret that Sinch has for one project's callbacks. `/status` shows them under `secrets` and the project,
/// `/metrics` with a prefix and a label.
pub(super) const SECRET_FIGURES: &[Figure<SecretView>] = &[
    Figure {
        key: "drift",
        help: "1 if the last comparison has found that the secret that Sinch has is none of the project's",
        read: |view| {
            let drift = view.comparison.as_ref().and_then(SecretComparison::drift);
            Flag(Some(drift.is_some()))
        },
    },
    Figure {
        key: "compared_at",
        help: "Time of the last comparison of the secret that Sinch has",
        read: |view| At(view.compared_at),
    },
    Figure {
        key: "comparison_failed",
        help: "1 if the last attempt to compare the secret that Sinch has failed",
        read: |view| Flag(Some(view.failure.is_some())),
    },
];

impl Serialize for Reading {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Reading::Count(number) | Total(number) => number.serialize(to),
            Bytes(number) => number.serialize(to),
            Tally(count) => count.serialize(to),
            Secs(secs) => secs.serialize(to),
            Span(secs) => secs.serialize(to),
            Since(at, _) | At(at) => at.serialize(to),
            Flag(flag) => flag.serialize(to),
            Fault(words) => words.serialize(to),
            List(all) => all.serialize(to),
            By(_, readings) => to.collect_map(readings.iter().map(|(label, each)| (label, each))),
        }
    }
}

/// Source of figures that `/status` shows together.
pub(super) trait HasFigures: Sized + 'static {
    /// Name of the figures' schema.
    const NAME: &'static str;

    /// Figures that are read from the source.
    const FIGURES: &'static [Figure<Self>];
}

impl HasFigures for FigureSource {
    const NAME: &'static str = "ServiceFigures";
    const FIGURES: &'static [Figure<FigureSource>] = FIGURES;
}

impl HasFigures for ApiView {
    const NAME: &'static str = "ApiFigures";
    const FIGURES: &'static [Figure<ApiView>] = API_FIGURES;
}

impl HasFigures for SecretView {
    const NAME: &'static str = "SecretFigures";
    const FIGURES: &'static [Figure<SecretView>] = SECRET_FIGURES;
}

impl HasFigures for TargetView {
    const NAME: &'static str = "TargetFigures";
    const FIGURES: &'static [Figure<TargetView>] = TARGET_FIGURES;
}

/// Figures of a source, as `/status` shows them.
pub(super) struct FigureMap<'a, F: HasFigures>(pub &'a F);

impl<F: HasFigures> PartialSchema for FigureMap<'_, F> {
    fn schema() -> RefOr<Schema> {
        let groups = F::FIGURES.chunk_by(stand_together);
        let object = groups.fold(Object::builder(), |object, together| {
            let figures = |object: ObjectBuilder, figure: &Figure<F>| {
                let any = Object::builder().schema_type(SchemaType::AnyValue);
                object.property(figure.name(), any.description(Some(figure.help)))
            };
            match together.first().and_then(Figure::group) {
                None => together.iter().fold(object, figures),
                Some(group) => {
                    let members = together.iter().fold(Object::builder(), figures);
                    object.property(group, members)
                }
            }
        });
        object.into()
    }
}

impl<F: HasFigures> ToSchema for FigureMap<'_, F> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(F::NAME)
    }
}

impl<F> Figure<F> {
    /// Returns the object of `/status` in which the figure stands: the part of the key before its dot.
    fn group(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(group, _)| group)
    }

    /// Returns the figure's name within its object.
    fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }
}

fn stand_together<F>(one: &Figure<F>, other: &Figure<F>) -> bool {
    one.group().is_some() && one.group() == other.group()
}

impl<F: HasFigures> Serialize for FigureMap<'_, F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for together in F::FIGURES.chunk_by(stand_together) {
            match together.first().and_then(Figure::group) {
                None => {
                    for figure in together {
                        map.serialize_entry(figure.key, &(figure.read)(self.0))?;
                    }
                }
                Some(group) => map.serialize_entry(group, &Group(together, self.0))?,
            }
        }
        map.end()
    }
}

/// Figures that `/status` shows together in one object.
struct Group<'a, F: 'static>(&'static [Figure<F>], &'a F);

impl<F> Serialize for Group<'_, F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let figures = self.0.iter();
        to.collect_map(figures.map(|figure| (figure.name(), (figure.read)(self.1))))
    }
}
