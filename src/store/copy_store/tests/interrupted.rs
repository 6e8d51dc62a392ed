//! Copies that are broken off, and go on or start over.

use super::filling::filled;
use super::*;
use crate::store::sqlite::tests::open_files;
use std::task::Poll;
use testkit::until;

/// Number of times that a copy waits which nobody breaks off.
const TO_THE_END: u32 = u32::MAX;

/// Breaks a copy off, as a kill does, when it has waited for the given number of times. Returns for how often it waited if
/// it ended before.
async fn broken_off(from: &Path, target: &Place, waits_max: u32) -> Option<u32> {
    let waits = once_free(async || try_broken_off(from, target, waits_max).await).await;
    waits.expect("is copied")
}

async fn try_broken_off(
    from: &Path,
    target: &Place,
    waits_max: u32,
) -> Result<Option<u32>, CopyStoreError> {
    // What was broken off in this process has SQLite's files open until its thread has ended.
    let folder = from.parent().expect("a file is in a folder");
    let closed = async || open_files(folder).is_empty().then_some(());
    until("closed files", closed).await;
    let stop = CancellationToken::new();
    let settings = settings(target);
    let mut say = |_: &str| {};
    let mut copying = Box::pin(copy_store(from, &settings, &stop, &mut say));
    let mut waits = 0;
    std::future::poll_fn(|context| match copying.as_mut().poll(context) {
        Poll::Ready(copied) => Poll::Ready(copied.map(|_| Some(waits))),
        Poll::Pending if waits == waits_max => Poll::Ready(Ok(None)),
        Poll::Pending => {
            waits += 1;
            Poll::Pending
        }
    })
    .await
}

/// Number of kills of one copy.
const KILLS: u32 = 8;

/// Makes the installation larger, so that tables need several transactions.
async fn enlarge(source: &Place) {
    source
        .edit(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4500) \
             INSERT INTO deliveries (id, project, dedup_key, received_at, order_sinch_id, status, said_at, phase, body) \
             SELECT 1000 + i, 1, 'many' || i, 1, 'o' || (i % 700), 'CREATED', i, 'waiting', randomblob(40) FROM n; \
             WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             INSERT INTO orders (id, project, sinch_id, first_seen_at) SELECT 1000 + i, 1, 'many' || i, i FROM n",
        )
        .await;
}

#[tokio::test]
async fn a_copy_that_is_killed_anywhere_goes_on_and_ends_equal() {
    let (whole, broken) = (target!(), target!());
    let source = filled().await;
    enlarge(&source).await;
    let from = source.path();
    let waits = broken_off(&from, &whole, TO_THE_END).await;
    let waits = waits.expect("nobody broke it off");
    let seed = fastrand::u64(..);
    println!("seed {seed}: a copy waits {waits} times");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    while kills < KILLS {
        // What is copied already needs no second time, so later kills come earlier. No copy waits as often as another: the
        // first kill comes well before the end.
        let after = chance.u32(0..=waits / (2 + kills / 2));
        if broken_off(&from, &broken, after).await.is_some() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 0, "it was not killed at all");
    if kills == KILLS {
        copy_into(&from, &broken).await;
    }
    // It is complete: it is not begun again.
    let again = try_copy_into(&from, &broken).await;
    let said = again.expect_err("is complete").to_string();
    assert!(said.contains("copied into it already"), "{said}");
    let [whole, broken] = [&whole, &broken].map(|target| async {
        let mut rows = Vec::new();
        for table in &TABLES {
            let sql = format!(
                "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.{})) FROM {} AS t",
                table.key(),
                table.name
            );
            rows.extend(target.texts(&sql).await);
        }
        rows
    });
    assert_eq!(whole.await, broken.await);
}

#[tokio::test]
async fn a_copy_that_is_told_to_stop_says_how_to_go_on() {
    let target = target!();
    let source = filled().await;
    let stop = CancellationToken::new();
    stop.cancel();
    let (from, settings) = (source.path(), settings(&target));
    let copy = async || copy_store(&from, &settings, &stop, &mut |_| {}).await;
    let said = once_free(copy).await.expect_err("was stopped").to_string();
    assert!(
        said.contains("run copy-store again, and it goes on"),
        "{said}"
    );
    copy_into(&source.path(), &target).await;
}

/// Makes an unfinished copy that has rows in every table.
async fn unfinished(source: &Place, target: &Place) {
    copy_into(&source.path(), target).await;
    target.edit("UPDATE store_copy SET ended_at = NULL").await;
}

/// The control of the comparison: whatever is other in the copy is found and named, the copy stays unfinished, and the next run
/// starts over.
#[tokio::test]
async fn whatever_differs_is_found_and_copied_anew() {
    let target = target!();
    let source = filled().await;
    unfinished(&source, &target).await;
    for (table, row, change) in [
        (
            "orders",
            "3",
            "UPDATE orders SET attempts = attempts + 1 WHERE id = 3",
        ),
        (
            "deliveries",
            "20",
            "UPDATE deliveries SET body = 'other' WHERE id = 20",
        ),
        ("deliveries", "20", "DELETE FROM deliveries WHERE id = 20"),
        (
            "pending",
            "SELECT min(id) FROM pending",
            "DELETE FROM pending WHERE id = (SELECT min(id) FROM pending)",
        ),
        (
            "decisions",
            "5",
            "UPDATE decisions SET order_id = 1 WHERE delivery_id = 5",
        ),
        (
            "duplicates",
            "SELECT min(delivery_id) FROM duplicates",
            "UPDATE duplicates SET n = 2 WHERE delivery_id = (SELECT min(delivery_id) FROM duplicates)",
        ),
        ("fetches", "2", "UPDATE fetches SET lease = 5 WHERE id = 2"),
        (
            "service",
            "SELECT min(id) FROM service",
            "UPDATE service SET bodies_emptied_through = 1",
        ),
    ] {
        let row = target.number(row).await;
        target.edit(change).await;
        match try_copy_into(&source.path(), &target).await {
            Err(CopyStoreError::Differs {
                table: found,
                row: key,
                ..
            }) => assert_eq!((found, key), (table, row)),
            other => panic!("{change}: {other:?}"),
        }
        let started = crate::store::open(target.settings(ONE_PROJECT)).await;
        let said = started.err().expect("is refused").to_string();
        assert!(said.contains("unfinished copy"), "{said}");
        unfinished(&source, &target).await;
    }
}

/// Copies to the end, and returns the lines that the copy said.
async fn said_by_copy(from: &Path, target: &Place) -> Vec<String> {
    let copied = once_free(async || {
        let mut said = Vec::new();
        let mut say = |line: &str| said.push(line.to_owned());
        let stop = CancellationToken::new();
        copy_store(from, &settings(target), &stop, &mut say).await?;
        Ok(said)
    });
    copied.await.expect("is copied")
}

/// A copy whose source was used in between would be a mixture.
#[tokio::test]
async fn a_copy_of_what_has_changed_since_begins_anew() {
    let target = target!();
    let source = filled().await;
    unfinished(&source, &target).await;
    let fixture = Fixture::open(source, ONE_PROJECT).await;
    fixture
        .store
        .request_fetch(key("o3"), at(5001))
        .await
        .expect("writes");
    let source = stopped(fixture).await;
    let said = said_by_copy(&source.path(), &target).await;
    assert!(said[0].contains("beginning anew"), "{said:?}");

    // With an unchanged source the copy does not start over.
    target.edit("UPDATE store_copy SET ended_at = NULL").await;
    let said = said_by_copy(&source.path(), &target).await;
    assert!(said[0].contains("going on"), "{said:?}");
}
