//! Spans about callbacks that were received.

use crate::redact::redacted;
use crate::store::{Accepted, DeliveryContent, NewDelivery};
use crate::traces::{Attribute, Part, Span, TraceId, Value};
use number_order::Time;

/// What the span of a callback says of its delivery, noted before the store takes the delivery.
pub(super) struct Received {
    trace: TraceId,
    began: Time,
    attributes: Vec<(Attribute, Value)>,
    error: Option<&'static str>,
}

impl Received {
    pub fn note(delivery: &NewDelivery) -> Received {
        let key = delivery.dedup_key();
        let mut attributes = vec![
            (Attribute::Project, delivery.project.as_str().into()),
            (Attribute::Event, redacted(&key).into()),
        ];
        let error = match &delivery.subject {
            DeliveryContent::Order { order, .. } => {
                attributes.push((Attribute::Order, redacted(order.as_str()).into()));
                None
            }
            // What it is about is mostly a number.
            DeliveryContent::Other(_) => None,
            DeliveryContent::NotUnderstood(reason) => Some(reason.code()),
        };
        Received {
            trace: TraceId::of_event(&delivery.project, &key),
            began: delivery.received_at,
            attributes,
            error,
        }
    }

    /// Returns the span, now that the callback is accepted. Only the first one of an event is the root of the trace.
    pub fn span(mut self, accepted: Accepted, ended: Time) -> Span {
        let (part, word) = match accepted {
            Accepted::New => (Part::Receipt, "new"),
            Accepted::Duplicate => (Part::Repetition, "duplicate"),
            Accepted::Conflict => (Part::Repetition, "conflict"),
        };
        self.attributes.push((Attribute::Accepted, word.into()));
        Span {
            trace: self.trace,
            part,
            began: self.began,
            ended,
            attributes: self.attributes,
            error: self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use number_order::{Id, NotUnderstood, OtherEvent, State, Status};

    fn delivery(subject: DeliveryContent) -> NewDelivery {
        NewDelivery {
            project: Id::new("p").expect("an id"),
            callback_key: None,
            event_id: Some("e1".to_owned()),
            subject,
            received_at: Time(5),
            body: Bytes::from_static(b"{}"),
        }
    }

    fn about_order(order: &str) -> NewDelivery {
        delivery(DeliveryContent::Order {
            order: Id::new(order).expect("an id"),
            status: Status::Known(State::Completed),
            said_at: None,
        })
    }

    #[test]
    fn the_first_callback_of_an_event_is_the_root_and_others_are_its_children() {
        let mut spans = [Accepted::New, Accepted::Duplicate, Accepted::Conflict]
            .map(|accepted| Received::note(&about_order("o1")).span(accepted, Time(9)));
        let root = spans[0].ids();
        assert_eq!(root.1, None);
        for span in &spans[1..] {
            let (id, parent) = span.ids();
            assert_eq!((span.trace, parent), (spans[0].trace, Some(root.0)));
            assert_ne!(id, root.0);
        }
        let accepted = spans.each_mut().map(|span| span.attributes.pop());
        let words = ["new", "duplicate", "conflict"];
        let expected = words.map(|word| Some((Attribute::Accepted, word.into())));
        assert_eq!(accepted, expected);
        assert_eq!((spans[0].began, spans[0].ended), (Time(5), Time(9)));
    }

    #[test]
    fn no_span_shows_a_telephone_number() {
        let mut numbered = about_order("+46700000000");
        numbered.event_id = Some("event of 46700000000".to_owned());
        let other = OtherEvent {
            resource: Some("+46700000000".to_owned()),
            ..OtherEvent::default()
        };
        for delivery in [numbered, delivery(DeliveryContent::Other(other))] {
            let span = Received::note(&delivery).span(Accepted::New, Time(9));
            let shown = format!("{:?}", span.attributes);
            assert!(!shown.contains("46700"), "{shown}");
        }
    }

    #[test]
    fn a_callback_that_is_not_understood_is_an_error() {
        let parked = DeliveryContent::NotUnderstood(NotUnderstood::BodyNotAnObject);
        let span = Received::note(&delivery(parked)).span(Accepted::New, Time(9));
        assert_eq!(span.error, Some("body-not-an-object"));
        let fine = Received::note(&about_order("o1")).span(Accepted::New, Time(9));
        assert_eq!(fine.error, None);
    }
}
