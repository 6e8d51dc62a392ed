//! A world: the real history of each order, and Sinch's callbacks and answers about it.
//!
//! Pure, like [`number_order`]: the same seed and script make the same world. All times in it are offsets from a start.
//! The start is given only when something is put into words, so a world can be played by the clock or in simulated
//! time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::history::{OrderHistory, Reply, SimulatedEvent, happens};
use super::plan;
use super::script::{Faults, Script};
use number_order::{Id, State};

/// World of a simulation: every order of a script, with its history and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    seed: u64,
    project: Id,
    faults: Faults,
    orders: BTreeMap<Id, OrderHistory>,
    events: Vec<SimulatedEvent>,
}

/// Move of an order's history to another time of creation.
#[derive(Clone, Copy)]
struct Move {
    from: Duration,
    to: Duration,
}

impl Move {
    /// Moves an offset, which is not before the order's creation.
    fn apply(self, at: &mut Duration) {
        *at = at.saturating_sub(self.from) + self.to;
    }
}

impl World {
    /// Makes the world of the given seed and script.
    pub fn new(seed: u64, script: &Script) -> World {
        let mut rng = Rng::with_seed(seed);
        let histories = plan::histories(&mut rng, script);
        let events = plan::events(&mut rng, &script.faults, &histories);
        World {
            seed,
            project: script.project.clone(),
            faults: script.faults.clone(),
            orders: histories
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            events,
        }
    }

    /// Makes a world of hand-written orders, without faults and, until [`World::add_event`], without callbacks.
    pub fn from_orders(project: Id, orders: impl IntoIterator<Item = OrderHistory>) -> World {
        World {
            seed: 0,
            project,
            faults: Faults::none(),
            orders: orders
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            events: Vec::new(),
        }
    }

    /// Returns the world with its orders created one after the other, at this interval: a steady load. Each history, with its
    /// events, plays as before from its creation on.
    #[must_use]
    pub fn paced(mut self, interval: Duration) -> World {
        let orders = self.orders.values_mut().zip(0u32..);
        let moves: BTreeMap<Id, Move> = orders
            .map(|(history, n)| {
                let moved = Move {
                    from: history.created().unwrap_or_default(),
                    to: interval * n,
                };
                history
                    .states
                    .iter_mut()
                    .for_each(|(at, _)| moved.apply(at));
                history.expires.iter_mut().for_each(|at| moved.apply(at));
                history.gone_at.iter_mut().for_each(|at| moved.apply(at));
                (history.id.clone(), moved)
            })
            .collect();
        for event in &mut self.events {
            if let Some(moved) = moves.get(&event.order) {
                moved.apply(&mut event.at);
                event.sent_at.iter_mut().for_each(|at| moved.apply(at));
            }
        }
        self
    }

    /// Adds an event whose callbacks are to be sent.
    pub fn add_event(&mut self, event: SimulatedEvent) {
        self.events.push(event);
    }

    /// Returns the seed that made the world; a failing test prints it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the project of all orders of the world.
    pub fn project(&self) -> &Id {
        &self.project
    }

    /// Returns all orders by id, which is also the sequence of their creation where the world made them.
    pub fn orders(&self) -> impl Iterator<Item = &OrderHistory> {
        self.orders.values()
    }

    /// Returns the order with the given id.
    pub fn order(&self, id: &Id) -> Option<&OrderHistory> {
        self.orders.get(id)
    }

    /// Returns all events of the world, order by order.
    pub fn events(&self) -> &[SimulatedEvent] {
        &self.events
    }

    /// Returns the final state of each order of the world.
    pub fn final_states(&self) -> BTreeMap<Id, State> {
        self.orders()
            .filter_map(|history| Some((history.id.clone(), history.final_state()?)))
            .collect()
    }

    /// Returns the offset of the last change of any order.
    pub fn end(&self) -> Duration {
        self.orders()
            .filter_map(|history| history.states.last())
            .map(|(at, _)| *at)
            .max()
            .unwrap_or_default()
    }

