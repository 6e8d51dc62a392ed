//! The open questions by seed: in the plays of 200 seeds, each is met under each of its readings.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use sinch_simulator::ordering::{Failure, Provisioning, Readings, Script};

use crate::players::play_all;
use crate::readings::Play;

/// Seeds that are played: the first 200 in a row that draw every reading of every question, and every failure.
const SEEDS: Range<u64> = 26..226;

/// Number of seeds that are played in every run of the tests.
const PLAYED: u64 = 3;

async fn play(seeds: Range<u64>) {
    play_all(seeds, |seed| async move {
        println!("seed {seed}");
        Play::new(Script::by_seed(seed)).await.ends_right().await;
        println!("seed {seed} ended right");
    })
    .await;
}

#[tokio::test]
async fn the_commands_end_right_by_some_seeds() {
    let first = fastrand::u64(SEEDS.start..SEEDS.end - PLAYED);
    play(first..first + PLAYED).await;
}

/// Takes up to twenty minutes on two cores.
#[ignore = "all seeds: the other test plays some of them"]
#[tokio::test]
async fn the_commands_end_right_by_every_seed() {
    play(SEEDS).await;
}

#[test]
fn the_seeds_draw_every_reading() {
    let all: Vec<Readings> = SEEDS.map(Readings::by_seed).collect();
    let drawn: BTreeSet<_> = all.iter().flat_map(Readings::list).collect();
    assert_eq!(drawn.len(), Readings::total(), "{drawn:?}");
    let fails = |readings: &&Readings| readings.provisioning == Provisioning::FailsOnce;
    let codes = all.iter().filter(fails).map(|one| one.failure.code);
    let codes: BTreeSet<_> = codes.collect();
    assert_eq!(codes.len(), Failure::ALL.len(), "{codes:?}");
    let reservations = all.iter().map(|one| one.reservation);
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    assert!(reservations.clone().min() < Some(hours(2)));
    assert!(reservations.max() > Some(hours(46)));
}
