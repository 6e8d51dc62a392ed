//! What retention removes: `prune --dry-run`.

use serde_json::Value;

use super::Place;
use testkit::{PATIENCE, event, now, within};

/// Returns the cells of a table's row, by its first cell.
fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let row = table
        .lines()
        .find(|line| line.split("  ").next() == Some(first));
    let row = row.unwrap_or_else(|| panic!("no row {first:?} in {table}"));
    row.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[tokio::test]
async fn a_dry_run_says_what_another_period_would_remove_and_removes_nothing() {
    let place = Place::new(&["o1"], |settings| settings).await;
    place
        .service
        .deliver(event("e1", "o1", "COMPLETED", now()))
        .await;
    place.service.settles("o1", "COMPLETED").await;

    let shown = place.ended(&["prune", "--dry-run"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let deliveries = row(&shown.out, "deliveries");
    assert_eq!(
        deliveries[..4],
        ["deliveries", "90 days", "1", "0"],
        "{}",
        shown.out
    );
    assert_eq!(row(&shown.out, "actions")[1], "400 days");
    assert_eq!(
        shown
            .out
            .lines()
            .filter(|line| line.contains(" days  "))
            .count(),
        9
    );

    // A period of a second is over once one has passed.
    let tried = within(PATIENCE, async || {
        let tried = ["prune", "--dry-run", "--bodies", "1s", "--deliveries", "1s"];
        let tried = place.ended(&tried).await;
        assert_eq!(tried.code, Some(0), "{tried:?}");
        (row(&tried.out, "deliveries")[3] == "1").then_some(tried)
    });
    let tried = tried.await.expect("it becomes due");
    assert_eq!(
        row(&tried.out, "deliveries")[1],
        "0.00001 days (in force: 90 days)"
    );
    assert!(
        tried.out.contains("bodies_days = 0.0000115"),
        "{}",
        tried.out
    );

    let json = place.ended(&["prune", "--dry-run", "--json"]).await;
    let report: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(
        report["items"].as_array().map(Vec::len),
        Some(9),
        "{report}"
    );
    assert_eq!(
        report["items"][1]["rows"]["count"], 1,
        "nothing was removed"
    );
}

#[tokio::test]
async fn without_a_dry_run_the_command_names_the_cure() {
    let place = Place::new(&[], |settings| settings).await;
    let refused = place.ended(&["prune"]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("--dry-run"), "{}", refused.err);
    let refused = place
        .ended(&["prune", "--dry-run", "--deliveries", "1d"])
        .await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused
            .err
            .contains("deliveries_days: below bodies_days; write 30"),
        "{}",
        refused.err
    );
    let refused = place
        .ended(&["prune", "--dry-run", "--bodies", "1.5d"])
        .await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
