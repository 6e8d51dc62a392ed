//! The target's ledger: each change was told, in sequence and unaltered, whatever died in between.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::figures::line;
use testkit::machine::folder_on_disk;
use testkit::postgres::{Server, ServerOptions};
use testkit::target::Told;
use testkit::target::ledger::Findings;
use testkit::target::trial::{Database, Trial};
use testkit::{Outcome, Settings};

use crate::{Arguments, Results};

/// Changes a second, roughly.
const RATE: usize = 100;

/// Number of changes that entering a state means, roughly: a callback tells of it, and then an answer, unless the next one
/// comes before.
const CHANGES_OF_A_STATE: f64 = 1.6;

/// Runs the trial. Returns `true` if the ledger shows each change as it must.
pub async fn prove(arguments: &Arguments, results: &mut Results) -> Outcome<bool> {
    let began = Instant::now();
    let (transitions, trial) = trial(arguments);
    let database = database(arguments.postgres)?;
    let folder = folder_on_disk();
    let shown = trial
        .run(Settings::of_a_bench(folder.path()), &database)
        .await;
    if let Some(output) = &arguments.output {
        write(output, &shown.told)?;
    }
    let found = shown.findings();
    let failed = shown.told.iter().filter(|told| !told.taken).count();
    let figures = [
        ("part", json!("truth")),
        ("postgres", json!(arguments.postgres)),
        ("seed", json!(trial.seed)),
        ("orders", json!(trial.orders)),
        ("changes", json!(shown.changes.len())),
        ("events", json!(shown.feed.len())),
        ("kills", json!(shown.kills)),
        ("requests", json!(shown.told.len())),
        ("failed", json!(failed)),
        ("met_nobody", json!(shown.met_down)),
        ("repeats", json!(shown.repeats())),
        ("missing", json!(found.missing.len())),
        ("invented", json!(found.invented.len())),
        ("altered", json!(found.altered.len())),
        ("out_of_sequence", json!(found.out_of_sequence.len())),
        ("untold", json!(found.untold.len())),
        ("unfounded", json!(found.unfounded.len())),
        ("seconds", json!(began.elapsed().as_secs())),
    ];
    println!();
    for (name, value) in &figures {
        println!("{name:<16} {value}");
    }
    if !found.are_none() {
        println!("{found:#?}");
    }
    let changes = shown.changes.len();
    let (lost, harmed) = shown.control(&database).await;
    let expected = Findings {
        untold: vec![lost],
        ..Findings::default()
    };
    let controlled = harmed == expected;
    let enough = changes >= transitions;
    let word = if controlled { "found" } else { "NOT FOUND" };
    println!("control          an event written after the commit of its change, and lost: {word}");
    results.lines.push(line("ledger", figures));
    results
        .required
        .add(format!("at least {transitions} changes"), enough);
    Ok(found.are_none() && controlled)
}

/// Returns the number of changes that are asked for, and a trial with about as many.
fn trial(arguments: &Arguments) -> (usize, Trial) {
    let tenth = if arguments.quick { 10 } else { 1 };
    let orders = arguments.orders.unwrap_or(1000 / tenth).max(1);
    let transitions = arguments.transitions.unwrap_or(10_000 / tenth);
    let states = transitions as f64 / orders as f64 / CHANGES_OF_A_STATE;
    let trial = Trial {
        seed: arguments.seed,
        orders,
        states: (states.ceil() as usize).max(2),
        span: Duration::from_secs((transitions / RATE) as u64),
        kill_after: 1000..=4000,
        kills_min: 3,
        up_and_down: [3000..=9000, 200..=1500],
    };
    (transitions, trial)
}

fn database(on_server: bool) -> Outcome<Database> {
    if !on_server {
        return Ok(Database::File);
    }
    let options = ServerOptions {
        fsync: true,
        ..ServerOptions::default()
    };
    let server = Server::start(options).ok_or("no PostgreSQL server is installed")?;
    let name = server.database();
    Ok(Database::Server(server.into(), name))
}

/// Writes what the target received, a request a line.
fn write(output: &Path, told: &[Told]) -> Outcome<()> {
    let mut file = BufWriter::new(File::create(output)?);
    for one in told {
        let event: Value = serde_json::from_slice(&one.body).unwrap_or_default();
        let line = json!({
            "at": one.at, "id": one.id(), "taken": one.taken, "sequence": event["sequence"], "type": event["type"],
            "order": event["data"]["order"], "order_sequence": event["data"]["order_sequence"],
        });
        writeln!(file, "{line}")?;
    }
    Ok(file.flush()?)
}
