//! A trial of the outbox: orders change while the service is killed and its target fails, and the target's ledger must
//! show each change.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sinch_simulator::{Faults, Script, Simulator, World};
use tokio::time::sleep;

use super::ledger::{Change, FeedEvent, Findings, TYPES, changes_in_file, changes_on_server, feed};
use super::{Target, Told, moody};
use crate::load::Plan;
use crate::postgres::Server;
use crate::{
    Callbacks, Content, FITTING, File, Load, PROJECT, Request, Service, Settings, id, play, until,
};

/// Name of the target in the configuration.
const TARGET: &str = "crm";

/// Number of attempts at which no notification is parked, with their waits in seconds.
const RETRY_WAITS: &[f64] = &[0.1; 100];

/// Share of the requests at which the target fails.
const FAILURES: f64 = 0.2;

/// Database of a trial.
pub enum Database {
    /// A file, where the settings say.
    File,
    /// A database on a server, by its name.
    Server(Arc<Server>, String),
}

/// How a trial goes.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Number of orders.
    pub orders: usize,
    /// Number of changes of state until which the trial goes on.
    pub transitions: usize,
    /// Callbacks a second, beside those of the simulated Sinch.
    pub rate: f64,
    /// Time from readiness to each kill, in milliseconds.
    pub kill_after: RangeInclusive<u64>,
    /// Minimum number of kills.
    pub kills_min: usize,
    /// Time for which the target is up, and then down, in milliseconds.
    pub up_and_down: [RangeInclusive<u64>; 2],
}

/// What a trial has shown.
pub struct Shown {
    /// Number of kills.
    pub kills: usize,
    /// Number of requests that met a target that was down.
    pub met_down: usize,
    /// Number of times that an operator resumed the target since its circuit was open.
    pub resumed: usize,
    /// All requests to the target.
    pub told: Vec<Told>,
    /// The whole feed.
    pub feed: Vec<FeedEvent>,
    /// All changes of state.
    pub changes: Vec<Change>,
    /// Settings of the service, which has stopped.
    settings: Settings,
    /// A simulated Sinch, for a service that is started again.
    simulator: Simulator,
}

impl Database {
    fn set(&self, settings: Settings) -> Settings {
        match self {
            Database::File => settings,
            Database::Server(server, name) => settings.set("database.url", server.url(name)),
        }
    }

    async fn changes(&self, settings: &Settings) -> Vec<Change> {
        match self {
            Database::File => changes_in_file(&mut File::open(&settings.database()).await).await,
            Database::Server(server, name) => changes_on_server(server, name),
        }
    }

    async fn execute(&self, settings: &Settings, statements: &[String]) {
        match self {
            Database::File => {
                let mut file = File::open(&settings.database()).await;
                for statement in statements {
                    file.execute(statement).await;
                }
                file.close().await;
            }
            Database::Server(server, name) => {
                server.sql(name, &statements.join(";"));
            }
        }
    }
}

impl Trial {
    /// Runs the trial to its end, at which the target was told everything and the service has stopped.
    pub async fn run(&self, settings: Settings, database: &Database) -> Shown {
        let mut random = Rng::with_seed(self.seed);
        let target = Target::start(moody(random.u64(..), FAILURES)).await;
        let (simulator, settings) = self.play(settings, database, &target).await;
        let service = Service::start(&settings).await;
        simulator.set_callback_url(Some(service.callback_url()));
        let orders = simulator.world().orders();
        let orders = orders.map(|order| order.id.to_string()).collect();
        let content = Content::Orders(orders, FITTING);
        let callbacks = Callbacks::new(content, self.transitions * 10, &mut random);
        let plan = Plan {
            rate: Some(self.rate),
            ..Plan::insistent(8)
        };
        let load = Load::start(service.callbacks, &callbacks, &plan).await;
        let mut load = load.expect("the service takes callbacks");
        let mut shown = Shown {
            kills: 0,
            met_down: 0,
            resumed: 0,
            told: Vec::new(),
            feed: Vec::new(),
            changes: Vec::new(),
            settings,
            simulator,
        };
        let falling = self.fall(&target, random.fork());
        let killing = self.kill_often(service, database, &mut shown, &mut random);
        let service = tokio::select! {
            service = killing => service,
            () = falling => unreachable!("the target falls until the end"),
        };
        target.set_down(false);
        load.stop().await.expect("callbacks are answered");
        shown.simulator.played_out().await;
        shown.finish(&service, &target, database).await;
        service.stop_well().await;
        shown
    }

    async fn play(
        &self,
        settings: Settings,
        database: &Database,
        target: &Target,
    ) -> (Simulator, Settings) {
        let secs = self.transitions as f64 / self.rate;
        let script = Script {
            project: id(PROJECT),
            orders: self.orders,
            span: Duration::from_secs_f64(secs),
            faults: Faults {
                duplicated: 0.2,
                delayed: 0.2,
                delay_max: Duration::from_secs(1),
                quick: 0.2,
                broken: 0.02,
                ..Faults::none()
            },
        };
        let settings = database
            .set(settings)
            .set("worker.staleness_secs", 0.3)
            .set("worker.staleness_max_secs", 0.6)
            .set("worker.attempts_max", 1000)
            .set("worker.backoff_base_secs", 0.1)
            .set("worker.backoff_cap_secs", 1)
            .set("sinch.max_in_flight", 8)
            .set("sinch.requests_per_second", 500)
            .add_target(TARGET, &target.url())
            .set_target("types", json!(TYPES))
            .set_target("provisional", true)
            .set_target("timeout_secs", 0.5)
            .set_target("retry_waits_secs", json!(RETRY_WAITS));
        play(World::new(self.seed, &script), settings).await
    }

