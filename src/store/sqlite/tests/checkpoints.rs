//! Checkpoints of the WAL, beside the writer.

use std::time::Instant;

use tokio::sync::mpsc;

use super::*;
use crate::store::sqlite::batch::BEGIN;
use crate::store::sqlite::checkpoint::{self, Written};

/// Reports the number of pages of the WAL that are in the file by now. Does nothing else.
const CHECKPOINTED_PAGES: &str = "PRAGMA wal_checkpoint(NOOP)";

impl Fixture {
    async fn checkpointed(&self) -> i64 {
        let path = format!("sqlite:{}", self.path().display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        let row = sqlx::query(CHECKPOINTED_PAGES)
            .fetch_one(&mut db)
            .await
            .expect("tells");
        let pages: i64 = row.get("log");
        assert!(pages < 4000, "so many would be checkpointed by a commit");
        row.get("checkpointed")
    }

    async fn take_many(&self, numbers: std::ops::Range<i64>) {
        for number in numbers {
            let new = delivery(&format!("e{number}"), "o1", State::InReview, 5000 + number);
            assert_eq!(self.accept(new).await, Accepted::New);
        }
    }
}

#[tokio::test]
async fn the_wal_is_checkpointed_long_before_a_commit_has_to_do_it() {
    let fixture = Fixture::new().await;
    fixture.take_many(0..900).await;
    assert_eq!(fixture.checkpointed().await, 0, "there was no reason yet");
    // No more deliveries come, since writes after a checkpoint may restart the WAL.
    fixture.take_many(900..1000).await;
    let deadline = Instant::now() + Duration::from_secs(180);
    while fixture.checkpointed().await == 0 {
        assert!(Instant::now() < deadline, "no checkpoint came in time");
        tokio::task::yield_now().await;
    }
    let fixture = fixture.again().await;
    assert_eq!(
        fixture.number("SELECT count(*) FROM deliveries").await,
        1000
    );
}

/// An open write on a connection of its own stands for every cause that keeps a checkpoint from succeeding.
#[tokio::test]
async fn a_checkpoint_that_fails_is_reported_and_tried_again_without_a_further_write() {
    let fixture = Fixture::new().await;
    let (told, mut outcomes) = mpsc::unbounded_channel();
    let (written, stop) = (Written::default(), Notify::new());
    written.listen(Box::new(move |_, checkpointed| {
        let _ = told.send(checkpointed.clone());
    }));
    written.add(1000);
    for is_held_up in [true, false] {
        let path = format!("sqlite:{}", fixture.path().display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        if is_held_up {
            sqlx::query(BEGIN).execute(&mut db).await.expect("begins");
        }
        let checkpointing = checkpoint::run(db, &written, &stop);
        let listening = async {
            for _ in 0..3 {
                let checkpointed = outcomes.recv().await.expect("is told");
                match checkpointed {
                    Err(error) => assert!(is_held_up && error.contains("locked"), "{error}"),
                    Ok(()) => assert!(!is_held_up),
                }
            }
            stop.notify_one();
        };
        tokio::join!(checkpointing, listening).0.expect("ends");
    }
}
