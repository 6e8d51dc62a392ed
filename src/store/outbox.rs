//! The outbox: the events of a commit as they are stored, and the notifications by which targets are told of them. Pure.

use std::collections::HashMap;

use super::TestEvent;
use super::changes::{EventSubject, NewEvent};
use notifications::{Event, EventData, EventHead, EventType, Filter, OrderPart};
use number_order::{Id, OrderDetails, OrderKey, State, Time};

/// A target of notifications, with its row and what it is told.
#[derive(Clone, Debug)]
pub(super) struct OutboxTarget {
    pub id: i64,
    pub name: String,
    pub filter: Filter,
}

impl OutboxTarget {
    /// Returns `true` if the target is to be told the event. It is told nothing about itself: a target that fails would
    /// have one more notification to fail at, and could not be told before it is over.
    fn is_told(&self, event: &NewEvent, head: &EventHead) -> bool {
        let is_itself = event.subject.target() == Some(self.name.as_str());
        !is_itself && self.filter.wants(head)
    }
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
        let wanting = targets.iter().filter(|target| target.is_told(event, &head));
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
            project: project(event, order),
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

/// Returns the project that an event is about: that of its order, or its own.
fn project<'a>(event: &'a NewEvent, order: Option<&'a KnownOrder>) -> Option<&'a Id> {
    order
        .map(|order| &order.key.project)
        .or(event.subject.project())
}

fn head<'a>(event: &'a NewEvent, order: Option<&'a KnownOrder>) -> EventHead<'a> {
    let details = order.and_then(|order| order.details.as_ref());
    EventHead {
        event_type: event.subject.event_type(),
        provisional: event.subject.is_provisional(),
        project: project(event, order),
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
