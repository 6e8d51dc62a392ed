//! Return of free space to the disk by incremental vacuum.

use super::*;

/// SQLite's setting for incremental vacuum.
const MODE: &str = "PRAGMA auto_vacuum";

const FREE: &str = "PRAGMA freelist_count";

impl Fixture {
    /// Fills the file with the given number of old deliveries of some 4 kB each, and prunes them.
    async fn fill_and_clear(self, deliveries: u32) -> Fixture {
        let sql = format!(
            "WITH n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {deliveries})
             INSERT INTO deliveries (id, project, dedup_key, received_at, phase, decision, body)
             SELECT processed_through + n, 1, 'e' || n, 1, 'recorded', 'other-resource', zeroblob(3900) FROM n, service;
             UPDATE service SET processed_through = processed_through + {deliveries}"
        );
        self.edit(&sql).await;
        let fixture = self.again().await;
        let full = fixture.bytes();
        assert!(full > u64::from(deliveries) * 4000, "{full}");
        let pruned = fixture.prune_all(at(5000)).await;
        let gone = pruned.iter().map(|step| step.deliveries).sum::<u64>();
        assert_eq!(gone, u64::from(deliveries));
        assert_eq!(fixture.bytes(), full, "clearing alone gives nothing back");
        fixture
    }

    fn bytes(&self) -> u64 {
        std::fs::metadata(self.path()).expect("is there").len()
    }

    /// Vacuums step by step until nothing is left to release, and counts the steps.
    async fn vacuum_all(&self) -> u64 {
        let mut steps = 0;
        loop {
            match self.sqlite().vacuum().await.expect("shrinks") {
                0 => return steps,
                bytes => assert!(bytes <= 66 * 4096, "{bytes} in one step"),
            }
            steps += 1;
        }
    }
}

#[tokio::test]
async fn free_space_is_released_in_small_steps() {
    let fixture = Fixture::new().await.fill_and_clear(8000).await;
    let full = fixture.bytes();
    let steps = fixture.vacuum_all().await;
    assert!(steps > (8000 - 4096) / 66, "{steps}");
    let free = fixture.number(FREE).await;
    assert!((4000..=4096).contains(&free), "{free}: some room stays");

    // Callbacks go on to be accepted, and after enough of them the WAL is checkpointed.
    let mut number = 0;
    while fixture.bytes() == full {
        number += 1;
        assert!(number < 4000, "the file has not become shorter");
        let event = format!("new{number}");
        let new = delivery(&event, "o1", State::InReview, 5000 + number);
        assert_eq!(fixture.accept(new).await, Accepted::New);
    }
    let fixture = fixture.again().await;
    let left = fixture.bytes();
    assert!(
        left < 20_000_000 && full > 32_000_000,
        "{full}, then {left}"
    );
    let intact = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    assert_eq!(fixture.number(intact).await, 1);
    assert_eq!(fixture.process(9000).await.taken, 256.min(number as usize));
}

#[tokio::test]
async fn a_little_room_stays_for_what_comes() {
    let fixture = Fixture::new().await.fill_and_clear(3000).await;
    assert_eq!(fixture.number(MODE).await, 2);
    assert!(fixture.number(FREE).await > 2900);
    assert_eq!(fixture.vacuum_all().await, 0);
}
