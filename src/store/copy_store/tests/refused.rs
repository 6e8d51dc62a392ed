//! What is not copied, and where no service starts.

use super::filling::filled;
use super::*;

#[tokio::test]
async fn no_service_starts_on_an_unfinished_copy() {
    let target = target!();
    let source = filled().await;
    copy_into(&source.path(), &target).await;
    let settings = target.settings(ONE_PROJECT);
    crate::store::check(&settings).await.expect("is finished");
    target.edit("UPDATE store_copy SET ended_at = NULL").await;
    for refused in [
        crate::store::check(&settings).await.err(),
        crate::store::open(settings.clone()).await.err(),
    ] {
        let said = refused.expect("is refused").to_string();
        let path = source.path().display().to_string();
        assert!(said.contains("unfinished copy of"), "{said}");
        assert!(
            said.contains(&path) && said.contains("run copy-store again"),
            "{said}"
        );
    }
}

/// A replica that started at the same moment as the copy does not go on.
#[tokio::test]
async fn a_replica_stops_once_a_copy_has_begun() {
    let target = target!();
    let fixture = Fixture::open(target, ONE_PROJECT).await;
    fixture.store.probe_write(at(5001)).await.expect("writes");
    fixture
        .edit(
            "INSERT INTO store_copy (id, source, state, begun_at) VALUES (1, 'service.db', '', 0)",
        )
        .await;
    let refused = fixture.store.probe_write(at(5002)).await;
    assert!(
        matches!(refused, Err(crate::store::StoreError::Broken(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_database_in_use_is_left_as_it_is() {
    let target = target!();
    let source = filled().await;
    let fixture = Fixture::open(target, ONE_PROJECT).await;
    let target = stopped(fixture).await;
    let said = try_copy_into(&source.path(), &target).await;
    let said = said.expect_err("is refused").to_string();
    assert!(said.contains("create an empty database"), "{said}");
    assert_eq!(target.number("SELECT count(*) FROM orders").await, 0);
    let fixture = Fixture::open(target, ONE_PROJECT).await;
    fixture.store.probe_write(at(5001)).await.expect("writes");
}

#[tokio::test]
async fn a_database_that_a_service_works_on_is_not_copied() {
    let target = target!();
    let source = Fixture::on(Backend::Sqlite).await;
    let refused = copy_once(&source.place.path(), &target).await;
    let refused = refused.expect_err("is held");
    assert!(refused.is_held(), "{refused}");
    let nothing = source.place.path().with_file_name("nothing.db");
    let refused = try_copy_into(&nothing, &target).await;
    let refused = refused.expect_err("is not there");
    assert!(
        !refused.is_held() && refused.to_string().contains("nothing to copy"),
        "{refused}"
    );
    assert!(!nothing.exists());
}

/// A row that another program has spoilt is named, and all before it is copied. Once it is repaired, the copy goes on.
#[tokio::test]
async fn a_row_that_the_target_does_not_take_is_named() {
    let target = target!();
    let source = filled().await;
    for (spoil, repair, expected) in [
        (
            "UPDATE orders SET sinch_id = CAST(x'6fff' AS TEXT) WHERE id = 5",
            "UPDATE orders SET sinch_id = 'repaired' WHERE id = 5",
            [
                "row 5 of orders",
                "sinch_id has bytes that are no text in UTF-8: o\\xff",
            ],
        ),
        (
            "PRAGMA ignore_check_constraints = ON; UPDATE orders SET confirmed_state = 'LOST', updated_at = 1, \
             confirmed_at = 1, shown_at = 1 WHERE id = 6",
            "UPDATE orders SET confirmed_state = 'CREATED' WHERE id = 6",
            ["row 6 of orders", "confirmed_state = \"LOST\""],
        ),
        (
            "PRAGMA ignore_check_constraints = ON; UPDATE deliveries SET phase = 'lost' \
             WHERE id = (SELECT max(id) FROM deliveries WHERE phase = 'processed')",
            "UPDATE deliveries SET phase = 'processed' WHERE phase = 'lost'",
            [" of deliveries is not taken", "kind = \"lost\""],
        ),
    ] {
        source.edit(spoil).await;
        let refused = try_copy_into(&source.path(), &target).await;
        let said = refused.expect_err("is refused").to_string();
        for words in expected {
            assert!(said.contains(words), "{said}");
        }
        source.edit(repair).await;
    }
    copy_into(&source.path(), &target).await;
}

/// A row that breaks a rule of SQLite's schema alone is copied as it is, and named.
#[tokio::test]
async fn a_row_that_the_target_takes_all_the_same_is_named_and_copied() {
    let target = target!();
    let source = filled().await;
    // PostgreSQL has no such rule of rows in the inbox.
    source
        .edit(
            "PRAGMA ignore_check_constraints = ON; \
             UPDATE deliveries SET processed_at = 5 WHERE id = (SELECT min(id) FROM deliveries WHERE phase = 'waiting')",
        )
        .await;
    let copied = copy_into(&source.path(), &target).await;
    assert_eq!(copied.flaws.len(), 1, "{:?}", copied.flaws);
    assert!(
        copied.flaws[0].contains("of deliveries breaks a rule"),
        "{:?}",
        copied.flaws
    );
}

#[tokio::test]
async fn the_source_stays_as_it_is() {
    let target = target!();
    let source = filled().await;
    let folder = source.path().with_file_name("");
    let files = || {
        let entries = std::fs::read_dir(&folder).expect("is there");
        let read = entries.map(|entry| {
            let path = entry.expect("an entry").path();
            (path.clone(), std::fs::read(path).expect("reads"))
        });
        let mut files: Vec<_> = read.collect();
        files.sort();
        files
    };
    let before = files();
    copy_into(&source.path(), &target).await;
    assert!(before == files(), "files have changed");
}
