//! What targets are told, from outside: the real program against a simulated Sinch, and targets that take it or do not.

mod alerts;
mod checked;
mod endless;
mod failing;
mod keys;
mod ledger;
mod receivers;
mod rotation;
mod schemas;
mod told;

use number_order::State::{Completed, Created, InReview};
use serde_json::json;
use sinch_callbacks::clock;
use sinch_simulator::{Reply, Simulator, World};
use tempfile::TempDir;
use testkit::{PROJECT, Service, Settings, event, folder, id, order_history, play};

/// A service, and a simulated Sinch at which orders are completed when the test begins. What it shows of them is up to the
/// test.
struct Played {
    simulator: Simulator,
    settings: Settings,
    service: Service,
    _folder: TempDir,
}

/// Adds the target `crm` to the configuration, which is told of orders.
fn crm(settings: Settings, url: &str) -> Settings {
    orders_of(settings, "crm", url)
}

/// Adds a target that is told of orders.
fn orders_of(settings: Settings, name: &str, url: &str) -> Settings {
    settings
        .add_target(name, url)
        .set_target("types", json!(["order.*"]))
}

impl Played {
    async fn with(orders: &[&str], change: impl FnOnce(Settings) -> Settings) -> Played {
        let folder = folder();
        let history = [(0, Created), (1, InReview), (2, Completed)];
        let orders = orders.iter().map(|order| order_history(order, &history));
        let world = World::from_orders(id(PROJECT), orders);
        let settings = change(Settings::new(folder.path()).fix_addresses());
        let (simulator, settings) = play(world, settings).await;
        let service = Service::start(&settings).await;
        Played {
            simulator,
            settings,
            service,
            _folder: folder,
        }
    }

    /// Has an order enter a state by an event, which Sinch confirms.
    async fn enter(&self, order: &str, state: &str, millis: u64) {
        self.simulator.push_reply(
            &id(order),
            Reply::Shows {
                state: state.to_owned(),
                updated: std::time::Duration::from_millis(millis),
            },
        );
        let name = format!("{order} {state}");
        let body = event(&name, order, state, clock::now());
        self.service.deliver(body).await;
        self.service.settles(order, state).await;
    }
}