    /// Returns the randomness that decides the answers about an order. Each order has its own, so that the number of
    /// fetches of other orders changes nothing.
    pub fn reply_rng(&self, history: &OrderHistory) -> Rng {
        let own = history.id.as_str().bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3)
                .wrapping_add(byte.into())
        });
        Rng::with_seed(own)
    }

    /// Decides Sinch's reply to a fetch of the order at the given offset.
    pub fn answer(&self, history: &OrderHistory, fetched_at: Duration, rng: &mut Rng) -> Reply {
        let faults = &self.faults;
        if happens(rng, faults.unauthorized) {
            return Reply::Unauthorized;
        }
        if happens(rng, faults.throttled) {
            return Reply::Throttled {
                retry_after: faults.retry_after,
            };
        }
        if happens(rng, faults.broken) {
            return Reply::ServerError {
                status: *rng.choice(&[500, 502, 503, 504]).unwrap_or(&500),
            };
        }
        let age = history.created().map(|at| fetched_at.saturating_sub(at));
        if age.is_some_and(|age| age < faults.young) && happens(rng, faults.missing_young) {
            return Reply::NotFound;
        }
        // The rarest faults draw no random number where they are off, so that worlds without them stay as
        // they are.
        if faults.unspecified > 0.0
            && happens(rng, faults.unspecified)
            && let Some((updated, _)) = history.known_at(fetched_at)
        {
            let state = "NUMBER_ORDER_STATE_UNSPECIFIED".to_owned();
            return Reply::Shows { state, updated };
        }
        if faults.staler > 0.0 && happens(rng, faults.staler) {
            let further = faults.staleness_max.saturating_sub(faults.staleness);
            let by = faults.staleness + further.mul_f64(rng.f64());
            return Reply::Stale(self.staleness_of_cache(history, fetched_at, by, rng));
        }
        if happens(rng, faults.stale) {
            let by = faults.staleness.mul_f64(rng.f64());
            return Reply::Stale(self.staleness_of_cache(history, fetched_at, by, rng));
        }
        if happens(rng, faults.slow) {
            return Reply::Slow(faults.slow_by);
        }
        Reply::Current
    }

    /// Returns the staleness of an answer that could be stale by `by`: `by` itself, or a shorter span, so that the
    /// answer shows the order at one of its changes since.
    fn staleness_of_cache(
        &self,
        history: &OrderHistory,
        fetched_at: Duration,
        by: Duration,
        rng: &mut Rng,
    ) -> Duration {
        if self.faults.cached == 0.0 || !happens(rng, self.faults.cached) {
            return by;
        }
        let ages = history
            .states
            .iter()
            .map(|(at, _)| fetched_at.checked_sub(*at));
        let ages: Vec<Duration> = ages.flatten().filter(|age| *age <= by).collect();
        rng.choice(&ages).copied().unwrap_or(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what of a world does not depend on when its orders are created: the offsets of each order, and of its events,
    /// from its creation.
    fn relative(world: &World) -> Vec<(Id, Vec<Duration>)> {
        let of_order = |history: &OrderHistory| {
            let created = history.created().expect("is created");
            let own = history.states.iter().map(|(at, _)| *at);
            let ends = history.expires.into_iter().chain(history.gone_at);
            let events = world.events().iter();
            let events = events.filter(|event| event.order == history.id);
            let events = events.flat_map(|event| [&[event.at][..], &event.sent_at].concat());
            let all = own.chain(ends).chain(events);
            let since = |at: Duration| at.checked_sub(created).expect("not before the creation");
            (history.id.clone(), all.map(since).collect())
        };
        world.orders().map(of_order).collect()
    }

    #[test]
    fn a_paced_world_begins_its_orders_one_after_the_other() {
        let script = Script::demo(Id::new("p").expect("an id"));
        let interval = Duration::from_millis(1500);
        for seed in 0..4 {
            let (world, paced) = (
                World::new(seed, &script),
                World::new(seed, &script).paced(interval),
            );
            let created: Vec<Duration> = paced.orders().filter_map(OrderHistory::created).collect();
            let expected: Vec<Duration> = (0..40).map(|n| interval * n).collect();
            assert_eq!(created, expected, "seed {seed}");
            assert_eq!(relative(&paced), relative(&world), "seed {seed}");
            assert!(paced.end() > world.end(), "seed {seed}");
        }
    }
}
