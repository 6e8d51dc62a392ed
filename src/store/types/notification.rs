//! Notifications: which are due, what came of them, and what operators see of them.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::{Cursor, Rate};
use notifications::{DeliveryFailure, EventType};
use number_order::{Id, Time};

/// Request to lease due notifications of a target.
#[derive(Clone, Debug)]
pub struct NotificationRequest {
    /// Name of the target.
    pub target: String,
    /// Maximum number of notifications to lease.
    pub limit: u32,
    /// Maximum rate of the target's notifications; `None`: there is none.
    pub rate: Option<Rate>,
    /// Duration of the lease, after which a notification is due again.
    pub lease: Duration,
    /// Time of the claim.
    pub now: Time,
}

/// Notifications that are leased to the caller.
#[derive(Clone, Debug, Default)]
pub struct NotificationsClaimed {
    /// The leased notifications, each the first that waits about its order.
    pub claims: Vec<NotificationClaim>,
    /// Time at which it is worth asking again, unless events are added before; `None`: nothing waits.
    pub next_at: Option<Time>,
}

/// A notification that is leased to the caller, who must send it.
#[derive(Clone, Debug)]
pub struct NotificationClaim {
    /// Row of the notification.
    pub(in crate::store) id: i64,
    /// Row of the target.
    pub(in crate::store) target: i64,
    /// Subject of the notification's queue: the row of an order, or 0.
    pub(in crate::store) subject: i64,
    /// Fencing token of the lease.
    pub(in crate::store) lease: i64,
    /// Number of attempts before this one.
    pub attempts: u32,
    /// Number of the event among all.
    pub sequence: i64,
    /// Id of the event, the same at each attempt.
    pub event_id: String,
    /// Type of the event, as it is written.
    pub event_type: String,
    /// JSON of the event, the same at each attempt.
    pub body: String,
}

/// Result of sending a notification.
#[derive(Clone, Debug)]
pub struct NotificationResult {
    /// The claim under which it was sent.
    pub claim: NotificationClaim,
    /// What came of it.
    pub outcome: NotificationOutcome,
    /// Time of the result.
    pub now: Time,
    /// Random number from 0 to 1 that spreads the probes of a target that fails.
    pub jitter: f64,
}

impl NotificationResult {
    /// Returns `true` if an attempt was made.
    pub(in crate::store) fn is_attempt(&self) -> bool {
        self.outcome != NotificationOutcome::Unsent
    }

    /// Returns the result with its times on another clock.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn moved(&self, to: impl Fn(Time) -> Time) -> NotificationResult {
        let mut result = self.clone();
        result.now = to(result.now);
        if let NotificationOutcome::Failed { again_at, .. } = &mut result.outcome {
            *again_at = again_at.map(to);
        }
        result
    }
}

/// What came of sending a notification.
#[derive(Clone, Debug, PartialEq)]
pub enum NotificationOutcome {
    /// The target took it.
    Delivered,
    /// The target did not take it. It is sent again at the given time; `None`: all attempts are used up.
    Failed {
        /// Why the attempt failed.
        failure: DeliveryFailure,
        /// Time of the next attempt.
        again_at: Option<Time>,
    },
    /// The target wants no more notifications.
    Gone {
        /// Why the attempt failed.
        failure: DeliveryFailure,
    },
    /// No attempt was made: the notification is due again at once.
    Unsent,
}

/// A target, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TargetRow {
    /// Name of the target.
    pub name: String,
    /// `true` if the target is configured.
    pub active: bool,
    /// Number of notifications that wait.
    pub waiting: u64,
    /// Number of notifications whose attempts are used up.
    pub parked: u64,
    /// Time of the oldest event that waits.
    pub oldest_at: Option<Time>,
    /// Time since which every attempt fails through the target; `null`: the last one did not.
    pub failing_since: Option<Time>,
    /// Number of these attempts.
    pub failures: u32,
    /// Time until which the circuit is open; `null`: it is closed.
    pub paused_until: Option<Time>,
    /// Time at which the target answered that it wants no more (410).
    pub switched_off_at: Option<Time>,
    /// Time of the last success.
    pub delivered_at: Option<Time>,
    /// Why the last attempt failed; `null`: it succeeded.
    #[serde(serialize_with = "crate::explain::explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<DeliveryFailure>)]
    pub failure: Option<DeliveryFailure>,
}

