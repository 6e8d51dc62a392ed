//! Samples: an event of each type about an order that there is not, by which a target is tried. The telephone numbers are
//! of those that Australia keeps for fiction.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

#[cfg(test)]
use crate::{CallbackRefusal, DiskFields, SecretDrift, ServiceAlert};
use crate::{Event, EventData, EventType, OrderPart, Subject};
use number_order::{
    AlertKind, Cause, FailedLink, Id, OrderDetails, OrderNumber, Outcome, Price, Readiness,
    Service, State, Time,
};
#[cfg(test)]
use number_order::{Endpoint, NoAnswer};

static PROJECT: LazyLock<Id> = LazyLock::new(|| Id::new("example-project").expect("an id"));
static ORDER: LazyLock<Id> = LazyLock::new(|| Id::new("example-order").expect("an id"));
static COMPLETED: Cause = Cause::Answer {
    outcome: Outcome::Advanced {
        from: State::InReview,
        to: State::Completed,
        anomaly: false,
    },
};
static READY: Readiness = Readiness::Ready;
static FAILED: LazyLock<Readiness> = LazyLock::new(|| Readiness::Failed {
    failures: vec![FailedLink {
        service: Service::Campaign,
        codes: vec!["CAMPAIGN_NOT_AVAILABLE".to_owned()],
    }],
});
static EXPIRING: LazyLock<AlertKind> =
    LazyLock::new(|| AlertKind::expiring(Duration::from_secs(7200)));
static IN_REVIEW: LazyLock<AlertKind> =
    LazyLock::new(|| AlertKind::long_in_review(Duration::from_secs(604_800)));

/// An alert about the service of each kind.
#[cfg(test)]
pub(crate) static SERVICE_ALERTS: LazyLock<[ServiceAlert; 13]> = LazyLock::new(|| {
    let disk = DiskFields {
        free_bytes: 300_000_000,
        refused_below_bytes: 256_000_000,
    };
    let target = || "crm".to_owned();
    [
        ServiceAlert::OrdersParked { orders: 1 },
        ServiceAlert::DeliveriesParked { deliveries: 2 },
        ServiceAlert::ProviderTrouble {
            reason: NoAnswer::TimedOut {
                endpoint: Endpoint::Orders,
            },
        },
        ServiceAlert::Silence {
            changes: 3,
            last_at: Some(at(-86_400)),
        },
        ServiceAlert::CallbacksRefused {
            refusal: CallbackRefusal::Signature,
        },
        ServiceAlert::DiskLow(disk),
        ServiceAlert::DiskFull(DiskFields {
            free_bytes: 0,
            ..disk
        }),
        ServiceAlert::TargetFailing {
            target: target(),
            since: at(-300),
        },
        ServiceAlert::TargetSwitchedOff { target: target() },
        ServiceAlert::NotificationsParked {
            target: target(),
            notifications: 4,
        },
        ServiceAlert::WorkerSilent {
            worker: "retention".to_owned(),
        },
        ServiceAlert::UnknownSource {
            callbacks: 2,
            addresses: vec!["198.51.100.7".to_owned()],
        },
        ServiceAlert::SecretDrift {
            drift: SecretDrift::OtherSecret,
        },
    ]
});

static DETAILS: LazyLock<OrderDetails> = LazyLock::new(|| OrderDetails {
    region: Some("AU".to_owned()),
    number_type: Some("MOBILE".to_owned()),
    created_at: Some(at(0)),
    sms_configuration: Some(json!({"servicePlanId": "s1", "campaignId": ""})),
    voice_configuration: None,
    numbers: vec![
        OrderNumber {
            phone_number: "+61491570156".to_owned(),
            setup_price: None,
            monthly_price: Some(Price {
                currency: "EUR".to_owned(),
                amount: "1.50".to_owned(),
            }),
            payment_interval_months: Some(1),
            capabilities: vec!["SMS".to_owned(), "VOICE".to_owned()],
        },
        OrderNumber {
            phone_number: "+61491570157".to_owned(),
            setup_price: None,
            monthly_price: None,
            payment_interval_months: None,
            capabilities: Vec::new(),
        },
    ],
});

fn at(secs: i64) -> Time {
    Time((1_790_000_000 + secs) * 1_000_000)
}

fn order(state: State) -> OrderPart<'static> {
    OrderPart {
        order: &ORDER,
        order_sequence: 3,
        state: Some(state),
        confirmed: true,
        expires_at: Some(at(86_400)),
        details: Some(&DETAILS),
    }
}

