//! A trial of the outbox: orders change while the service is killed and its target fails, and the target's ledger must
//! show each change.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use number_order::State;
use serde_json::{Value, json};
use sinch_simulator::{SimulatedEvent, Simulator, World};
use tokio::time::sleep;

use super::ledger::{Change, FeedEvent, Findings, TYPES, changes_in_file, changes_on_server, feed};
use super::{Target, Told, moody};
use crate::postgres::Server;
use crate::{File, PROJECT, Request, Service, Settings, id, order_history, play, until};

/// Name of the target in the configuration.
const TARGET: &str = "crm";

/// Number of attempts at which no notification is parked, with their waits in seconds.
const RETRY_WAITS: &[f64] = &[0.1; 100];

/// Share of the requests at which the target fails.
const FAILURES: f64 = 0.2;

/// Maximum time by which a callback is late, in milliseconds.
const LATE_MAX_MS: u64 = 1000;

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
    /// Number of states that each order enters at Sinch. Of most of them a callback tells first, and then an answer: two
    /// changes.
    pub states: usize,
    /// Span within which the orders change.
    pub span: Duration,
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
        let killing = self.kill_often(service, &mut shown, &mut random);
        let service = tokio::select! {
            service = killing => service,
            () = falling => unreachable!("the target falls until the end"),
        };
        target.set_down(false);
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
        let settings = database
            .set(settings)
            .set("worker.staleness_secs", 0.3)
            .set("worker.staleness_max_secs", 0.6)
            .set("worker.attempts_max", 1000)
            // A killed replica's fetch is due again when its lease has run out.
            .set("sinch.request_timeout_secs", 1)
            .set("worker.backoff_base_secs", 0.1)
            .set("worker.backoff_cap_secs", 1)
            .set("sinch.max_in_flight", 8)
            .set("sinch.requests_per_second", 500)
            .add_target(TARGET, &target.url())
            .set_target("types", json!(TYPES))
            .set_target("provisional", true)
            .set_target("timeout_secs", 0.5)
            .set_target("retry_waits_secs", json!(RETRY_WAITS));
        play(self.world(), settings).await
    }

    /// Draws the histories of all orders, with callbacks of which some are sent twice or late.
    fn world(&self) -> World {
        let mut random = Rng::with_seed(self.seed);
        let histories = (1..=self.orders).map(|n| self.history(n, &mut random));
        let histories: Vec<_> = histories.collect();
        let orders = histories
            .iter()
            .map(|(order, history)| order_history(order, history));
        let mut world = World::from_orders(id(PROJECT), orders);
        for (order, history) in &histories {
            for (at, state) in history {
                let at = Duration::from_millis(*at);
                let mut event = SimulatedEvent::new(id(order), *state, at);
                let late = at + Duration::from_millis(random.u64(..LATE_MAX_MS));
                event.sent_at = match random.u32(..10) {
                    0..7 => vec![at],
                    7 => vec![late],
                    _ => vec![at, late],
                };
                event.salt = random.u128(..);
                world.add_event(event);
            }
        }
        world
    }

    /// Draws the name and the history of an order, which is blocked and reviewed in turn until it is completed.
    fn history(&self, n: usize, random: &mut Rng) -> (String, Vec<(u64, State)>) {
        let span = (self.span.as_secs_f64() * 1000.0) as u64;
        let mut times: Vec<u64> = (1..self.states).map(|_| random.u64(..span)).collect();
        times.sort_unstable();
        let mut history = vec![(0, State::Created)];
        for (nth, at) in times.into_iter().enumerate() {
            let state = match nth {
                nth if nth + 2 == self.states => State::Completed,
                nth if nth % 2 == 0 => State::InReview,
                _ => State::Blocked,
            };
            // No two at once.
            history.push((at + nth as u64 + 1, state));
        }
        (format!("order-{n}"), history)
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

    /// Kills the service at random moments until the orders change no more and there were enough kills, and returns the last process.
    async fn kill_often(
        &self,
        mut service: Service,
        shown: &mut Shown,
        random: &mut Rng,
    ) -> Service {
        let began = Instant::now();
        loop {
            sleep(Duration::from_millis(random.u64(self.kill_after.clone()))).await;
            shown.resumed += resume_if_paused(&service).await;
            if began.elapsed() > self.span && shown.kills >= self.kills_min {
                return service;
            }
            service.kill().await;
            shown.kills += 1;
            service = Service::start(&shown.settings).await;
            if shown.kills.is_multiple_of(10) {
                eprintln!("killed {} times", shown.kills);
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
        let mut left = feed(&service).await;
        service.stop_well().await;
        // Numbers may have become ready by then.
        let known: HashSet<String> = self.feed.drain(..).map(|event| event.id).collect();
        left.retain(|event| known.contains(&event.id));
        self.feed = left;
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
