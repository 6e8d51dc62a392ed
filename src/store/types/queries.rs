//! Types that the queries of operators take and return.

use serde::Serialize;
use strum::{EnumString, VariantNames};
use utoipa::ToSchema;
use utoipa::openapi::Object;

use crate::explain::{explained, explained_if_any, word};
use crate::store::changes::{StoredNumber, StoredOrder};
use crate::store::types::{Cursor, NotificationRow, RecordedAlert, UnreadableRow};
use number_order::{
    Cause, DeliveryDecision, FailureCode, FetchOutcome, Hint, Id, Limits, NoAnswer, OrderDetails,
    ParkReason, Readiness, State, Time,
};

/// Filter of a listing of orders. An absent value leaves no order out.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// State of the orders, provisional before confirmed; `UNKNOWN` lists those of which no state was ever said.
    pub state: Option<String>,
    /// Project of the orders.
    pub project: Option<Id>,
    /// `true` lists only parked orders, `false` only the others.
    pub parked: Option<bool>,
    /// Code of the reason for which the orders are parked.
    pub park_code: Option<&'static str>,
    /// `true` lists only settled orders, `false` only the others.
    pub settled: Option<bool>,
    /// Alert that the orders fire, by the code of its kind.
    pub alert: Option<AlertQuery>,
    /// Region of the orders.
    pub region: Option<String>,
    /// Digits that one of the order's numbers contains.
    pub number: Option<String>,
    /// How one of the order's numbers is.
    pub readiness: Option<NumberQuery>,
    /// Earliest time of the last change of an order's state.
    pub changed_since: Option<Time>,
    /// `true` lists the newest orders first, `false` the oldest.
    pub newest_first: bool,
    /// End of an earlier page, after which this page begins.
    pub after: Option<Cursor>,
    /// Maximum number of orders.
    pub limit: u32,
}

/// Readiness of numbers that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberQuery {
    /// Numbers of the readiness with this code.
    Code(&'static str),
    /// Numbers that are late.
    Late,
}

/// Alerts of one code, with the time and the thresholds by which they fire.
#[derive(Clone, Debug)]
pub struct AlertQuery {
    /// Code of the kind of alert.
    pub code: &'static str,
    /// Current time.
    pub now: Time,
    /// Thresholds at which alerts fire.
    pub limits: Limits,
}

/// Filter of a listing of deliveries. An absent value leaves no delivery out.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Row of the only delivery that fits.
    pub id: Option<i64>,
    /// Id of the order that the deliveries are about.
    pub order: Option<Id>,
    /// Project of the deliveries.
    pub project: Option<Id>,
    /// Code of the decision on the deliveries.
    pub decision: Option<&'static str>,
    /// Phase of the deliveries.
    pub phase: Option<&'static str>,
    /// What the deliveries are about.
    pub kind: Option<DeliveryKind>,
    /// Earliest time of receipt.
    pub since: Option<Time>,
    /// Time before which the deliveries were received.
    pub until: Option<Time>,
    /// `true` lists the newest deliveries first, `false` the oldest.
    pub newest_first: bool,
    /// End of an earlier page, after which this page begins.
    pub after: Option<Cursor>,
    /// Maximum number of deliveries.
    pub limit: u32,
}

/// Current state of an order, with all that is known of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderRow {
    /// Sinch's project id.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// Best known state, provisional before confirmed; `null` if no state was ever said.
    #[schema(value_type = Option<State>)]
    pub state: Option<&'static str>,
    /// `true` if the best known state is Sinch's own answer, with nothing open. Never `true` while the order is parked.
    pub settled: bool,
    /// The state that Sinch last showed.
    #[schema(value_type = Option<State>)]
    pub confirmed: Option<&'static str>,
    /// Sinch's `updateTime` of the order.
    pub updated_at: Option<Time>,
    /// Sinch's `expireTime` of the order.
    pub expires_at: Option<Time>,
    /// Time of the fetch that first showed the confirmed state.
    pub confirmed_at: Option<Time>,
    /// `true` if Sinch took the order out of a final state.
    pub reopened: bool,
    /// The state that only events claim.
    #[schema(value_type = Option<State>)]
    pub provisional: Option<&'static str>,
    /// States that events claim and no answer has confirmed or overruled; `UNKNOWN` stands for words that this program
    /// does not know.
    pub hints: Vec<&'static str>,
    /// States that events claimed and an answer has overruled that may have been too stale; words as in `hints`.
    pub doubts: Vec<&'static str>,
    /// Time of the last fetch.
    pub fetched_at: Option<Time>,
    /// Time of the next fetch; `null` if the order is at rest.
    pub fetch_at: Option<Time>,
    /// Attempts in a row without an answer.
    pub attempts: u32,
    /// Reason why the order is parked and not fetched any more.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<ParkReason>)]
    pub parked: Option<ParkReason>,
    /// Time at which an operator dismissed the order; absent unless it is parked, and nothing came of it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dismissed_at: Option<Time>,
    /// Time at which the order was first heard of.
    pub first_seen_at: Time,
    /// Subject of the order; each value is `null` until an answer shows it.
    #[serde(flatten)]
    pub details: OrderDetails,
}

