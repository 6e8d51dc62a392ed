//! Story of one order: what Sinch did, what the service received and fetched, in the order in which it happened.
//!
//! Sinch's part is taken from the simulated world, the service's part from the answers of the operators' API.

use std::collections::BTreeMap;
use std::time::Duration;

use super::service::{DeliveryView, FetchView, OrderView};
use number_order::{Id, State, Time};
use sinch_simulator::{EventContent, OrderHistory, SimulatedEvent, Simulator};

/// Story of one order.
#[derive(Debug)]
pub struct Story {
    pub order: Id,
    /// State in which the order ends at Sinch.
    pub end: State,
    /// State that the service has confirmed, if any.
    pub confirmed: Option<State>,
    /// Time of the order's creation.
    pub began_at: Time,
    /// Events, changes and fetches, each cause before its effect.
    pub steps: Vec<Step>,
}

/// Something that happened to an order.
#[derive(Debug)]
pub struct Step {
    /// Offset from the order's creation.
    pub at: Duration,
    pub action: Action,
}

/// Kind of a step.
#[derive(Debug)]
pub enum Action {
    /// Sinch moves the order to this state.
    Change { state: State, callback: Callback },
    /// Sinch forgets the order.
    Forget,
    /// The service receives an event.
    Receive {
        state: State,
        /// Offset of the change that the event reports.
        made_at: Duration,
        /// The service's decision; `None` for a duplicate, which it does not process again.
        decision: Option<String>,
    },
    /// The service fetches the order.
    Fetch {
        /// State that Sinch's answer shows, if there was an answer and it shows one.
        state: Option<State>,
        outcome: String,
    },
}

/// Callback that a change causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// Sinch sends no callback for the change.
    None,
    /// Sinch sends a callback, and it never arrives.
    Lost,
    /// Sinch sends a callback, with a time stamp that is wrong by the given number of microseconds.
    Sent { skew_micros: i64 },
}

impl Story {
    /// Returns `true` if the service has confirmed the state in which the order ends.
    pub fn is_agreed(&self) -> bool {
        self.confirmed == Some(self.end)
    }

    /// Returns the state that the last received event reports: what a naive receiver shows.
    pub fn last_received(&self) -> Option<State> {
        self.steps.iter().rev().find_map(|step| match step.action {
            Action::Receive { state, .. } => Some(state),
            Action::Change { .. } | Action::Forget | Action::Fetch { .. } => None,
        })
    }

    /// Returns `true` if the last received event reports another state than the order ends in.
    pub fn is_misleading(&self) -> bool {
        self.last_received() != Some(self.end)
    }

    /// Returns the total time, from the first event to the end, during which the last received event was not about
    /// the order's present state.
    pub fn misled_for(&self) -> Duration {
        let (mut present, mut shown) = (None, None);
        let mut total = Duration::ZERO;
        let mut before = Duration::ZERO;
        for step in &self.steps {
            if shown.is_some() && shown != present {
                total += step.at.saturating_sub(before);
            }
            before = step.at;
            match step.action {
                Action::Change { state, .. } => present = Some(state),
                Action::Receive { state, .. } => shown = Some(state),
                Action::Forget | Action::Fetch { .. } => {}
            }
        }
        total
    }
}

/// Offsets of repeated deliveries, by the id of the event.
type Repeats = BTreeMap<String, Vec<Duration>>;

/// Makes the story of every order.
pub fn stories(simulator: &Simulator, views: &[Option<OrderView>]) -> Vec<Story> {
    let mut repeats = Repeats::new();
    for acknowledged in simulator.acknowledged() {
        if let Some(event_id) = acknowledged.event_id {
            repeats.insert(event_id, acknowledged.again_at);
        }
    }
    let views: BTreeMap<&str, &OrderView> = views
        .iter()
        .flatten()
        .map(|view| (view.order.as_str(), view))
        .collect();
    let world = simulator.world();
    world
        .orders()
        .filter_map(|history| {
            let events = world.events().iter();
            let events = events.filter(|event| event.order == history.id);
            let view = views.get(history.id.as_str()).copied();
            story(
                history,
                &events.collect::<Vec<_>>(),
                view,
                &repeats,
                simulator.started_at(),
            )
        })
        .collect()
}

