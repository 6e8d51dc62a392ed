//! What operators do, by the commands of the built program: see how all stands, find an order, and cure what is stuck.

mod acting;
mod by_number;
mod configuration;
mod curing;
mod finding;
mod outage;
mod periods;
mod retention;
mod shells;
mod status;
mod tail;

use number_order::State::{self, Completed, Created, InReview};
use serde_json::Value;
use sinch_simulator::{Reply, Simulator, World};
use tempfile::TempDir;

use testkit::{Ended, PROJECT, Process, Service, Settings, event, folder, id, order_history, play};

/// Exit code of `status` where something needs an operator.
pub const ATTENTION: i32 = 3;

/// A service that parks an order at its first failure, and what it is told about orders by the simulated Sinch.
pub struct Place {
    pub service: Service,
    pub simulator: Simulator,
    pub settings: Settings,
    _folder: TempDir,
}

impl Place {
    /// Starts a service with a Sinch that has the orders, which are completed there.
    pub async fn new(orders: &[&str], change: impl FnOnce(Settings) -> Settings) -> Place {
        Place::with_history(
            orders,
            &[(0, Created), (1, InReview), (2, Completed)],
            change,
        )
        .await
    }

    /// Starts a service with a Sinch that has the orders, each of which has come this far.
    pub async fn with_history(
        orders: &[&str],
        history: &[(u64, State)],
        change: impl FnOnce(Settings) -> Settings,
    ) -> Place {
        let folder = folder();
        let histories = orders.iter().map(|order| order_history(order, history));
        let world = World::from_orders(id(PROJECT), histories);
        let settings = Settings::new(folder.path()).set("worker.attempts_max", 1);
        let (simulator, settings) = play(world, change(settings)).await;
        let service = Service::start(&settings).await;
        Place {
            service,
            simulator,
            settings,
            _folder: folder,
        }
    }

    /// Runs a command to its end.
    pub async fn ended(&self, arguments: &[&str]) -> Ended {
        self.started(arguments).ended().await
    }

    /// Starts a command that goes on.
    pub fn started(&self, arguments: &[&str]) -> Process {
        let address = self.service.operators.to_string();
        let environment = [("SINCH_CALLBACKS_OPERATORS__LISTEN", address)];
        Process::start_in(&environment, arguments)
    }

    /// Runs a command, which must end with the code, and returns what it printed.
    pub async fn run(&self, code: i32, arguments: &[&str]) -> String {
        let ended = self.ended(arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs a command with `--json`, which must end with the code, and returns the value that it printed.
    pub async fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let out = self.run(code, &[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    /// Has a callback say a state of an order.
    pub async fn say(&self, order: &str, state: &str) {
        let said_at = self.simulator.started_at();
        let body = event(&format!("e-{order}-{state}"), order, state, said_at);
        self.service.deliver(body).await;
    }

    /// Has an order completed, and waits for its number to be ready.
    pub async fn complete(&self, order: &str) {
        self.say(order, "COMPLETED").await;
        let is_ready = |order: &Value| !order["ready_at"].is_null();
        self.service.order_when(order, "its number", is_ready).await;
    }

    /// Has an order parked, since Sinch fails for it.
    pub async fn park(&self, order: &str) {
        let fails = Reply::ServerError { status: 500 };
        self.simulator.push_reply(&id(order), fails);
        self.say(order, "COMPLETED").await;
        let is_parked = |order: &Value| !order["parked"].is_null();
        self.service.order_when(order, "parked", is_parked).await;
    }
}
