//! Figures of one target. `/status` shows them under `targets` and the target's name, `/metrics` with a prefix and a
//! label.

use crate::http::operators::figures::{Figure, Reading};
use crate::store::TargetRow;
use number_order::Time;

/// A target at a time.
pub(in crate::http::operators) struct TargetView {
    /// Time at which the figures are read.
    pub now: Time,
    /// Target with what waits for it.
    pub row: TargetRow,
}

/// Figures of one target.
pub(in crate::http::operators) const TARGET_FIGURES: &[Figure<TargetView>] = &[
    Figure {
        key: "active",
        help: "1 if the target is configured",
        read: |view| Reading::Flag(Some(view.row.active)),
    },
    Figure {
        key: "waiting",
        help: "Notifications that wait for the target",
        read: |view| Reading::Count(view.row.waiting),
    },
    Figure {
        key: "parked",
        help: "Notifications whose attempts are used up",
        read: |view| Reading::Count(view.row.parked),
    },
    Figure {
        key: "oldest_at",
        help: "Time since the oldest event of which the target is not told yet",
        read: |view| Reading::Since(view.row.oldest_at, view.now),
    },
    Figure {
        key: "delivered_at",
        help: "Time at which the target last took a notification",
        read: |view| Reading::At(view.row.delivered_at),
    },
    Figure {
        key: "failures",
        help: "Attempts in a row that failed through the target",
        read: |view| Reading::Count(view.row.failures.into()),
    },
    Figure {
        key: "failing_since",
        help: "Time since the first of the attempts in a row that failed through the target",
        read: |view| Reading::Since(view.row.failing_since, view.now),
    },
    Figure {
        key: "paused",
        help: "1 if the target's circuit is open",
        read: |view| Reading::Flag(Some(view.row.paused_until.is_some())),
    },
    Figure {
        key: "paused_until",
        help: "Time until which the target's circuit is open",
        read: |view| Reading::At(view.row.paused_until),
    },
    Figure {
        key: "switched_off",
        help: "1 if the target wants no more, and is told nothing until an operator resumes it",
        read: |view| Reading::Flag(Some(view.row.switched_off_at.is_some())),
    },
];
