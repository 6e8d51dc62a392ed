//! The outbox: the events of a commit as they are stored, and the notifications by which targets are told of them. Pure.

use std::collections::HashMap;

use super::TestEvent;
use super::changes::{EventSubject, NewEvent};
use notifications::{Event, EventData, EventHead, EventType, Filter, OrderPart, Subject};
use number_order::{Cause, OrderDetails, OrderKey, Readiness, State, Time};

/// A target of notifications, with its row and what it is told.
#[derive(Clone, Debug)]
pub(super) struct OutboxTarget {
    pub id: i64,
    pub filter: Filter,
}

/// What the database has before the events of a commit are added.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Number of the newest event.
    pub last_sequence: i64,
    /// What is known of the events' orders, by their rows.
    pub orders: HashMap<i64, KnownOrder>,
}

/// An order of new events, as the database has it with the changes of the commit.
#[derive(Clone, Debug)]
pub(super) struct KnownOrder {
    pub key: OrderKey,
    /// Number of the order's newest event, among its events.
    pub last_sequence: i64,
    pub state: Option<State>,
    /// `true` if Sinch has shown the state.
    pub confirmed: bool,
    pub expires_at: Option<Time>,
    pub details: Option<OrderDetails>,
}

/// Rows that are added to the database with the changes of a commit.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub events: Vec<EventRow>,
    pub notifications: Vec<NotificationRow>,
}

/// An event, as it is stored.
#[derive(Debug, PartialEq)]
pub(super) struct EventRow {
    pub sequence: i64,
    pub id: String,
    pub event_type: EventType,
    pub recorded_at: i64,
    pub order_id: Option<i64>,
    pub order_sequence: Option<i64>,
    pub provisional: bool,
    pub test: bool,
    pub body: String,
}

/// A notification, as it is stored.
#[derive(Debug, PartialEq)]
pub(super) struct NotificationRow {
    pub target: i64,
    pub event: i64,
    /// Row of the event's order, 0 if it has none.
    pub subject: i64,
    /// Time from which the notification is due, unless another one of its queue waits.
    pub due_at: i64,
}

/// Makes the rows of new events and their notifications. `draw_id` draws the id of each event. Of an order that is gone,
/// nothing is told.
pub(super) fn compose(
    new: &[NewEvent],
    mut known: Known,
    targets: &[OutboxTarget],
    mut draw_id: impl FnMut() -> String,
) -> Outbox {
    let mut outbox = Outbox::default();
    for event in new {
        let order = match event.order_id.map(|id| known.orders.get_mut(&id)) {
            Some(None) => continue,
            Some(Some(order)) => {
                order.last_sequence += 1;
                Some(order.as_after(&event.subject))
            }
            None => None,
        };
        known.last_sequence += 1;
        let sequence = known.last_sequence;
        let head = head(event, order.as_ref());
        let wanting = targets.iter().filter(|target| target.filter.wants(&head));
        outbox
            .notifications
            .extend(wanting.map(|target| NotificationRow {
                target: target.id,
                event: sequence,
                subject: event.order_id.unwrap_or(0),
                due_at: event.recorded_at.0,
            }));
        outbox.events.push(EventRow {
            provisional: head.provisional,
            ..event_row(event, order.as_ref(), sequence, draw_id())
        });
    }
    outbox
}

/// Returns the rows of an event that tries one target: a sample, about no order that there is.
pub(super) fn compose_test(test: &TestEvent, last: i64, target: i64, id: String) -> Outbox {
    let sequence = last + 1;
    let body = Event {
        id: &id,
        timestamp: test.now,
        sequence,
        ..notifications::sample(test.event_type)
    }
    .json();
    Outbox {
        events: vec![EventRow {
            sequence,
            id,
            event_type: test.event_type,
            recorded_at: test.now.0,
            order_id: None,
            order_sequence: None,
            provisional: false,
            test: true,
            body,
        }],
        notifications: vec![NotificationRow {
            target,
            event: sequence,
            subject: 0,
            due_at: test.now.0,
        }],
    }
}

fn event_row(event: &NewEvent, order: Option<&KnownOrder>, sequence: i64, id: String) -> EventRow {
    let event_type = event.subject.event_type();
    let body = Event {
        id: &id,
        event_type,
        timestamp: event.recorded_at,
        sequence,
        test: false,
        data: EventData {
            project: order.map(|order| &order.key.project),
            order: order.map(KnownOrder::as_told),
            subject: event.subject.as_told(),
        },
    }
    .json();
    EventRow {
        sequence,
        id,
        event_type,
        recorded_at: event.recorded_at.0,
        order_id: event.order_id,
        order_sequence: order.map(|order| order.last_sequence),
        provisional: false,
        test: false,
        body,
    }
}

fn head<'a>(event: &NewEvent, order: Option<&'a KnownOrder>) -> EventHead<'a> {
    let details = order.and_then(|order| order.details.as_ref());
    EventHead {
        event_type: event.subject.event_type(),
        provisional: event.subject.is_provisional(),
        project: order.map(|order| &order.key.project),
        region: details.and_then(|details| details.region.as_deref()),
        state: order.and_then(|order| order.state),
    }
}

impl KnownOrder {
    /// Returns the order as it was after the given change. A commit may hold several changes of one order.
    fn as_after(&self, subject: &EventSubject) -> KnownOrder {
        let mut order = self.clone();
        if let EventSubject::Moved(transition) = subject {
            order.state = Some(transition.to);
            order.confirmed = transition.confirmed;
        }
        order
    }

    fn as_told(&self) -> OrderPart<'_> {
        OrderPart {
            order: &self.key.order,
            order_sequence: self.last_sequence,
            state: self.state,
            confirmed: self.confirmed,
            expires_at: self.expires_at,
            details: self.details.as_ref(),
        }
    }
}

impl EventSubject {
    fn event_type(&self) -> EventType {
        match self {
            EventSubject::Moved(transition) => EventType::of_state(transition.to),
            EventSubject::NumberReady { .. } => EventType::NumberReady,
            EventSubject::NumberFailed { .. } => EventType::NumberFailed,
            EventSubject::Expiring { .. } => EventType::OrderExpiring,
            EventSubject::AlertFired { .. } => EventType::AlertFired,
            EventSubject::AlertResolved { .. } => EventType::AlertResolved,
        }
    }

    /// Returns `true` if the event is about a provisional state alone: an event of Sinch's claims it, or an answer
    /// withdraws it.
    fn is_provisional(&self) -> bool {
        match self {
            EventSubject::Moved(transition) => match transition.cause {
                Cause::Event | Cause::EventOverruled { .. } => true,
                Cause::Answer { .. } => false,
            },
            EventSubject::NumberReady { .. }
            | EventSubject::NumberFailed { .. }
            | EventSubject::Expiring { .. }
            | EventSubject::AlertFired { .. }
            | EventSubject::AlertResolved { .. } => false,
        }
    }

    fn as_told(&self) -> Subject<'_> {
        match self {
            EventSubject::Moved(transition) => Subject::State {
                previous: transition.from,
                changed_at: transition.said_at,
                cause: &transition.cause,
            },
            EventSubject::NumberReady { phone_number } => Subject::Number {
                phone_number,
                readiness: &Readiness::Ready,
            },
            EventSubject::NumberFailed {
                phone_number,
                readiness,
            } => Subject::Number {
                phone_number,
                readiness,
            },
            EventSubject::Expiring { kind, fired_at }
            | EventSubject::AlertFired { kind, fired_at }
            | EventSubject::AlertResolved { kind, fired_at } => Subject::Alert {
                kind,
                fired_at: *fired_at,
            },
        }
    }
}
