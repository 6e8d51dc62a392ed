//! Makes a random world: histories first, then their events.

use std::time::Duration;

use fastrand::Rng;

use super::history::{EventContent, OrderHistory, Region, SimulatedEvent, happens};
use super::script::{Faults, Script};
use super::wire;
use number_order::{Id, State, Time};

/// Courses that the orders of a world take. The first orders of a world take one each, so that even a small world has
/// all of them.
#[derive(Clone, Copy)]
enum Course {
    /// The order is reviewed and completed.
    Smooth,
    /// The order is reviewed and completed within a second.
    Fast,
    /// The order is blocked once or more, then completed.
    Blocked,
    /// The order is rejected, perhaps after having been blocked.
    Rejected,
    /// The order is blocked, and the customer never corrects it.
    Abandoned,
    /// The order is never submitted, so that the reservation expires.
    Unsubmitted,
}

impl Course {
    const ALL: [Course; 6] = [
        Course::Smooth,
        Course::Fast,
        Course::Blocked,
        Course::Rejected,
        Course::Abandoned,
        Course::Unsubmitted,
    ];

    fn choose(rng: &mut Rng, n: usize) -> Course {
        match Course::ALL.get(n) {
            Some(course) => *course,
            None => match rng.u8(0..100) {
                0..40 => Course::Smooth,
                40..55 => Course::Fast,
                55..75 => Course::Blocked,
                75..85 => Course::Rejected,
                85..90 => Course::Abandoned,
                _ => Course::Unsubmitted,
            },
        }
    }

    fn states(self, rng: &mut Rng) -> Vec<State> {
        let mut states = vec![State::Created];
        let blocked = [State::InReview, State::Blocked].into_iter();
        match self {
            Course::Smooth | Course::Fast => states.extend([State::InReview, State::Completed]),
            Course::Blocked => {
                for _ in 0..rng.usize(1..=2) {
                    states.extend(blocked.clone());
                }
                states.extend([State::InReview, State::Completed]);
            }
            Course::Rejected => {
                if rng.bool() {
                    states.extend(blocked);
                }
                states.extend([State::InReview, State::Rejected]);
            }
            Course::Abandoned => {
                states.extend(blocked);
                states.push(if rng.bool() {
                    State::Rejected
                } else {
                    State::Expired
                });
            }
            Course::Unsubmitted => states.push(State::Expired),
        }
        states
    }
}

/// Makes the histories of the orders of a script.
pub(super) fn histories(rng: &mut Rng, script: &Script) -> Vec<OrderHistory> {
    (0..script.orders)
        .map(|n| {
            let course = Course::choose(rng, n);
            history_of(rng, script, course)
        })
        .collect()
}

fn history_of(rng: &mut Rng, script: &Script, course: Course) -> OrderHistory {
    let faults = &script.faults;
    let mut states = course.states(rng);
    if happens(rng, faults.reopened) {
        states.push(match states.last() {
            Some(State::Rejected | State::Expired) if rng.bool() => State::Completed,
            _ if rng.bool() => State::InReview,
            _ => State::Blocked,
        });
    }
    let quick = match course {
        Course::Fast => 1.0,
        _ => faults.quick,
    };
    let created = random_span(rng, Duration::ZERO, script.span.mul_f64(0.4));
    let times = entry_times(rng, created, states.len(), script.span, quick);
    let history: Vec<(Duration, State)> = times.into_iter().zip(states).collect();
    let expired_at = history
        .iter()
        .find(|(_, state)| *state == State::Expired)
        .map(|(at, _)| *at);
    let expires = match expired_at {
        Some(at) => Some(at),
        None if rng.u8(0..6) == 0 => None,
        None => Some(created + random_span(rng, RESERVED_MIN, RESERVED_MAX)),
    };
    let remains = random_span(rng, Duration::ZERO, script.span.mul_f64(0.2));
    let forgotten = happens(rng, faults.forgets_expired)
        && history
            .last()
            .is_some_and(|(_, state)| *state == State::Expired);
    let region = Region::ALL[rng.usize(0..Region::ALL.len())];
    let first = rng.u16(0..1000);
    let quantity = match rng.u8(0..10) {
        0 => rng.u16(2..=5),
        _ => 1,
    };
    OrderHistory {
        id: order_id(rng, created),
        states: history,
        expires,
        gone_at: expired_at.filter(|_| forgotten).map(|at| at + remains),
        fraction_digits: if happens(rng, faults.whole_seconds) {
            0
        } else if rng.bool() {
            3
        } else {
            6
        },
        region,
        numbers: (first..first + quantity)
            .map(|n| region.number(n))
            .collect(),
    }
}

/// Minimum duration of a reservation, as Sinch documents it.
const RESERVED_MIN: Duration = Duration::from_secs(30 * 60);
/// Maximum duration of a reservation, as Sinch documents it.
const RESERVED_MAX: Duration = Duration::from_secs(48 * 3600);

/// Returns an id for an order that looks like Sinch's and sorts by creation. Its day is fixed: the same seed must make
/// the same ids on any day.
fn order_id(rng: &mut Rng, created: Duration) -> Id {
    const NEW_YEAR_2026: Time = Time(1_767_225_600_000_000);
    let text = wire::ulid(NEW_YEAR_2026.plus(created), rng.u128(..));
    Id::new(text).expect("an ULID is a safe id")
}

