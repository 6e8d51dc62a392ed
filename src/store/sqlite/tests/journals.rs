//! Rollback journals beside the database's path: another program has left one, with or without its database.

use sqlx::Executor;

use super::*;

/// Makes a closed database that holds nothing.
async fn closed(path: &Path) {
    let (store, writer) = open(&settings(path.to_owned())).await.expect("opens");
    drop(store);
    writer.await.expect("a clean end");
}

/// Leaves the files of a database as a program does that is killed during a change, which it has written in part.
async fn kill_during_a_change(path: &Path, sql: &'static str) {
    let source = path.with_extension("source");
    if path.exists() {
        std::fs::copy(path, &source).expect("can be copied");
    }
    let url = format!("sqlite://{}?mode=rwc", source.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let begun =
        "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 2; BEGIN; CREATE TABLE theirs (a);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 50)
         INSERT INTO theirs SELECT randomblob(4000) FROM n";
    db.execute(begun).await.expect("changes");
    db.execute(sql).await.expect("changes");
    for suffix in ["", "-journal"] {
        let (from, to) = (
            location::beside(&source, suffix),
            location::beside(path, suffix),
        );
        std::fs::copy(from, to).expect("can be copied");
    }
    db.close().await.expect("closes");
}

/// Makes sure that a database is whole, and returns the number of its tables that this program does not know.
async fn strange_tables(path: &Path) -> i64 {
    let url = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let found = integrity::check_integrity(&mut db).await.expect("reads");
    found.expect("is whole");
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'theirs'";
    let row = sqlx::query(sql).fetch_one(&mut db).await.expect("reads");
    row.get(0)
}

#[tokio::test]
async fn a_restore_parts_no_database_from_its_journal() {
    let folder = folder();
    let [path, good] = ["live.db", "good.db"].map(|name| folder.path().join(name));
    closed(&path).await;
    super::backup(&path, &good, false).await.expect("copies");
    kill_during_a_change(&path, "DROP TABLE transitions").await;

    let refused = restore(&path, &good, false).await;
    assert!(
        matches!(refused, Err(CopyError::Occupied(_))),
        "{refused:?}"
    );
    restore(&path, &good, true).await.expect("is restored");
    assert_eq!(strange_tables(&path).await, 0);
    let aside = location::beside(&path, ".replaced");
    assert_eq!(strange_tables(&aside).await, 0, "the change is undone");
    for path in [path, aside] {
        assert!(!location::beside(&path, "-journal").exists());
    }
}

/// What an earlier restore has put aside is replaced with all that belongs to it.
#[tokio::test]
async fn what_is_put_aside_gets_no_journal_of_another_database() {
    let folder = folder();
    let [path, good] = ["live.db", "good.db"].map(|name| folder.path().join(name));
    closed(&path).await;
    super::backup(&path, &good, false).await.expect("copies");
    let aside = location::beside(&path, ".replaced");
    closed(&aside).await;
    kill_during_a_change(&aside, "DROP TABLE transitions").await;
    restore(&path, &good, true).await.expect("is restored");
    assert!(!location::beside(&aside, "-journal").exists());
    assert_eq!(strange_tables(&aside).await, 0);
}

#[tokio::test]
async fn a_journal_without_its_database_is_not_thrown_away() {
    let folder = folder();
    let [path, good] = ["live.db", "good.db"].map(|name| folder.path().join(name));
    closed(&path).await;
    super::backup(&path, &good, false).await.expect("copies");
    kill_during_a_change(&path, "DROP TABLE transitions").await;
    let journal = location::beside(&path, "-journal");
    let before = std::fs::read(&journal).expect("can be read");
    for is_empty in [false, true] {
        std::fs::remove_file(&path).expect("is there");
        if is_empty {
            std::fs::write(&path, "").expect("can be written");
        }
        let opened = open(&settings(path.clone())).await.map(drop);
        assert!(matches!(opened, Err(OpenError::Orphaned(_))), "{opened:?}");
        let checked = check(&settings(path.clone())).await;
        assert!(matches!(checked, Err(OpenError::Orphaned(_))));
        let refused = restore(&path, &good, false).await;
        assert!(
            matches!(refused, Err(CopyError::Occupied(_))),
            "{refused:?}"
        );
        assert_eq!(std::fs::read(&journal).expect("is there"), before);
        std::fs::write(&path, "").expect("can be written");
    }
    restore(&path, &good, true).await.expect("is restored");
    assert_eq!(strange_tables(&path).await, 0);
    let aside = location::beside(&path, ".replaced-journal");
    assert_eq!(std::fs::read(&aside).expect("is there"), before);

    // As the error says, what was put aside can be put back.
    std::fs::remove_file(&path).expect("is there");
    let opened = open(&settings(path.clone())).await.map(drop);
    let error = opened.expect_err("is refused").to_string();
    assert!(error.contains(&aside.display().to_string()), "{error}");
}

/// A first start that was killed has left a journal that leads back to an empty file.
#[tokio::test]
async fn a_journal_of_an_empty_database_holds_up_no_start() {
    let folder = folder();
    let path = folder.path().join("new.db");
    kill_during_a_change(&path, "SELECT 1").await;
    std::fs::write(&path, "").expect("can be written");
    let journal = location::beside(&path, "-journal");
    assert!(location::length(&journal) > 0);
    closed(&path).await;
    assert!(!journal.exists());
    assert_eq!(strange_tables(&path).await, 0);
}
