//! Orders change while the service is killed again and again, and a target fails in every way: its ledger then shows each
//! change, in the sequence of its order, and nothing else.

use std::time::Duration;

use testkit::target::ledger::Findings;
use testkit::target::trial::{Database, Trial};
use testkit::{Settings, folder};

async fn tried(database: Database) {
    let seed = fastrand::u64(..1 << 40);
    println!("seed {seed}");
    let trial = Trial {
        seed,
        orders: 30,
        states: 11,
        span: Duration::from_secs(5),
        kill_after: 100..=700,
        kills_min: 4,
        up_and_down: [300..=900, 50..=200],
    };
    let folder = folder();
    let settings = Settings::new(folder.path()).fix_addresses();
    let shown = trial.run(settings, &database).await;
    let failed = shown.told.iter().filter(|told| !told.taken).count();
    println!(
        "{} changes, {} events, {} requests, of which {failed} failed and {} were repeats; {} met nobody; {} kills",
        shown.changes.len(),
        shown.feed.len(),
        shown.told.len(),
        shown.repeats(),
        shown.met_down,
        shown.kills,
    );
    assert_eq!(shown.findings(), Findings::default(), "seed {seed}");
    // On a busy machine callbacks arrive together, and states that are over by then are no changes.
    assert!(shown.changes.len() >= 60, "{}", shown.changes.len());
    // On a busy machine no request may fall into the short times in which the target is down.
    assert!(failed > 0, "the target was well");

    let mut unseen = shown.told.clone();
    let taken = unseen.iter().rposition(|told| told.taken);
    let id = unseen[taken.expect("one was taken")].id().to_owned();
    unseen.retain(|told| told.id() != id);
    let found = Findings::of(&unseen, &shown.feed, &shown.changes);
    assert_eq!(found.missing, [id], "the control: an event was never told");

    let (lost, found) = shown.control(&database).await;
    let expected = Findings {
        untold: vec![lost],
        ..Findings::default()
    };
    assert_eq!(found, expected, "the control: an outbox beside the commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_told_however_often_the_service_is_killed() {
    tried(Database::File).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_told_on_postgres_however_often_the_service_is_killed() {
    use testkit::postgres::{Server, ServerOptions};
    let options = ServerOptions {
        fsync: true,
        ..ServerOptions::default()
    };
    let Some(server) = Server::start(options) else {
        return;
    };
    let name = server.database();
    tried(Database::Server(server.into(), name)).await;
}
