//! An event as other systems are told it: the JSON that is stored, sent to targets and given by the feed.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{EventType, ServiceAlert};
use number_order::{AlertKind, Cause, Id, OrderDetails, Readiness, State, Time};

/// An event. Its JSON is written once, stored, and never changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event<'a> {
    /// Id of the event, by which a receiver recognises one that it is told again. No other event ever has it.
    pub id: &'a str,
    /// Type of the event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Time at which the service recorded the event.
    pub timestamp: Time,
    /// Number of the event among all events. It grows; a target or a filter that leaves events out sees gaps.
    pub sequence: i64,
    /// `true` if an operator had it sent to try a target: nothing has happened. Absent otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// What happened, and to what.
    pub data: EventData<'a>,
}

/// Data of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventData<'a> {
    /// Project that the event is about; `None`: it is about the whole service.
    pub project: Option<&'a Id>,
    /// Order that the event is about, if any.
    #[serde(flatten)]
    pub order: Option<OrderPart<'a>>,
    /// What happened.
    #[serde(flatten)]
    pub subject: Subject<'a>,
}

/// Order that an event is about, as it was known at the time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderPart<'a> {
    /// The order's id: Sinch's `idNumberOrder`.
    pub order: &'a Id,
    /// Number of the event among those of the order, from 1.
    pub order_sequence: i64,
    /// State of the order; `None`: none is known.
    pub state: Option<State>,
    /// `true` if Sinch has shown the state, `false` if only an event of Sinch's claims it.
    pub confirmed: bool,
    /// Time until which the order has to be submitted: Sinch's `expireTime`.
    pub expires_at: Option<Time>,
    /// Region, type, numbers and links of the order, as an answer of Sinch last showed them; `None`: none has.
    pub details: Option<&'a OrderDetails>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject<'a> {
    /// The state of the order changed.
    State {
        /// State before: the confirmed one where Sinch has shown the new one. `None`: there was none.
        previous: Option<State>,
        /// Time of the change by Sinch's clock.
        changed_at: Time,
        /// Cause of the change.
        cause: &'a Cause,
    },
    /// The readiness of a number changed.
    Number {
        /// The telephone number.
        phone_number: &'a str,
        /// Its readiness.
        readiness: &'a Readiness,
    },
    /// An alert about an order fires, or does not any more.
    Alert {
        /// Kind of the alert, with its threshold.
        kind: &'a AlertKind,
        /// Time at which the alert began to fire.
        fired_at: Time,
    },
    /// An alert about the service fires, or does not any more.
    ServiceAlert {
        /// The alert, as it was when it fired.
        alert: &'a ServiceAlert,
        /// Time at which the alert began to fire.
        fired_at: Time,
    },
}

/// Writes the properties that a subject of its kind has. A code has its fields beside it, and the words for people.
impl Serialize for Subject<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut properties = Map::new();
        let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
        match self {
            Subject::State {
                previous,
                changed_at,
                cause,
            } => {
                put(
                    "previous_state",
                    (*previous).map_or(Value::Null, |state| state.as_str().into()),
                );
                put("changed_at", changed_at.to_string().into());
                put("cause", cause.code().into());
            }
            Subject::Number {
                phone_number,
                readiness,
            } => {
                put("phone_number", (*phone_number).into());
                put("readiness", coded(readiness));
            }
            Subject::Alert { kind, fired_at } => {
                put("alert", coded(kind));
                put("fired_at", fired_at.to_string().into());
            }
            Subject::ServiceAlert { alert, fired_at } => {
                put("alert", coded(alert));
                put("fired_at", fired_at.to_string().into());
            }
        }
        properties.serialize(serializer)
    }
}

/// Returns a code with its fields and its words, as the operators' API has it.
fn coded(value: &(impl Serialize + ToString)) -> Value {
    let mut coded = serde_json::to_value(value).unwrap_or_default();
    if let Some(coded) = coded.as_object_mut() {
        coded.insert("text".to_owned(), value.to_string().into());
    }
    coded
}

impl Event<'_> {
    /// Returns the event as JSON: the bytes that every target and every reader of the feed gets.
    ///
    /// # Panics
    ///
    /// Never: an event has no part that JSON cannot have.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("an event is always JSON")
    }
}
