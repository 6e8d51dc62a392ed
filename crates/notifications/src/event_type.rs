//! Types of events, and patterns that choose among them.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use number_order::State;

/// Type of an event: what happened, dotted and in the past tense.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
pub enum EventType {
    /// The order is CREATED: its numbers are reserved.
    #[serde(rename = "order.created")]
    #[strum(serialize = "order.created")]
    OrderCreated,
    /// The order is `IN_REVIEW`.
    #[serde(rename = "order.in_review")]
    #[strum(serialize = "order.in_review")]
    OrderInReview,
    /// The order is BLOCKED: Sinch wants other registration data.
    #[serde(rename = "order.blocked")]
    #[strum(serialize = "order.blocked")]
    OrderBlocked,
    /// The order is COMPLETED: its numbers are the customer's.
    #[serde(rename = "order.completed")]
    #[strum(serialize = "order.completed")]
    OrderCompleted,
    /// The order is REJECTED.
    #[serde(rename = "order.rejected")]
    #[strum(serialize = "order.rejected")]
    OrderRejected,
    /// The order is EXPIRED: it was not submitted in time.
    #[serde(rename = "order.expired")]
    #[strum(serialize = "order.expired")]
    OrderExpired,
    /// The order is not submitted, and its reservation runs out soon, or has run out.
    #[serde(rename = "order.expiring")]
    #[strum(serialize = "order.expiring")]
    OrderExpiring,
    /// A number of a completed order is ready: active, and linked with all that was ordered.
    #[serde(rename = "number.ready")]
    #[strum(serialize = "number.ready")]
    NumberReady,
    /// Sinch could not link a number of a completed order.
    #[serde(rename = "number.failed")]
    #[strum(serialize = "number.failed")]
    NumberFailed,
    /// An alert has begun to fire.
    #[serde(rename = "alert.fired")]
    #[strum(serialize = "alert.fired")]
    AlertFired,
    /// An alert does not fire any more.
    #[serde(rename = "alert.resolved")]
    #[strum(serialize = "alert.resolved")]
    AlertResolved,
}

impl EventType {
    /// Returns the type's name, as bodies, filters and the operators' API have it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the type of the event that tells of an order's new state.
    pub fn of_state(state: State) -> EventType {
        match state {
            State::Created => EventType::OrderCreated,
            State::InReview => EventType::OrderInReview,
            State::Blocked => EventType::OrderBlocked,
            State::Completed => EventType::OrderCompleted,
            State::Rejected => EventType::OrderRejected,
            State::Expired => EventType::OrderExpired,
        }
    }

    /// Returns the part of the name before the dot.
    fn family(self) -> &'static str {
        let name = self.name();
        name.split_once('.').map_or(name, |(family, _)| family)
    }
}

/// Choice among the types of events: one type, or all of a family, such as `order.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypePattern {
    /// Every type whose name begins with this word.
    Family(&'static str),
    /// One type.
    One(EventType),
}

impl TypePattern {
    /// Reads a pattern; `None`: no type matches it.
    pub fn new(text: &str) -> Option<TypePattern> {
        let Some(family) = text.strip_suffix(".*") else {
            return text.parse().ok().map(TypePattern::One);
        };
        let mut families = EventType::VARIANTS.iter().map(|one| one.family());
        families
            .find(|known| *known == family)
            .map(TypePattern::Family)
    }

    /// Returns `true` if the pattern chooses the type.
    pub fn matches(self, event_type: EventType) -> bool {
        match self {
            TypePattern::Family(family) => event_type.family() == family,
            TypePattern::One(one) => event_type == one,
        }
    }

    /// Returns all patterns that choose something, as they are written.
    pub fn all() -> Vec<String> {
        let mut all: Vec<String> = EventType::VARIANTS
            .iter()
            .map(|one| format!("{}.*", one.family()))
            .collect();
        all.dedup();
        all.extend(EventType::VARIANTS.iter().map(|one| one.name().to_owned()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_choose_a_type_or_a_family() {
        let chosen = |text: &str| {
            let pattern = TypePattern::new(text)?;
            let types = EventType::VARIANTS.iter();
            Some(types.filter(|one| pattern.matches(**one)).count())
        };
        for (text, count) in [
            ("order.*", Some(7)),
            ("number.*", Some(2)),
            ("alert.*", Some(2)),
            ("order.blocked", Some(1)),
            ("order", None),
            ("*", None),
            ("order.gone", None),
            ("ORDER.BLOCKED", None),
        ] {
            assert_eq!(chosen(text), count, "{text}");
        }
        assert!(
            TypePattern::all()
                .iter()
                .all(|text| TypePattern::new(text).is_some())
        );
    }

    #[test]
    fn a_type_has_one_name_everywhere() {
        for event_type in EventType::VARIANTS {
            let written = serde_json::to_value(event_type).expect("a name");
            assert_eq!(written, event_type.name());
            assert_eq!(event_type.name().parse(), Ok(*event_type));
        }
    }
}
