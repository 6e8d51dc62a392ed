//! Spans about deliveries that were processed.

use super::logged_id;
use crate::redact::redacted;
use crate::store::Processed;
use crate::traces::{Attribute, Part, Span, TraceId};
use number_order::{Decision, DeliveryDecision, Time};

/// Returns the trace of a delivery that was processed.
pub(super) fn trace_of(processed: &Processed) -> TraceId {
    TraceId::of_event(&processed.key.project, &processed.dedup_key)
}

/// Returns the span of a delivery that was processed at `at`, as its decision says: from its receipt to the commit.
pub(super) fn processing(processed: &Processed, at: Time, committed_at: Time) -> Span {
    let Processed { key, decision, .. } = processed;
    let mut attributes = vec![
        (Attribute::Project, key.project.as_str().into()),
        (Attribute::Order, logged_id(key).into()),
        (Attribute::Event, redacted(&processed.dedup_key).into()),
        (Attribute::Delivery, processed.delivery.into()),
        (Attribute::Decision, decision.code().into()),
    ];
    // The event says what Sinch has confirmed before: no fetch follows it.
    if let DeliveryDecision::Event(Decision::Agrees { state }) = decision {
        attributes.push((Attribute::Confirmed, state.as_str().into()));
        attributes.push((Attribute::Changed, false.into()));
    }
    Span {
        trace: trace_of(processed),
        part: Part::Processing,
        began: at.minus(processed.age),
        ended: committed_at,
        attributes,
        error: processed.parked.then(|| decision.code()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use number_order::{Id, Kept, OrderKey, State};

    fn processed(decision: DeliveryDecision, parked: bool) -> Processed {
        let id = |text: &str| Id::new(text).expect("an id");
        Processed {
            delivery: 7,
            dedup_key: "e1".to_owned(),
            key: OrderKey {
                project: id("p"),
                order: id("+46700000000"),
            },
            decision,
            parked,
            row_at_fault: false,
            age: Duration::from_micros(30),
        }
    }

    #[test]
    fn a_span_lasts_from_the_receipt_and_is_below_the_root_of_its_event() {
        let first = Decision::FirstEvent {
            said: State::Completed,
        };
        let first = processed(DeliveryDecision::Event(first), false);
        let span = processing(&first, Time(100), Time(110));
        assert_eq!((span.began, span.ended), (Time(70), Time(110)));
        assert_eq!(
            span.trace,
            TraceId::of_event(&Id::new("p").expect("an id"), "e1")
        );
        assert!(span.ids().1.is_some());
        assert_eq!(span.error, None);
        let shown = format!("{:?}", span.attributes);
        assert!(
            shown.contains("first-event") && !shown.contains("46700"),
            "{shown}"
        );
        assert!(!shown.contains("Confirmed"), "{shown}");
    }

    #[test]
    fn an_event_that_agrees_shows_what_was_confirmed_before() {
        let agrees = Decision::Agrees {
            state: State::Completed,
        };
        let agrees = processed(DeliveryDecision::Event(agrees), false);
        let span = processing(&agrees, Time(100), Time(110));
        let confirmed = (Attribute::Confirmed, "COMPLETED".into());
        assert!(span.attributes.contains(&confirmed));
        assert!(
            span.attributes
                .contains(&(Attribute::Changed, false.into()))
        );
    }

    #[test]
    fn a_parked_delivery_is_an_error() {
        let fault = "no".to_owned();
        let parked = DeliveryDecision::Kept(Kept::OrderUnreadable { fault });
        let span = processing(&processed(parked, true), Time(100), Time(110));
        assert_eq!(span.error, Some("order-unreadable"));
    }
}
