//! Spans, as the parts of the service record them.

use std::borrow::Cow;

use strum::{IntoStaticStr, VariantArray};

use super::{SpanId, TraceId};
use number_order::Time;

/// Part of a trace that a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first callback of an event: the root of the trace.
    Receipt,
    /// A callback of an event that has come before.
    Repetition,
    /// Processing of a delivery of the event.
    Processing,
    /// Fetch of the event's order.
    Fetch,
}

impl Part {
    /// Returns the name of the spans about this part.
    pub fn name(self) -> &'static str {
        match self {
            Part::Receipt | Part::Repetition => "receive callback",
            Part::Processing => "process delivery",
            Part::Fetch => "fetch order",
        }
    }
}

/// Attribute of a span. `docs/operate.md` says what each means, which a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Attribute {
    /// Sinch's id of the project.
    #[strum(serialize = "sinch.project")]
    Project,
    /// Sinch's id of the order.
    #[strum(serialize = "sinch.order")]
    Order,
    /// Sinch's id of the event, or what stands for it.
    #[strum(serialize = "sinch.event")]
    Event,
    /// How the callback was accepted.
    #[strum(serialize = "sinch.accepted")]
    Accepted,
    /// Row of the delivery.
    #[strum(serialize = "sinch.delivery")]
    Delivery,
    /// Code of the decision on the delivery.
    #[strum(serialize = "sinch.decision")]
    Decision,
    /// Attempts to fetch the order in a row, with this one.
    #[strum(serialize = "sinch.attempt")]
    Attempt,
    /// Code of the fetch's outcome.
    #[strum(serialize = "sinch.outcome")]
    Outcome,
    /// State that the answer shows.
    #[strum(serialize = "sinch.state")]
    State,
    /// State that is confirmed.
    #[strum(serialize = "sinch.confirmed")]
    Confirmed,
    /// If the confirmed state was another one before.
    #[strum(serialize = "sinch.changed")]
    Changed,
}

impl Attribute {
    /// Returns the attribute's name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A truth.
    Truth(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Value {
        Value::Text(text.into_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Truth(truth)
    }
}

/// A part of a trace that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Trace to which the span belongs.
    pub trace: TraceId,
    /// What the span is about.
    pub part: Part,
    /// Time at which it began.
    pub began: Time,
    /// Time at which it ended.
    pub ended: Time,
    /// What is known of it. No value holds a telephone number.
    pub attributes: Vec<(Attribute, Value)>,
    /// Code of its failure; `None`: it did not fail.
    pub error: Option<&'static str>,
}

impl Span {
    /// Returns the span's id, and that of its parent, if it has one.
    pub fn ids(&self) -> (SpanId, Option<SpanId>) {
        let root = SpanId::root(self.trace);
        match self.part {
            Part::Receipt => (root, None),
            Part::Repetition | Part::Processing | Part::Fetch => {
                let id = SpanId::of_part(self.trace, self.part, self.began, self.ended);
                (id, Some(root))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_each_attribute() {
        let document = include_str!("../../docs/operate.md");
        let documented: Vec<&str> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `sinch.")?.split('`').next())
            .collect();
        let named = Attribute::VARIANTS.iter().map(|one| one.name());
        let named: Vec<&str> = named
            .filter_map(|name| name.strip_prefix("sinch."))
            .collect();
        assert_eq!(documented, named);
    }
}
