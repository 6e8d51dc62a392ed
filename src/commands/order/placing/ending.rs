//! Ending of a command about an order, as an exit code for scripts and a sentence for people.

use std::process::ExitCode;

use number_order::Id;
use serde_json::{Value, json};

use crate::commands::output::print_line;

/// Ending of a command about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Ending {
    /// All that was asked for is done.
    Done,
    /// The order is in review.
    InReview,
    /// The order is blocked: its registration must be corrected.
    Blocked,
    /// The order was rejected.
    Rejected,
    /// The reservation has run out.
    Expired,
    /// An order may exist, and nothing shows if it does.
    MayBeCreated,
}

impl Ending {
    /// Returns the exit code, as docs/ordering.md publishes it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Ending::Done => 0,
            Ending::InReview => 10,
            Ending::Blocked => 11,
            Ending::Rejected => 12,
            Ending::Expired => 13,
            Ending::MayBeCreated => 14,
        }
    }

    /// Returns the code of the ending.
    pub fn code(&self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::InReview => "in-review",
            Ending::Blocked => "blocked",
            Ending::Rejected => "rejected",
            Ending::Expired => "expired",
            Ending::MayBeCreated => "may-be-created",
        }
    }

    /// Returns advice on the next step; `None` if there is nothing to do.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Ending::Done => return None,
            Ending::InReview => "Sinch reviews it, which can take days; `order wait` follows it",
            Ending::Blocked => {
                "Sinch wants something corrected: `order show --reasons` prints what, `order fix` sends the correction"
            }
            Ending::Rejected => {
                "Sinch has rejected it: `order show --reasons` prints why; a corrected form needs a new reference and \
                 another number, which `order search` finds"
            }
            Ending::Expired => {
                "the reservation has run out, or Sinch knows the order no more: place a new one under a new reference"
            }
            Ending::MayBeCreated => {
                "its answer was lost, and nothing tells whether Sinch created it. If it did, a callback names it when its \
                 reservation runs out, after 48 hours at most; run the same command again then. Where Sinch was to choose the \
                 numbers, --risk-second-order orders at once, and there may be two"
            }
        })
    }

    /// Prints the ending, and returns its exit code.
    pub fn report(&self, order: Option<&Id>, json: bool) -> ExitCode {
        if json {
            print_line(self.as_json(order));
        } else if let Some(advice) = self.advice() {
            print_line(format_args!("{}: {advice}", self.code()));
        }
        ExitCode::from(self.exit_code())
    }

    fn as_json(&self, order: Option<&Id>) -> Value {
        json!({ "ending": self.code(), "order": order.map(Id::as_str) })
    }
}