    /// Takes the target down again and again.
    async fn fall(&self, target: &Target, mut random: Rng) {
        let [up, down] = &self.up_and_down;
        loop {
            sleep(Duration::from_millis(random.u64(up.clone()))).await;
            target.set_down(true);
            sleep(Duration::from_millis(random.u64(down.clone()))).await;
            target.set_down(false);
        }
    }

    /// Kills the service at random moments until there were enough changes and kills, and returns the last process.
    async fn kill_often(
        &self,
        mut service: Service,
        database: &Database,
        shown: &mut Shown,
        random: &mut Rng,
    ) -> Service {
        loop {
            sleep(Duration::from_millis(random.u64(self.kill_after.clone()))).await;
            shown.resumed += resume_if_paused(&service).await;
            let changes = database.changes(&shown.settings).await.len();
            if changes >= self.transitions && shown.kills >= self.kills_min {
                return service;
            }
            service.kill().await;
            shown.kills += 1;
            service = Service::start(&shown.settings).await;
            if shown.kills.is_multiple_of(10) {
                eprintln!("killed {} times, {changes} changes", shown.kills);
            }
        }
    }
}

impl Shown {
    /// Waits until nothing changes any more and the target was told everything, and reads all that there is.
    async fn finish(&mut self, service: &Service, target: &Target, database: &Database) {
        until("orders about which nothing is open", async || {
            let orders = service.list("/api/v1/orders?limit=1000").await;
            let settled = orders.iter().all(|order| order["settled"] == true);
            settled.then_some(())
        })
        .await;
        until("a target that was told everything", async || {
            self.resumed += resume_if_paused(service).await;
            let newest = newest_event(service).await;
            if waiting(service).await > 0 {
                return None;
            }
            self.feed = feed(service).await;
            self.changes = database.changes(&self.settings).await;
            let stays = newest == newest_event(service).await && waiting(service).await == 0;
            stays.then_some(())
        })
        .await;
        self.told = target.told();
        self.met_down = target.met_down();
    }

    /// Returns what is wrong with what the target was told.
    pub fn findings(&self) -> Findings {
        Findings::of(&self.told, &self.feed, &self.changes)
    }

    /// Number of requests to the target that it took, and that it had taken before.
    pub fn repeats(&self) -> usize {
        let taken = self.told.iter().filter(|told| told.taken);
        let ids: HashSet<&str> = taken.clone().map(Told::id).collect();
        taken.count() - ids.len()
    }

    /// The control: takes the event of one change and its notification out of the database, as a kill would if they were
    /// written after the change's commit, and returns the change and what the ledger then finds. The target was never
    /// told.
    pub async fn control(mut self, database: &Database) -> (Change, Findings) {
        let confirmed = |change: &&Change| change.cause == "answer";
        let lost = self.changes.iter().rfind(confirmed);
        let lost = lost.expect("a confirmed change").clone();
        let of_it = self.feed.iter().position(|event| {
            Findings::of(
                &[],
                std::slice::from_ref(event),
                std::slice::from_ref(&lost),
            )
            .untold
            .is_empty()
        });
        let event = self.feed.swap_remove(of_it.expect("its event")).id;
        let statements = [
            format!(
                "DELETE FROM notifications WHERE event = (SELECT sequence FROM events WHERE id = '{event}')"
            ),
            format!("DELETE FROM events WHERE id = '{event}'"),
        ];
        database.execute(&self.settings, &statements).await;
        self.told.retain(|told| told.id() != event);
        let service = Service::start(&self.settings).await;
        self.feed = feed(&service).await;
        self.changes = database.changes(&self.settings).await;
        service.stop_well().await;
        (lost, self.findings())
    }
}

/// Resumes the target if its circuit is open, as an operator would who knows that it is well again. Returns 1 if it was.
async fn resume_if_paused(service: &Service) -> usize {
    if target_row(service).await["paused_until"].is_null() {
        return 0;
    }
    let path = format!("/api/v1/targets/{TARGET}/resume");
    let answer = service.send_to_operators(&Request::post(&path, "")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    1
}

async fn waiting(service: &Service) -> u64 {
    let waiting = target_row(service).await["waiting"].as_u64();
    waiting.expect("a count")
}

async fn target_row(service: &Service) -> Value {
    let targets = service.list("/api/v1/targets").await;
    let found = targets.into_iter().find(|row| row["name"] == TARGET);
    found.expect("the target is known")
}

async fn newest_event(service: &Service) -> Value {
    service.status().await["newest_event"].take()
}
