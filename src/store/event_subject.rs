//! What an event is about, as it is told: its type, what it concerns, and its properties. Pure.

use super::changes::EventSubject;
use notifications::{EventType, ServiceAlert, Subject};
use number_order::{Cause, Id, Readiness};

impl EventSubject {
    pub(super) fn event_type(&self) -> EventType {
        match self {
            EventSubject::Moved(transition) => EventType::of_state(transition.to),
            EventSubject::NumberReady { .. } => EventType::NumberReady,
            EventSubject::NumberFailed { .. } => EventType::NumberFailed,
            EventSubject::Expiring { .. } => EventType::OrderExpiring,
            EventSubject::AlertFired { .. } | EventSubject::ServiceAlertFired { .. } => {
                EventType::AlertFired
            }
            EventSubject::AlertResolved { .. } | EventSubject::ServiceAlertResolved { .. } => {
                EventType::AlertResolved
            }
        }
    }

    /// Returns the alert about the service that the event tells of, with the project that it is about.
    fn service_alert(&self) -> Option<(&ServiceAlert, Option<&Id>)> {
        match self {
            EventSubject::ServiceAlertFired { alert, project, .. }
            | EventSubject::ServiceAlertResolved { alert, project, .. } => {
                Some((alert, project.as_ref()))
            }
            EventSubject::Moved(_)
            | EventSubject::NumberReady { .. }
            | EventSubject::NumberFailed { .. }
            | EventSubject::Expiring { .. }
            | EventSubject::AlertFired { .. }
            | EventSubject::AlertResolved { .. } => None,
        }
    }

    /// Returns the project that the event is about, where it is about no order of it.
    pub(super) fn project(&self) -> Option<&Id> {
        self.service_alert().and_then(|(_, project)| project)
    }

    /// Returns the name of the target that the event is about, if it is about one.
    pub(super) fn target(&self) -> Option<&str> {
        self.service_alert().and_then(|(alert, _)| alert.target())
    }

    /// Returns `true` if the event is about a provisional state alone: an event of Sinch's claims it, or an answer
    /// withdraws it.
    pub(super) fn is_provisional(&self) -> bool {
        match self {
            EventSubject::Moved(transition) => match transition.cause {
                Cause::Event | Cause::EventOverruled { .. } => true,
                Cause::Answer { .. } => false,
            },
            EventSubject::NumberReady { .. }
            | EventSubject::NumberFailed { .. }
            | EventSubject::Expiring { .. }
            | EventSubject::AlertFired { .. }
            | EventSubject::AlertResolved { .. }
            | EventSubject::ServiceAlertFired { .. }
            | EventSubject::ServiceAlertResolved { .. } => false,
        }
    }

    pub(super) fn as_told(&self) -> Subject<'_> {
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
            EventSubject::ServiceAlertFired {
                alert, fired_at, ..
            }
            | EventSubject::ServiceAlertResolved {
                alert, fired_at, ..
            } => Subject::ServiceAlert {
                alert,
                fired_at: *fired_at,
            },
        }
    }
}
