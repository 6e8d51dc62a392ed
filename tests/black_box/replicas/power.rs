//! The power of the server's machine is cut: what was answered 200 had been synced.

use std::sync::Arc;

use fastrand::Rng;
use testkit::ledger::lost;
use testkit::postgres::{Server, ServerOptions};
use testkit::{Service, Settings, folder, until};
use tokio::task::spawn_blocking;

use super::findings::stored;
use crate::durability::{insist, stop};

/// Number of cuts of the power.
const CUTS: usize = 3;

/// Cuts the power of a server with the given further settings while callbacks come. Returns the number of events that
/// were answered 200, and of those that are lost; `None`: this machine lacks something.
async fn lost_by_cuts(
    settings: Vec<(&'static str, String)>,
    lossy: bool,
) -> Option<(usize, usize)> {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let options = ServerOptions {
        fsync: true,
        power_can_be_cut: true,
        settings,
        ..ServerOptions::default()
    };
    let server = Server::start(options).map(Arc::new)?;
    let database = server.database();
    let folder = folder();
    let settings = Settings::new(folder.path())
        .fix_addresses()
        .set("database.url", server.url(&database))
        .set("database.lossy_commits", lossy);
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    for _ in 0..CUTS {
        let enough = load.count() + random.usize(50..250);
        until("some promises", async || {
            (load.count() >= enough).then_some(())
        })
        .await;
        let (cut, mut chance) = (server.clone(), random.fork());
        let again = spawn_blocking(move || {
            cut.cut_power(&mut chance);
            cut.start_again();
        });
        again.await.expect("the server starts again");
    }
    let promised = stop(load).await;
    service.stop_well().await;
    let lost = lost(&promised, &stored(&server, &database)).len();
    println!("{lost} of {} lost", promised.len());
    Some((promised.len(), lost))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_the_server_loses_nothing_that_was_answered() {
    if let Some((promised, lost)) = lost_by_cuts(Vec::new(), false).await {
        assert!(promised > 50 * CUTS, "{promised} promises");
        assert_eq!(lost, 0, "of {promised}");
    }
}

/// The control: where commits wait for no disk, the same cuts lose what was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_commits_wait_for_no_disk_a_power_cut_loses_what_was_answered() {
    let settings = vec![("synchronous_commit", "off".to_owned())];
    if let Some((promised, lost)) = lost_by_cuts(settings, true).await {
        assert!(lost > 0, "the test can tell: none of {promised}");
    }
}
