//! Callbacks acknowledged per second by the plain receiver, by one replica and by three.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testkit::figures::{line, median, rounded};
use testkit::instant_api::start_self;
use testkit::load::{Plan, Report};
use testkit::machine::folder_on_disk;
use testkit::postgres::Server;
use testkit::{CYCLE, Callbacks, Load, Outcome, Service, Settings, free_address};
use tokio::time::sleep;

use crate::Results;

/// Number of replicas that are compared with one.
const REPLICAS: usize = 3;

/// Minimum rate of one replica, as a multiple of the plain receiver's, at this number of connections.
const OF_PLAIN: [(usize, f64); 2] = [(64, 3.0), (256, 5.0)];

/// Minimum rate of three replicas, as a multiple of that of one: they share one machine, so all that they can do is to
/// lose nothing.
const OF_ONE: f64 = 0.9;

/// Maximum rate of callbacks a second that the bench prepares for.
const PER_SECOND_MAX: f64 = 40_000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Design {
    Plain,
    OneReplica,
    ThreeReplicas,
}

impl Design {
    const ALL: [Design; 3] = [Design::Plain, Design::OneReplica, Design::ThreeReplicas];

    fn name(self) -> &'static str {
        match self {
            Design::Plain => "one INSERT per request",
            Design::OneReplica => "one replica",
            Design::ThreeReplicas => "three replicas",
        }
    }
}

/// Duration and number of the runs.
pub struct Scope {
    rounds: usize,
    warm_up: Duration,
    window: Duration,
}

impl Scope {
    /// Returns the scope of a run; `rounds` comes before the usual number.
    pub fn new(quick: bool, rounds: Option<usize>) -> Scope {
        let (usual, millis) = if quick { (2, 2000) } else { (5, 4000) };
        Scope {
            rounds: rounds.unwrap_or(usual).max(1),
            warm_up: Duration::from_millis(millis / 4),
            window: Duration::from_millis(millis),
        }
    }
}

/// Figures of one run.
#[derive(Clone, Copy, Debug)]
struct Figures {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Share of the acknowledged deliveries that were not processed when the service was stopped.
    waiting: f64,
}

/// Figures of a design at a number of connections, round by round.
struct Row {
    design: Design,
    connections: usize,
    rounds: Vec<Figures>,
}

/// Measures all designs in alternation.
pub async fn measure(server: &Server, scope: &Scope, results: &mut Results) -> Outcome<()> {
    let span = (scope.warm_up + scope.window).as_secs_f64();
    let count = (span * PER_SECOND_MAX) as usize;
    let callbacks: [Arc<Callbacks>; REPLICAS] =
        std::array::from_fn(|_| Callbacks::signed(count, CYCLE));
    let rows = OF_PLAIN.iter().flat_map(|(connections, _)| {
        Design::ALL.map(|design| Row {
            design,
            connections: *connections,
            rounds: Vec::new(),
        })
    });
    let mut rows: Vec<Row> = rows.collect();
    for round in 1..=scope.rounds {
        for row in &mut rows {
            let figures = called(server, row, scope, &callbacks).await?;
            row.rounds.push(figures);
        }
        eprintln!("round {round} of {} is done", scope.rounds);
    }
    judge(&rows, results);
    Ok(())
}

/// Starts a design on a fresh database, calls it, stops it, and counts the deliveries that it kept.
async fn called(
    server: &Server,
    row: &Row,
    scope: &Scope,
    callbacks: &[Arc<Callbacks>; REPLICAS],
) -> Outcome<Figures> {
    let database = server.database();
    // What earlier runs have left to be written must not disturb this one.
    server.sql("postgres", "CHECKPOINT");
    let reports = match row.design {
        Design::Plain => {
            let listen = free_address();
            let (at, url) = (listen.to_string(), server.url(&database));
            let receiver = start_self(&["--listen", &at, "--database", &url], listen).await;
            let plan = Plan::closed(row.connections, scope.warm_up);
            let load = Load::start(listen, &callbacks[0], &plan).await?;
            let reports = after_window(vec![load], scope).await?;
            receiver.stop_well().await;
            reports
        }
        Design::OneReplica => call_replicas(server, &database, row, scope, &callbacks[..1]).await?,
        Design::ThreeReplicas => call_replicas(server, &database, row, scope, callbacks).await?,
    };
    let acknowledged: usize = reports.iter().map(|report| report.acknowledged.len()).sum();
    let refused: usize = reports.iter().map(|report| report.refused).sum();
    let count = |table: &str| -> Outcome<usize> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(server.sql(&database, &sql).parse()?)
    };
    let (name, kept) = (row.design.name(), count("deliveries")?);
    if refused > 0 || kept != acknowledged {
        return Err(
            format!("{name}: acknowledged {acknowledged}, kept {kept}, refused {refused}").into(),
        );
    }
    let waiting = match row.design {
        Design::Plain => 0,
        Design::OneReplica | Design::ThreeReplicas => count("pending")?,
    };
    server.sql("postgres", &format!("DROP DATABASE {database}"));
    let worst = |share| {
        let all = reports.iter().map(|report| report.percentile_ms(share));
        all.fold(0.0, f64::max)
    };
    Ok(Figures {
        per_second: reports.iter().map(|report| report.per_second).sum(),
        p50_ms: worst(0.5),
        p99_ms: worst(0.99),
        waiting: waiting as f64 / acknowledged.max(1) as f64,
    })
}