impl OrderRow {
    /// Returns the row of an order and its subject.
    pub(in crate::store) fn new(stored: StoredOrder, details: OrderDetails) -> OrderRow {
        let last_change = stored.order.fetched_at.max(stored.heard_at);
        let dismissed_at = stored.dismissed_at.filter(|at| Some(*at) > last_change);
        let order = stored.order;
        let state = order.state();
        let confirmed = order.confirmed.as_ref();
        let claimed = |claim: &Hint| claim.state.map_or("UNKNOWN", State::as_str);
        OrderRow {
            project: stored.key.project.to_string(),
            order: stored.key.order.to_string(),
            state: state.map(State::as_str),
            settled: confirmed.is_some()
                && order.hints.is_empty()
                && order.tie.is_none()
                && order.parked.is_none(),
            confirmed: confirmed.map(|c| c.state.as_str()),
            // The time is zero if EXPIRED was concluded from 404s, since no answer ever dated anything.
            updated_at: confirmed.map(|c| c.updated_at).filter(|at| *at != Time(0)),
            expires_at: confirmed.and_then(|c| c.expires_at),
            confirmed_at: confirmed.map(|c| c.confirmed_at),
            reopened: confirmed.is_some_and(|c| c.reopened),
            provisional: order.provisional.as_ref().map(|p| p.state.as_str()),
            hints: order.hints.iter().map(claimed).collect(),
            doubts: order.doubts.iter().map(claimed).collect(),
            fetched_at: order.fetched_at,
            fetch_at: order.fetch_at,
            attempts: order.attempts,
            dismissed_at: dismissed_at.filter(|_| order.parked.is_some()),
            parked: order.parked,
            first_seen_at: order.first_seen_at,
            details,
        }
    }
}

/// A number of an order that is or was COMPLETED, on its way to be usable.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NumberRow {
    /// The number in E.164, with its plus.
    pub phone_number: String,
    /// Readiness that Sinch last showed; `null` until the first answer.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<Readiness>)]
    pub readiness: Option<Readiness>,
    /// Codes of links that have failed, each with its meaning, what to do, and if trying again helps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailureCode>,
    /// Time of the fetch that first showed this readiness.
    pub since: Option<Time>,
    /// Time of the fetch that first showed the number ready; it stays, whatever becomes of the number.
    pub ready_at: Option<Time>,
    /// `true` if it was not ready days after the order was completed.
    pub late: bool,
    /// Time of the last fetch.
    pub fetched_at: Option<Time>,
    /// Time of the next fetch; `null` if the number is ready, or given up until an event or an operator.
    pub fetch_at: Option<Time>,
    /// Attempts in a row without an answer.
    pub attempts: u32,
    /// Reason why the last attempt brought no answer; `null` if it did.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<NoAnswer>)]
    pub failure: Option<NoAnswer>,
}

impl NumberRow {
    /// Returns the row of a followed number.
    pub(in crate::store) fn new(stored: StoredNumber) -> NumberRow {
        let following = stored.following;
        NumberRow {
            phone_number: stored.phone_number,
            failures: following
                .readiness
                .as_ref()
                .map(Readiness::failure_codes)
                .unwrap_or_default(),
            since: following.readiness_since,
            ready_at: following.ready_at,
            late: following.is_late(),
            fetched_at: following.fetched_at,
            fetch_at: following.fetch_at,
            attempts: following.attempts,
            readiness: following.readiness,
            failure: following.failure,
        }
    }
}

