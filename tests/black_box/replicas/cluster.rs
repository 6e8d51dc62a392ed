//! Replicas of the service with a simulated Sinch, a balancer and a load of further callbacks.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use sinch_simulator::{Faults, Script, Simulator, World};
use tempfile::TempDir;
use testkit::ledger::Acknowledged;
use testkit::load::Plan;
use testkit::{
    CYCLE, Callbacks, Content, Load, PROJECT, Service, Settings, folder, id, play, until,
};

use super::balancer::Balancer;
use super::findings::Allowed;

/// Number of replicas.
pub const REPLICAS: usize = 3;

/// Fetches in a second, of all replicas together.
const PER_SECOND: usize = 15;

/// Number of fetches that each replica may have in flight.
const MAX_IN_FLIGHT: usize = 2;

/// Number of orders: more than may be fetched while the load casts doubt on all of them.
const ORDERS: usize = 60;

/// Callbacks in a second, beside those of the simulated Sinch.
const LOAD_PER_SECOND: f64 = 100.0;

/// Number of callers of the load.
const CALLERS: usize = 12;

/// Replicas that are called and call, each with a folder of its own for its configuration.
pub struct Cluster {
    /// Settings of each replica.
    pub settings: Vec<Settings>,
    /// Simulated Sinch that they ask.
    pub simulator: Simulator,
    balancer: Balancer,
    load: Load,
    _folders: Vec<TempDir>,
}

impl Cluster {
    /// Starts replicas whose settings are completed by the given function, and everything that calls them. Histories
    /// last for the given span.
    pub async fn start(
        seed: u64,
        span: Duration,
        complete: impl Fn(Settings) -> Settings,
    ) -> (Cluster, Vec<Service>) {
        let folders: Vec<TempDir> = (0..REPLICAS).map(|_| folder()).collect();
        let settings = folders.iter().map(settings);
        let settings: Vec<Settings> = settings.map(complete).collect();
        let (simulator, played) = play(World::new(seed, &script(span)), settings[0].clone()).await;
        drop(played);
        let of_simulator = |settings: Settings| {
            settings
                .set("sinch.api_url", simulator.api_url())
                .set("sinch.token_url", simulator.token_url())
        };
        let settings: Vec<Settings> = settings.into_iter().map(of_simulator).collect();
        let mut replicas = Vec::new();
        for one in &settings {
            replicas.push(Service::supervised(one).await);
        }
        let addresses: Vec<_> = replicas.iter().map(|replica| replica.callbacks).collect();
        let balancer = Balancer::start(&addresses).await;
        simulator.set_callback_url(Some(balancer.callback_url()));
        let plan = Plan {
            rate: Some(LOAD_PER_SECOND),
            ..Plan::insistent(CALLERS)
        };
        let callbacks = false_claims(&simulator, span * 20, &mut Rng::with_seed(seed));
        let load = Load::start(balancer.address, &callbacks, &plan).await;
        let cluster = Cluster {
            settings,
            simulator,
            balancer,
            load: load.expect("the balancer listens"),
            _folders: folders,
        };
        (cluster, replicas)
    }

    /// Waits until this number of further callbacks of the load was answered 200.
    pub async fn acknowledges(&self, further: usize) {
        let enough = self.load.count() + further;
        until("further acknowledgements", async || {
            (self.load.count() >= enough).then_some(())
        })
        .await;
    }

    /// Ends the load, and waits until Sinch has told all that it tells. Returns all events that were answered 200.
    pub async fn played_out(&mut self) -> Acknowledged {
        self.load.stop().await.expect("the balancer answers");
        self.simulator.played_out().await;
        let mut acknowledged = self.load.acknowledged();
        let simulated = self.simulator.acknowledged().into_iter();
        acknowledged
            .extend(simulated.filter_map(|event| Some((event.event_id?, event.body.into_bytes()))));
        let stats = self.simulator.stats();
        assert_eq!(stats.abandoned, 0, "{stats:?}");
        println!(
            "{} events answered 200 in {:?}; {} sent on to another replica; {} fetches",
            acknowledged.len(),
            self.simulator.elapsed(),
            self.balancer.sent_on(),
            stats.fetches
        );
        acknowledged
    }

    /// Returns the number of fetches that may reach Sinch.
    pub fn allowed() -> Allowed {
        Allowed {
            per_second: PER_SECOND as f64,
            // What the rate allows at once, and fetches that it has allowed and that wait to be sent.
            together: PER_SECOND / 10 + REPLICAS * MAX_IN_FLIGHT + 1,
        }
    }
}

fn settings(folder: &TempDir) -> Settings {
    Settings::new(folder.path())
        .fix_addresses()
        .set("log.filter", "warn,sinch_callbacks::app=info")
        .set("worker.attempts_max", 1000)
        .set("sinch.requests_per_second", PER_SECOND)
        .set("sinch.max_in_flight", MAX_IN_FLIGHT)
        // The lease of an order whose replica was killed lasts for four time-outs and ten seconds.
        .set("sinch.request_timeout_secs", 1)
}

/// Orders that meet every fault under which a final state can be found.
fn script(span: Duration) -> Script {
    Script {
        project: id(PROJECT),
        orders: ORDERS,
        span,
        faults: Faults {
            lost: 0.2,
            duplicated: 0.3,
            delayed: 0.3,
            delay_max: Duration::from_secs(3),
            skewed: 0.2,
            skew_max: Duration::from_secs(2),
            quick: 0.2,
            stale: 0.1,
            staleness: Duration::from_secs(1),
            throttled: 0.01,
            retry_after: Duration::from_secs(1),
            broken: 0.03,
            slow: 0.15,
            slow_by: Duration::from_millis(500),
            ..Faults::none()
        },
    }
}

/// Callbacks about the simulator's orders, of which most claim a false state: it must change nothing in the end.
fn false_claims(simulator: &Simulator, span: Duration, rng: &mut Rng) -> Arc<Callbacks> {
    let orders = simulator.world().orders();
    let orders = orders.map(|order| order.id.to_string()).collect();
    let count = (span.as_secs_f64() * LOAD_PER_SECOND) as usize;
    Callbacks::new(Content::Orders(orders, CYCLE), count, rng)
}
