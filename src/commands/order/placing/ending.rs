//! Ending of a command about an order, as an exit code for scripts and a sentence for people.

use std::path::Path;
use std::process::ExitCode;

use number_order::Id;
use serde_json::json;

use super::doubt::Doubt;
use crate::commands::invocation::Invocation;
use crate::commands::output::print_line;
use crate::commands::shown;

/// Ending of a command about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::order) enum Ending {
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
    /// An order may exist: no answer shows whether Sinch made one.
    MayBeCreated(Doubt),
}

/// Order as Sinch last showed it.
#[derive(Clone, Debug, Default)]
pub(in crate::commands::order) struct SeenOrder {
    pub state: Option<String>,
    pub numbers: Vec<String>,
}

/// Order and form of a command that has ended, for the advice on the next step.
pub(in crate::commands::order) struct Subject<'a> {
    pub invocation: &'a Invocation,
    pub order: Option<Id>,
    pub seen: SeenOrder,
    /// The form and its reference; `None` if the command had none.
    pub form: Option<(&'a Path, &'a str)>,
}

impl Ending {
    /// Returns the exit code, as docs/ordering.md publishes it.
    fn exit_code(&self) -> u8 {
        match self {
            Ending::Done => 0,
            Ending::InReview => 10,
            Ending::Blocked => 11,
            Ending::Rejected => 12,
            Ending::Expired => 13,
            Ending::MayBeCreated(_) => 14,
        }
    }

    /// Returns the code of the ending.
    fn code(&self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::InReview => "in-review",
            Ending::Blocked => "blocked",
            Ending::Rejected => "rejected",
            Ending::Expired => "expired",
            Ending::MayBeCreated(_) => "may-be-created",
        }
    }

    /// Returns advice on the next step; `None` if there is nothing to do.
    fn advice(&self, subject: &Subject<'_>) -> Option<String> {
        let order = subject.order.as_ref().map_or("ORDER", Id::as_str);
        let form = subject
            .form
            .map_or("FORM".into(), |(path, _)| path.to_string_lossy());
        let invocation = subject.invocation;
        let reasons = invocation.command(&["order", "show", order, "--reasons"]);
        Some(match self {
            Ending::Done => return None,
            Ending::InReview => {
                let wait = invocation.command(&["order", "wait", order]);
                format!("Sinch reviews it, which can take days. To follow it: {wait}")
            }
            Ending::Blocked => {
                let fix = invocation.command(&["order", "fix", order, "--form", &form]);
                format!(
                    "Sinch wants something corrected. It says what: {reasons}\nCorrect the form, and send it: {fix}"
                )
            }
            Ending::Rejected => format!(
                "Sinch has rejected it. It says why: {reasons}\nA corrected form needs a new reference and another \
                 number, which `order search` finds"
            ),
            Ending::Expired => {
                "the reservation has run out: place a new order, under a new reference".to_owned()
            }
            Ending::MayBeCreated(doubt) => doubt.advice(invocation),
        })
    }

    /// Prints the ending, as JSON or as advice, and returns its exit code.
    pub fn report(&self, subject: &Subject<'_>, json: bool) -> ExitCode {
        let advice = self.advice(subject);
        if json {
            let ending = json!({
                "ending": self.code(),
                "exit_code": self.exit_code(),
                "order": subject.order.as_ref().map(Id::as_str),
                "reference": subject.form.map(|(_, reference)| reference),
                "state": subject.seen.state,
                "numbers": subject.seen.numbers,
                "text": advice,
            });
            print_line(shown::json(&ending.to_string()));
        } else if let Some(advice) = advice {
            print_line(shown::lines(&format!("{}: {advice}", self.code())));
        }
        ExitCode::from(self.exit_code())
    }
}