/// An order with all that is recorded of it, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderDetail {
    /// Current state of the order.
    #[serde(flatten)]
    pub order: OrderRow,
    /// Time at which the last of the order's numbers became ready; `null` until each has been ready.
    pub ready_at: Option<Time>,
    /// Numbers of the order, once it is COMPLETED, by their digits.
    pub readiness: Vec<NumberRow>,
    /// Claims of callbacks about the order, with the decisions, and events about its numbers.
    pub deliveries: Vec<DeliveryRow>,
    /// Fetches of the order, with their outcomes.
    pub fetches: Vec<FetchRow>,
    /// Every change of the order's state.
    pub transitions: Vec<TransitionRow>,
    /// Every alert of the order, resolved or not.
    pub alerts: Vec<RecordedAlert>,
    /// Every notification by which a target is told of the order.
    pub notifications: Vec<NotificationRow>,
    /// Rows about the order that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableRow>,
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    /// Rows that can be read.
    pub items: Vec<T>,
    /// Rows that cannot be read.
    pub unreadable: Vec<UnreadableRow>,
    /// End of the page; `None` if it was the last one.
    pub next: Option<Cursor>,
}

/// Result of looking an order up by its id alone.
#[derive(Clone, Debug)]
pub enum Found {
    /// No such order is known.
    Nothing,
    /// Exactly one order.
    One(Box<OrderDetail>),
    /// Several orders: one in each of several projects.
    Several,
}

/// Phases of a delivery, as operators name them.
pub const DELIVERY_PHASES: [&str; 4] = ["waiting", "processed", "recorded", "parked"];

/// What a delivery is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum DeliveryKind {
    /// An order.
    Order,
    /// A number of an order.
    Number,
    /// Something else.
    Other,
    /// Nobody knows: the callback was not understood.
    NotUnderstood,
}

fn delivery_phase() -> Object {
    word(&DELIVERY_PHASES)
}

/// One callback, and the decision on it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryRow {
    /// Row of the delivery.
    pub id: i64,
    /// Sinch's event id, or the key that stands for it.
    pub event: String,
    /// The claimed state, verbatim; `null` if the delivery is not about an order.
    pub status: Option<String>,
    /// Time stamp of the callback, by Sinch's clock.
    pub said_at: Option<Time>,
    /// Time of receipt.
    pub received_at: Time,
    /// Whether the delivery waits, was processed or recorded, or is parked.
    #[schema(schema_with = delivery_phase)]
    pub phase: String,
    /// Decision on the delivery; `null` if it is not processed yet.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<DeliveryDecision>)]
    pub decision: Option<DeliveryDecision>,
    /// Number of times that the delivery came again.
    pub duplicates: i64,
    /// Time at which an operator dismissed the delivery; absent unless it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dismissed_at: Option<Time>,
}

/// Result of one fetch.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FetchRow {
    /// Time at which the fetch was sent.
    pub fetched_at: Time,
    /// The state in the answer, verbatim.
    pub state: Option<String>,
    /// Sinch's `updateTime` in the answer.
    pub updated_at: Option<Time>,
    /// Outcome of the answer, or the reason why there was none.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<FetchOutcome>)]
    pub outcome: FetchOutcome,
    /// Beginning of an `expireTime` that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable_expiry: Option<String>,
}

/// A change of an order's state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionRow {
    /// Time at which this program recorded the change.
    pub recorded_at: Time,
    /// State before the change; `null` if there was none.
    #[schema(value_type = Option<State>)]
    pub from_state: Option<String>,
    /// State after the change.
    #[schema(value_type = State)]
    pub to_state: String,
    /// `true` if Sinch has shown the change; `false` if only an event claims it.
    pub confirmed: bool,
    /// Time of the change, by Sinch's clock.
    pub said_at: Time,
    /// Cause of the change.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<Cause>)]
    pub cause: Cause,
}

/// A delivery in a listing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedDelivery {
    /// Sinch's project id.
    pub project: String,
    /// Sinch's order id, if the delivery is about an order.
    pub order: Option<String>,
    /// The delivery itself.
    #[serde(flatten)]
    pub delivery: DeliveryRow,
}

/// The raw body of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Raw bytes, as received.
    Kept(Vec<u8>),
    /// The body was emptied after its retention period.
    Gone,
}
