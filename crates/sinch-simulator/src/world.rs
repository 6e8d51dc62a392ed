//! A world: the real history of each order, and what Sinch will say of it.
//!
//! Pure, like [`number_order`]: the same seed and script make the same world. All times in it are
//! offsets from a start. The start is given only when something is put into words, so a world can be
//! played by the clock or in simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use super::history::{OrderHistory, Reply, SimulatedEvent, hit};
use super::plan;
use super::script::{Script, Trouble};
use number_order::{Id, State};

/// Every order of a script, with its history and its events.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    seed: u64,
    project: Id,
    trouble: Trouble,
    orders: BTreeMap<Id, OrderHistory>,
    notices: Vec<SimulatedEvent>,
}

impl World {
    /// Makes the world of this seed and script.
    pub fn new(seed: u64, script: &Script) -> World {
        let mut rng = Rng::with_seed(seed);
        let lives = plan::lives(&mut rng, script);
        let notices = plan::notices(&mut rng, &script.trouble, &lives);
        World {
            seed,
            project: script.project.clone(),
            trouble: script.trouble.clone(),
            orders: lives
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            notices,
        }
    }

    /// Makes a world of hand-written orders, without trouble and, until [`World::tell`], without callbacks.
    pub fn from_orders(project: Id, orders: impl IntoIterator<Item = OrderHistory>) -> World {
        World {
            seed: 0,
            project,
            trouble: Trouble::none(),
            orders: orders
                .into_iter()
                .map(|history| (history.id.clone(), history))
                .collect(),
            notices: Vec::new(),
        }
    }

    /// Adds an event to be sent.
    pub fn tell(&mut self, notice: SimulatedEvent) {
        self.notices.push(notice);
    }

    /// Seed that made the world; a failing test prints it.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Project of all orders.
    pub fn project(&self) -> &Id {
        &self.project
    }

    /// All orders, by id, which is also by creation where the world made them.
    pub fn orders(&self) -> impl Iterator<Item = &OrderHistory> {
        self.orders.values()
    }

    /// Returns the order with this id.
    pub fn order(&self, id: &Id) -> Option<&OrderHistory> {
        self.orders.get(id)
    }

    /// All events, order by order.
    pub fn notices(&self) -> &[SimulatedEvent] {
        &self.notices
    }

    /// Final state of each order.
    pub fn truth(&self) -> BTreeMap<Id, State> {
        self.orders()
            .filter_map(|history| Some((history.id.clone(), history.final_state()?)))
            .collect()
    }

    /// Offset of the last change of all orders.
    pub fn end(&self) -> Duration {
        self.orders()
            .filter_map(|history| history.history.last())
            .map(|(at, _)| *at)
            .max()
            .unwrap_or_default()
    }

    /// Randomness that decides the answers about an order. Each order has its own, so that the number of
    /// fetches of other orders changes nothing.
    pub fn dice(&self, history: &OrderHistory) -> Rng {
        let own = history.id.as_str().bytes().fold(self.seed, |seed, byte| {
            seed.wrapping_mul(0x0100_0000_01b3)
                .wrapping_add(byte.into())
        });
        Rng::with_seed(own)
    }

    /// Decides Sinch's reply to a fetch of the order at this offset.
    pub fn answer(&self, history: &OrderHistory, asked: Duration, rng: &mut Rng) -> Reply {
        let trouble = &self.trouble;
        if hit(rng, trouble.unauthorized) {
            return Reply::Unauthorized;
        }
        if hit(rng, trouble.throttled) {
            return Reply::Throttled {
                retry_after: trouble.retry_after,
            };
        }
        if hit(rng, trouble.broken) {
            return Reply::Broken {
                status: *rng.choice(&[500, 502, 503, 504]).unwrap_or(&500),
            };
        }
        let age = history.created().map(|at| asked.saturating_sub(at));
        if age.is_some_and(|age| age < trouble.young) && hit(rng, trouble.missing_young) {
            return Reply::Missing;
        }
        // The rarest troubles draw no random number where they are off, so that worlds without them stay as
        // they are.
        if trouble.unspecified > 0.0
            && hit(rng, trouble.unspecified)
            && let Some((updated, _)) = history.known_at(asked)
        {
            let state = "NUMBER_ORDER_STATE_UNSPECIFIED".to_owned();
            return Reply::Says { state, updated };
        }
        if trouble.beyond > 0.0 && hit(rng, trouble.beyond) {
            let further = trouble.beyond_max.saturating_sub(trouble.staleness);
            let by = trouble.staleness + further.mul_f64(rng.f64());
            return Reply::Stale(self.caught(history, asked, by, rng));
        }
        if hit(rng, trouble.stale) {
            let by = trouble.staleness.mul_f64(rng.f64());
            return Reply::Stale(self.caught(history, asked, by, rng));
        }
        if hit(rng, trouble.slow) {
            return Reply::Slow(trouble.slow_by);
        }
        Reply::True
    }

    /// Staleness of an answer that could be stale by `by`: `by` itself, or a shorter span that shows the
    /// order at one of its changes since.
    fn caught(
        &self,
        history: &OrderHistory,
        asked: Duration,
        by: Duration,
        rng: &mut Rng,
    ) -> Duration {
        if self.trouble.caught == 0.0 || !hit(rng, self.trouble.caught) {
            return by;
        }
        let ages = history.history.iter().map(|(at, _)| asked.checked_sub(*at));
        let ages: Vec<Duration> = ages.flatten().filter(|age| *age <= by).collect();
        rng.choice(&ages).copied().unwrap_or(by)
    }
}