/// Makes the story of one order; `None` if Sinch never creates it.
fn story(
    history: &OrderHistory,
    events: &[&SimulatedEvent],
    view: Option<&OrderView>,
    repeats: &Repeats,
    started_at: Time,
) -> Option<Story> {
    let created = history.created()?;
    let mut steps = changes(history, events);
    if let Some(view) = view {
        let mut latest = Duration::ZERO;
        for delivery in &view.deliveries {
            // Deliveries are listed as they were processed. The times of two that arrived together may say otherwise.
            latest = latest.max(delivery.received_at.since(started_at));
            steps.extend(receipts(delivery, latest, events, repeats, started_at));
        }
        steps.extend(view.fetches.iter().map(|fetch| fetched(fetch, started_at)));
    }
    for step in &mut steps {
        step.at = step.at.saturating_sub(created);
        if let Action::Receive { made_at, .. } = &mut step.action {
            *made_at = made_at.saturating_sub(created);
        }
    }
    // The sort is stable: of what happened at the same time, Sinch's part comes first and the fetches last.
    steps.sort_by_key(|step| step.at);
    let confirmed = view.and_then(|view| view.confirmed.as_deref());
    Some(Story {
        order: history.id.clone(),
        end: history.final_state()?,
        confirmed: confirmed.and_then(State::from_word),
        began_at: started_at.plus(created),
        steps,
    })
}

/// Returns what Sinch did with an order, as steps of its story.
fn changes(history: &OrderHistory, events: &[&SimulatedEvent]) -> Vec<Step> {
    let mut steps: Vec<Step> = history
        .states
        .iter()
        .map(|(at, state)| {
            let reports = |event: &&&SimulatedEvent| {
                event.at == *at && matches!(event.content, EventContent::State(_))
            };
            let callback = match events.iter().find(reports) {
                None => Callback::None,
                Some(event) if event.sent_at.is_empty() => Callback::Lost,
                Some(event) => Callback::Sent {
                    skew_micros: event.skew_micros,
                },
            };
            let state = *state;
            let action = Action::Change { state, callback };
            Step { at: *at, action }
        })
        .collect();
    let forgotten = history.gone_at.map(|at| Step {
        at,
        action: Action::Forget,
    });
    steps.extend(forgotten);
    steps
}

/// Returns the receipt of an event, and of its duplicates.
fn receipts(
    delivery: &DeliveryView,
    received_at: Duration,
    events: &[&SimulatedEvent],
    repeats: &Repeats,
    started_at: Time,
) -> Vec<Step> {
    let event = events
        .iter()
        .find(|event| event.event_id(started_at) == delivery.event);
    let Some((event, EventContent::State(state))) = event.map(|event| (event, &event.content))
    else {
        return Vec::new();
    };
    let receipt = |at: Duration, decision| Step {
        at: at.max(event.at),
        action: Action::Receive {
            state: *state,
            made_at: event.at,
            decision,
        },
    };
    let decision = delivery.decision.as_deref().unwrap_or("not processed yet");
    let first = receipt(received_at, Some(decision.to_owned()));
    let again = repeats.get(&delivery.event).into_iter().flatten();
    let again = again.map(|at| receipt(received_at.max(*at), None));
    std::iter::once(first).chain(again).collect()
}

fn fetched(fetch: &FetchView, started_at: Time) -> Step {
    Step {
        at: fetch.fetched_at.since(started_at),
        action: Action::Fetch {
            state: fetch.state.as_deref().and_then(State::from_word),
            outcome: fetch.outcome.clone(),
        },
    }
}
