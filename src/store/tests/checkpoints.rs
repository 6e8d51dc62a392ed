//! Folding the WAL into the file, beside the writer.

use std::time::Instant;

use super::*;

/// How many pages of the WAL are in the file by now. Does nothing else.
const FOLDED: &str = "PRAGMA wal_checkpoint(NOOP)";

impl House {
    async fn folded(&self) -> i64 {
        let path = format!("sqlite:{}", self.path().display());
        let mut db = SqliteConnection::connect(&path).await.expect("opens");
        let row = sqlx::query(FOLDED).fetch_one(&mut db).await.expect("tells");
        let pages: i64 = row.get("log");
        assert!(pages < 4000, "so many would be folded by a commit");
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
async fn the_wal_is_folded_into_the_file_long_before_a_commit_has_to_do_it() {
    let house = House::new().await;
    house.take_many(0..900).await;
    assert_eq!(house.folded().await, 0, "there was no reason yet");
    // No further, since what is written after a checkpoint may begin the WAL anew.
    house.take_many(900..1000).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while house.folded().await == 0 {
        assert!(Instant::now() < deadline, "nobody folds");
        tokio::task::yield_now().await;
    }
    let house = house.again().await;
    assert_eq!(house.number("SELECT count(*) FROM deliveries").await, 1000);
}