impl TargetRow {
    /// Returns the target with its circuit on another clock.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn moved(mut self, to: impl Fn(Time) -> Time) -> TargetRow {
        self.paused_until = self.paused_until.map(to);
        self
    }
}

/// Filter of the list of notifications.
#[derive(Clone, Debug, Default)]
pub struct NotificationFilter {
    /// Only this notification.
    pub id: Option<i64>,
    /// Only of this target.
    pub target: Option<String>,
    /// Only in this phase: `waiting`, `delivered` or `parked`.
    pub phase: Option<&'static str>,
    /// Only of events of this type.
    pub event_type: Option<&'static str>,
    /// Only of events since this time.
    pub since: Option<Time>,
    /// Only of events before this time.
    pub until: Option<Time>,
    /// Newest first; else the oldest stand first.
    pub newest_first: bool,
    /// Position after which the page begins.
    pub after: Option<Cursor>,
    /// Maximum number of notifications.
    pub limit: u32,
}

/// Phases of a notification, as operators name them.
pub const NOTIFICATION_PHASES: [&str; 3] = ["waiting", "delivered", "parked"];

fn notification_phase() -> Object {
    crate::explain::word(&NOTIFICATION_PHASES)
}

/// A notification, as operators see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NotificationRow {
    /// Id of the notification.
    pub id: i64,
    /// Name of the target.
    pub target: String,
    /// Number of the event.
    pub sequence: i64,
    /// Id of the event, as the target gets it.
    pub event_id: String,
    /// Type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Time of the event.
    pub recorded_at: Time,
    /// Sinch's project id, if the event is about an order.
    pub project: Option<String>,
    /// Sinch's order id, if the event is about an order.
    pub order: Option<String>,
    /// Whether the notification waits, was delivered, or is parked.
    #[schema(schema_with = notification_phase)]
    pub phase: String,
    /// Number of attempts.
    pub attempts: u32,
    /// Time of the last attempt.
    pub attempted_at: Option<Time>,
    /// Why the last attempt failed; `null`: it succeeded, or there was none.
    #[serde(serialize_with = "crate::explain::explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<DeliveryFailure>)]
    pub failure: Option<DeliveryFailure>,
}

/// An event that is sent to one target, to try it. The feed leaves it out.
#[derive(Clone, Debug)]
pub struct TestEvent {
    /// Name of the target.
    pub target: String,
    /// Type of the event.
    pub event_type: EventType,
    /// Time of the event.
    pub now: Time,
}

/// Request for a page of the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedRequest {
    /// Number after which the events come; `None`: that of the newest one.
    pub after: Option<i64>,
    /// Id of the feed in which the number was given, if the reader knows it.
    pub feed: Option<String>,
    /// Types of events; empty: all.
    pub types: Vec<EventType>,
    /// `true`: also events about a provisional state alone.
    pub provisional: bool,
    /// Id of the order that the events are about; `None`: about any, or about none.
    pub order: Option<Id>,
    /// Maximum number of events.
    pub limit: u32,
}

/// Page of the feed.
#[derive(Clone, Debug, PartialEq)]
pub enum EventPage {
    /// Events after a number, the oldest first; there may be none.
    Events {
        /// Id of the feed.
        feed: String,
        /// Number after which the events come.
        after: i64,
        /// The events that were asked for.
        events: Vec<FeedEvent>,
        /// Number through which the feed was looked at: there is no other event up to it that was asked for.
        through: i64,
    },
    /// Events after the asked number are not kept any more. The feed can be read after the given number.
    Pruned {
        /// Number after which the feed can be read.
        after: i64,
    },
    /// The asked number is of no event yet: the database was restored, or it is another one.
    Ahead {
        /// Number of the newest event.
        newest: i64,
    },
    /// The number was given in another feed: the database was restored since, or it is another one.
    Other {
        /// Number of the newest event.
        newest: i64,
    },
}

/// An event of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedEvent {
    /// Number of the event among all.
    pub sequence: i64,
    /// Type of the event.
    pub event_type: EventType,
    /// JSON of the event.
    pub body: String,
}
