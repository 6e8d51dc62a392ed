//! Figures of single projects.

use super::Figure;
use super::Reading::{self, At, Flag};
use crate::metrics::{ApiView, SecretView};
use notifications::SecretComparison;

/// Figures of one project's fetches. `/status` shows them under `api` and the project, `/metrics` with a prefix and a
/// label.
pub(in crate::http::operators) const API_FIGURES: &[Figure<ApiView>] = &[
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
        key: "unanswered",
        help: "Fetches in a row without an answer, the last included",
        read: |view| Reading::Count(view.unanswered.into()),
    },
    Figure {
        key: "unanswered_since",
        help: "Time of the first of the fetches in a row without an answer",
        read: |view| At(view.unanswered_since),
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
        key: "paused_since",
        help: "Time since which the project's circuit has been open",
        read: |view| At(view.paused_since),
    },
    Figure {
        key: "paused_until",
        help: "Time until which the project's circuit is open",
        read: |view| At(view.paused_until),
    },
];

/// Figures of the secret that Sinch has for one project's callbacks. `/status` shows them under `secrets` and the project,
/// `/metrics` with a prefix and a label.
pub(in crate::http::operators) const SECRET_FIGURES: &[Figure<SecretView>] = &[
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