/// Draws the offsets at which each of `n` states is entered, the first at `created`, in strictly ascending order.
fn entry_times(
    rng: &mut Rng,
    created: Duration,
    n: usize,
    span: Duration,
    quick: f64,
) -> Vec<Duration> {
    let mut times: Vec<Duration> = (1..n).map(|_| random_span(rng, created, span)).collect();
    times.sort_unstable();
    times.insert(0, created);
    for i in 1..n {
        let soon =
            times[i - 1] + random_span(rng, Duration::from_millis(20), Duration::from_millis(400));
        if happens(rng, quick) {
            times[i] = times[i].min(soon);
        }
        // Two equal times are set one microsecond apart.
        times[i] = times[i].max(times[i - 1] + Duration::from_micros(1));
    }
    times
}

/// Draws a span in whole microseconds, the unit of the program's times.
fn random_span(rng: &mut Rng, from: Duration, to: Duration) -> Duration {
    let span = to.saturating_sub(from).mul_f64(rng.f64());
    from + Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

/// Makes the events of all histories, order by order.
pub(super) fn events(
    rng: &mut Rng,
    faults: &Faults,
    histories: &[OrderHistory],
) -> Vec<SimulatedEvent> {
    histories
        .iter()
        .flat_map(|history| {
            let mut events = state_events(rng, faults, history);
            events.extend(other_events(rng, faults, history));
            events
        })
        .collect()
}

/// Makes the events about an order itself: one for each state but CREATED.
fn state_events(rng: &mut Rng, faults: &Faults, history: &OrderHistory) -> Vec<SimulatedEvent> {
    let announced = history
        .states
        .iter()
        .filter(|(_, state)| *state != State::Created);
    let mut events: Vec<SimulatedEvent> = announced
        .map(|(at, state)| new_event(rng, faults, history, *at, EventContent::State(*state)))
        .collect();
    // Fetches alone may never show the end of such an order: one that leaves a final state, or that Sinch forgets.
    let is_last_needed = history.gone_at.is_some() || history.is_reopened();
    let must_send_last = !faults.lose_last || faults.reachable && is_last_needed;
    if must_send_last && let Some(last) = events.last_mut() {
        send_if_lost(rng, last);
    }
    if faults.reachable && events.iter().all(|event| event.sent_at.is_empty()) {
        let n = rng.usize(0..events.len().max(1));
        if let Some(one) = events.get_mut(n) {
            send_if_lost(rng, one);
        }
    }
    events
}

/// Makes the events about other things that come on the order's URL.
fn other_events(rng: &mut Rng, faults: &Faults, history: &OrderHistory) -> Vec<SimulatedEvent> {
    let mut events = Vec::new();
    let completed = history
        .states
        .iter()
        .find(|(_, state)| *state == State::Completed);
    if let Some((at, _)) = completed
        && happens(rng, faults.numbers)
    {
        for number in history.numbers.clone() {
            let at = *at + random_span(rng, Duration::ZERO, Duration::from_secs(1));
            let succeeded = rng.u8(0..5) > 0;
            let content = EventContent::Number { number, succeeded };
            events.push(new_event(rng, faults, history, at, content));
        }
    }
    if let Some((at, _)) = history.states.last()
        && happens(rng, faults.unreadable)
    {
        let mut unreadable = new_event(rng, faults, history, *at, EventContent::Unreadable);
        send_if_lost(rng, &mut unreadable);
        events.push(unreadable);
    }
    events
}

fn new_event(
    rng: &mut Rng,
    faults: &Faults,
    history: &OrderHistory,
    at: Duration,
    content: EventContent,
) -> SimulatedEvent {
    let mut first = at + usual_delay(rng);
    if happens(rng, faults.delayed) {
        // Most delays are short and a few very long, as with retries.
        let longest = faults.delay_max.mul_f64(rng.f64());
        first += random_span(rng, SimulatedEvent::USUAL_DELAY_MAX, longest);
    }
    let mut sent_at = vec![first];
    if happens(rng, faults.duplicated) {
        let later = Duration::from_secs(1).max(faults.delay_max.mul_f64(rng.f64()));
        sent_at.push(first + random_span(rng, Duration::ZERO, later));
    }
    if happens(rng, faults.lost) {
        sent_at.clear();
    }
    let skew_max = i64::try_from(faults.skew_max.as_micros()).unwrap_or(i64::MAX / 2);
    let skew_micros = if happens(rng, faults.skewed) {
        rng.i64(-skew_max..=skew_max)
    } else {
        0
    };
    SimulatedEvent {
        order: history.id.clone(),
        content,
        at,
        skew_micros,
        sent_at,
        salt: rng.u128(..),
    }
}

/// Makes the callback of an event be sent after all if it was lost.
fn send_if_lost(rng: &mut Rng, event: &mut SimulatedEvent) {
    if event.sent_at.is_empty() {
        event.sent_at.push(event.at + usual_delay(rng));
    }
}

/// Draws the time that a callback takes to be sent without a delay.
fn usual_delay(rng: &mut Rng) -> Duration {
    random_span(
        rng,
        Duration::from_millis(5),
        SimulatedEvent::USUAL_DELAY_MAX,
    )
}