/// Calls as many replicas as there are sets of callbacks, which share the connections.
async fn call_replicas(
    server: &Server,
    database: &str,
    row: &Row,
    scope: &Scope,
    callbacks: &[Arc<Callbacks>],
) -> Outcome<Vec<Report>> {
    let (mut folders, mut replicas) = (Vec::new(), Vec::new());
    for _ in callbacks {
        let folder = folder_on_disk();
        let settings = Settings::of_a_bench(folder.path())
            .set_project("api", "off")
            .set("database.url", server.url(database));
        replicas.push(Service::start(&settings).await);
        folders.push(folder);
    }
    let plan = Plan::closed(row.connections / callbacks.len(), scope.warm_up);
    let mut loads = Vec::new();
    for (replica, callbacks) in replicas.iter().zip(callbacks) {
        loads.push(Load::start(replica.callbacks, callbacks, &plan).await?);
    }
    let reports = after_window(loads, scope).await?;
    for replica in replicas {
        replica.stop_well().await;
    }
    Ok(reports)
}

async fn after_window(mut loads: Vec<Load>, scope: &Scope) -> Outcome<Vec<Report>> {
    sleep(scope.warm_up + scope.window).await;
    let mut reports = Vec::new();
    for load in &mut loads {
        reports.push(load.stop().await?);
    }
    Ok(reports)
}

fn judge(rows: &[Row], results: &mut Results) {
    println!(
        "\n{:<24} {:>11} {:>10} {:>9} {:>9} {:>9}",
        "design", "connections", "per second", "p50 ms", "p99 ms", "waiting"
    );
    for row in rows {
        let of = |figure: fn(&Figures) -> f64| median(row.rounds.iter().map(figure));
        let (per_second, waiting) = (of(|f| f.per_second), of(|f| f.waiting));
        let (p50_ms, p99_ms) = (of(|f| f.p50_ms), of(|f| f.p99_ms));
        let (design, connections) = (row.design.name(), row.connections);
        println!(
            "{design:<24} {connections:>11} {per_second:>10.0} {p50_ms:>9.2} {p99_ms:>9.2} {:>8.0}%",
            waiting * 100.0
        );
        results.lines.push(line(
            "replicas",
            [
                ("part", json!("rates")),
                ("design", json!(design)),
                ("connections", json!(connections)),
                ("per_second", json!(per_second.round())),
                ("p50_ms", json!(rounded(p50_ms))),
                ("p99_ms", json!(rounded(p99_ms))),
                ("waiting", json!(rounded(waiting))),
            ],
        ));
    }
    for (connections, least) in OF_PLAIN {
        let of_plain = ratio(rows, connections, Design::OneReplica, Design::Plain);
        let of_one = ratio(rows, connections, Design::ThreeReplicas, Design::OneReplica);
        println!(
            "\nat {connections} connections: one replica {of_plain:.2} times the plain receiver, three {of_one:.2} times one"
        );
        results.required.add(
            format!("at least {least} times one INSERT per request at {connections} connections"),
            of_plain >= least,
        );
        results.required.add(
            format!("three replicas at least {OF_ONE} of one at {connections} connections"),
            of_one >= OF_ONE,
        );
        results.lines.push(line(
            "replicas",
            [
                ("part", json!("rates")),
                ("connections", json!(connections)),
                ("one_of_plain", json!(rounded(of_plain))),
                ("three_of_one", json!(rounded(of_one))),
            ],
        ));
    }
}

/// Ratio of two designs' rates, taken within each round because the machine's speed varies.
fn ratio(rows: &[Row], connections: usize, own: Design, other: Design) -> f64 {
    let find = |design| {
        let found = rows
            .iter()
            .find(|row| row.design == design && row.connections == connections);
        found.map_or(&[][..], |row| &row.rounds)
    };
    let pairs = find(own).iter().zip(find(other));
    median(pairs.map(|(own, other)| own.per_second / other.per_second))
}
