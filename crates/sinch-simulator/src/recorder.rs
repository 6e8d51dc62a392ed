//! Record of what the simulator did in a play, for later checks: counts, fetches, acknowledged events.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::StatusCode;

use super::history::{EventContent, SimulatedEvent};
use super::world::World;
use number_order::{Id, Time};

/// Counts of planned events, and of what has happened in a play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Number of orders in the world.
    pub orders: u64,
    /// Number of events in the world, of all kinds.
    pub events: u64,
    /// Number of events whose callbacks are never sent.
    pub lost: u64,
    /// Number of events whose callbacks are sent twice.
    pub duplicated: u64,
    /// Number of events whose callbacks are held back.
    pub delayed: u64,
    /// Number of events whose time stamp is off.
    pub skewed: u64,
    /// Number of callbacks sent so far, each attempt counted.
    pub sent: u64,
    /// Number of callbacks answered 200.
    pub acknowledged: u64,
    /// Number of callbacks that were answered 200 after the callback of a later event of the same order.
    pub overtaken: u64,
    /// Number of callbacks answered with another status than 200.
    pub refused: u64,
    /// Number of callbacks that got no answer.
    pub unanswered: u64,
    /// Number of callbacks that are no longer retried.
    pub abandoned: u64,
    /// Number of tokens that the API issued.
    pub tokens: u64,
    /// Number of fetches of orders that the API received.
    pub fetches: u64,
    /// Number of fetches that came while another fetch of the same order was in flight.
    pub fetches_at_once: u64,
    /// Number of replies to fetches of each kind, by its description.
    pub replies: BTreeMap<&'static str, u64>,
}

/// Event that the receiver answered 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Id of the event, its `eventId`; `None` where its body was unreadable.
    pub event_id: Option<String>,
    /// Order that the event was about, or that it came along with.
    pub order: Id,
    /// Content of the acknowledged event.
    pub content: EventContent,
    /// Body of the callback that was answered 200.
    pub body: String,
    /// Offset of the first 200 to a callback of the event.
    pub at: Duration,
    /// Offsets of further 200s to the event, for the same bytes sent again.
    pub again_at: Vec<Duration>,
}

/// Fetch of an order, as the API received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// Id of the order, as it stood in the path.
    pub order: String,
    /// Time at which the fetch arrived.
    pub at: Time,
}

/// Record of all that happened in a play.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub stats: Stats,
    pub fetches: Vec<ApiRequest>,
    /// Orders of which fetches are in flight, with the number of them.
    in_flight: BTreeMap<String, usize>,
    /// Acknowledged events by their index in the world.
    acknowledged: BTreeMap<usize, Acknowledged>,
    /// Offset of the event of each order that was acknowledged and is the latest.
    latest: BTreeMap<Id, Duration>,
}

impl Recorder {
    /// Starts the record of a play with the counts of what the world has planned.
    pub fn new(world: &World) -> Recorder {
        let mut recorder = Recorder::default();
        recorder.stats.orders = as_count(world.orders().count());
        for event in world.events() {
            let stats = &mut recorder.stats;
            stats.events += 1;
            stats.lost += u64::from(event.sent_at.is_empty());
            stats.duplicated += u64::from(event.sent_at.len() > 1);
            stats.delayed += u64::from(event.is_delayed());
            stats.skewed += u64::from(event.skew_micros != 0);
        }
        recorder
    }

    /// Records that a fetch of an order came, which is in flight from now on.
    pub fn fetch_came(&mut self, fetch: ApiRequest) {
        let in_flight = self.in_flight.entry(fetch.order.clone()).or_default();
        *in_flight += 1;
        self.stats.fetches += 1;
        self.stats.fetches_at_once += u64::from(*in_flight > 1);
        self.fetches.push(fetch);
    }

    /// Records that a fetch of an order is no longer in flight.
    pub fn fetch_ended(&mut self, order: &str) {
        if let Some(in_flight) = self.in_flight.get_mut(order) {
            *in_flight -= 1;
        }
    }

    /// Counts a reply of the given kind to a fetch.
    pub fn replied(&mut self, kind: &'static str) {
        *self.stats.replies.entry(kind).or_default() += 1;
    }

    /// Counts an attempt to send a callback, by what came back.
    pub fn sent(&mut self, answered: &reqwest::Result<StatusCode>, abandoned: bool) {
        self.stats.sent += 1;
        match answered {
            Ok(StatusCode::OK) => {}
            Ok(_) => self.stats.refused += 1,
            Err(_) => self.stats.unanswered += 1,
        }
        self.stats.abandoned += u64::from(abandoned);
    }

    /// Records a callback that was answered 200.
    pub fn acknowledge(
        &mut self,
        index: usize,
        event: &SimulatedEvent,
        body: String,
        started_at: Time,
        at: Duration,
    ) {
        self.stats.acknowledged += 1;
        let latest = self.latest.entry(event.order.clone()).or_default();
        self.stats.overtaken += u64::from(event.at < *latest);
        *latest = event.at.max(*latest);
        self.acknowledged
            .entry(index)
            .and_modify(|acknowledged| acknowledged.again_at.push(at))
            .or_insert_with(|| Acknowledged {
                event_id: match event.content {
                    EventContent::State(_) | EventContent::Number { .. } => {
                        Some(event.event_id(started_at))
                    }
                    EventContent::Unreadable => None,
                },
                order: event.order.clone(),
                content: event.content.clone(),
                body,
                at,
                again_at: Vec::new(),
            });
    }

    /// Returns every event that the receiver answered 200.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.values().cloned().collect()
    }
}

fn as_count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