fn event(
    event_type: EventType,
    order: Option<OrderPart<'static>>,
    subject: Subject<'static>,
) -> Event<'static> {
    Event {
        id: "evt_example",
        event_type,
        timestamp: at(60),
        sequence: 42,
        test: false,
        data: EventData {
            project: Some(&PROJECT),
            order,
            subject,
        },
    }
}

/// The order has the state, confirmed and after another one.
pub(crate) fn state_event(state: State) -> Event<'static> {
    let subject = Subject::State {
        previous: Some(State::InReview),
        changed_at: at(30),
        cause: &COMPLETED,
    };
    event(EventType::of_state(state), Some(order(state)), subject)
}

/// An event of Sinch's claims the first state of an order of which nothing else is known; sent as a test.
#[cfg(test)]
pub(crate) fn claimed_event() -> Event<'static> {
    let known = OrderPart {
        confirmed: false,
        expires_at: None,
        details: None,
        ..order(State::Created)
    };
    let subject = Subject::State {
        previous: None,
        changed_at: at(30),
        cause: &Cause::Event,
    };
    Event {
        test: true,
        ..event(EventType::OrderCreated, Some(known), subject)
    }
}

/// The reservation of the order runs out soon.
pub(crate) fn expiring_event() -> Event<'static> {
    alert(
        EventType::OrderExpiring,
        Some(order(State::Created)),
        &EXPIRING,
    )
}

/// A number is ready, or failed.
pub(crate) fn number_event(event_type: EventType) -> Event<'static> {
    let readiness = if event_type == EventType::NumberReady {
        &READY
    } else {
        &*FAILED
    };
    let subject = Subject::Number {
        phone_number: "+61491570156",
        readiness,
    };
    event(event_type, Some(order(State::Completed)), subject)
}

/// An alert about an order fires, or does not any more.
pub(crate) fn alert_event(event_type: EventType) -> Event<'static> {
    alert(event_type, Some(order(State::InReview)), &IN_REVIEW)
}

/// An alert about the service of each kind, with the event that tells of it.
#[cfg(test)]
pub(crate) fn service_events() -> Vec<Event<'static>> {
    let kinds = SERVICE_ALERTS.iter().enumerate();
    let events = kinds.map(|(place, kind)| {
        let event_type = if place % 2 == 0 {
            EventType::AlertFired
        } else {
            EventType::AlertResolved
        };
        let subject = Subject::ServiceAlert {
            alert: kind,
            fired_at: at(45),
        };
        let mut event = event(event_type, None, subject);
        if kind.project(PROJECT.as_str()).is_none() {
            event.data.project = None;
        }
        event
    });
    events.collect()
}

fn alert(
    event_type: EventType,
    order: Option<OrderPart<'static>>,
    kind: &'static AlertKind,
) -> Event<'static> {
    event(
        event_type,
        order,
        Subject::Alert {
            kind,
            fired_at: at(45),
        },
    )
}

/// Returns a sample of an event of the given type. It says of itself that it tries a target.
pub fn sample(event_type: EventType) -> Event<'static> {
    let event = match event_type {
        EventType::OrderCreated => state_event(State::Created),
        EventType::OrderInReview => state_event(State::InReview),
        EventType::OrderBlocked => state_event(State::Blocked),
        EventType::OrderCompleted => state_event(State::Completed),
        EventType::OrderRejected => state_event(State::Rejected),
        EventType::OrderExpired => state_event(State::Expired),
        EventType::OrderExpiring => expiring_event(),
        EventType::NumberReady | EventType::NumberFailed => number_event(event_type),
        EventType::AlertFired | EventType::AlertResolved => alert_event(event_type),
    };
    Event {
        test: true,
        ..event
    }
}

/// At least one event of each type.
#[cfg(test)]
pub(crate) fn all() -> Vec<Event<'static>> {
    use EventType::{AlertFired, AlertResolved, NumberFailed, NumberReady};
    let states = [
        State::Created,
        State::InReview,
        State::Blocked,
        State::Completed,
        State::Rejected,
        State::Expired,
    ];
    let mut all: Vec<Event> = states.into_iter().map(state_event).collect();
    all.extend([claimed_event(), expiring_event()]);
    all.extend(service_events());
    all.extend([NumberReady, NumberFailed].map(number_event));
    all.extend([AlertFired, AlertResolved].map(alert_event));
    all
}
