//! Copies of the database: reports about them, and files that are left behind.

use sqlx::Executor;
use testkit::until;

use super::*;

const SPOIL: &str = "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;";

/// Changes a file that no process has open.
async fn change(path: &Path, sql: &'static str) {
    let url = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    sqlx::raw_sql(sql).execute(&mut db).await.expect("changes");
    db.close().await.expect("closes");
}

/// Makes a closed database with orders, deliveries, fetches and transitions.
async fn closed() -> (TempDir, PathBuf) {
    let fixture = Fixture::new().await;
    for n in 0..1200 {
        let event = delivery(&format!("e{n}"), &format!("o{n}"), State::InReview, 10);
        fixture.accept(event).await;
    }
    for _ in 0..5 {
        fixture.process(20).await;
    }
    for claim in fixture.claim(30).await {
        fixture.record(&claim, shows(State::Blocked, 25), 40).await;
    }
    let path = fixture.path();
    drop(fixture.store);
    fixture.run.await.expect("no panic").expect("a clean end");
    (fixture.place.into_folder(), path)
}

/// Rows that break a rule, in each way and each table, and the report about each.
const FLAWS: [(&str, &str); 8] = [
    (
        "UPDATE projects SET sinch_id = ''",
        "row 1 of projects breaks",
    ),
    (
        "UPDATE orders SET attempts = -1 WHERE id = 1100",
        "row 1100 of orders breaks",
    ),
    (
        "UPDATE orders SET tie_state = 'BLOCKED' WHERE id = 7",
        "row 7 of orders breaks",
    ),
    (
        "UPDATE deliveries SET phase = 'lost' WHERE id = 3",
        "row 3 of deliveries breaks",
    ),
    (
        "UPDATE transitions SET cause = cause, announced = 1, latency_us = NULL WHERE id = 2",
        "row 2 of transitions breaks",
    ),
    (
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'first_seen_at      INTEGER NOT NULL', \
         'first_seen_at      ANY') WHERE name = 'orders'; PRAGMA writable_schema = RESET; \
         UPDATE orders SET first_seen_at = 'then' WHERE id = 5; PRAGMA writable_schema = ON; \
         UPDATE sqlite_schema SET sql = replace(sql, 'first_seen_at      ANY', 'first_seen_at      INTEGER NOT NULL') \
         WHERE name = 'orders'; PRAGMA writable_schema = RESET",
        "row 5 of orders breaks",
    ),
    (
        "DELETE FROM orders WHERE id = 9",
        "refers to a row of orders that is not there",
    ),
    ("UPDATE state_counts SET orders = -1", "state_counts"),
];

#[tokio::test]
async fn a_row_that_breaks_a_rule_is_named_and_copied() {
    let (folder, good) = closed().await;
    for (flaw, words) in FLAWS {
        let path = folder.path().join("flawed.db");
        std::fs::copy(&good, &path).expect("can be copied");
        change(&path, Box::leak(format!("{SPOIL} {flaw}").into_boxed_str())).await;
        let (backup, new) = (folder.path().join("b.db"), folder.path().join("new.db"));
        for (way, copied) in [
            ("backup", super::backup(&path, &backup, true).await),
            ("restore", restore(&new, &path, true).await),
            ("restore of the backup", restore(&new, &backup, true).await),
        ] {
            let copied = copied.expect(flaw);
            assert!(
                copied.flaws.iter().any(|flaw| flaw.contains(words)),
                "{flaw}: {way}: {copied:?}"
            );
            assert!(copied.orders >= 1199, "{flaw}: {way}: {copied:?}");
        }
        let opened = open(&settings(new)).await;
        assert!(opened.is_ok(), "{flaw}: the service goes on with the flaw");
    }
    let backup = folder.path().join("b.db");
    let copied = super::backup(&good, &backup, true).await.expect("copies");
    assert_eq!(copied.flaws, [""; 0], "the control: all is well");
}

#[tokio::test]
async fn a_database_that_no_start_takes_is_refused() {
    let (folder, path) = closed().await;
    change(&path, "DELETE FROM service").await;
    assert!(open(&settings(path.clone())).await.is_err());
    let (copy, new) = (folder.path().join("b.db"), folder.path().join("new.db"));
    for refused in [
        super::backup(&path, &copy, true).await,
        restore(&new, &path, true).await,
    ] {
        let reason = refused.expect_err("is refused").to_string();
        assert!(reason.contains("service"), "{reason}");
    }
    assert!(!copy.exists() && !new.exists());
}

/// A command that was killed leaves its folder. The next one removes it, but never a folder in use.
#[tokio::test]
async fn what_a_killed_command_left_is_removed_by_the_next() {
    let (folder, path) = closed().await;
    let copies = folder.path().join("copies");
    std::fs::create_dir(&copies).expect("can be made");
    for command in ["backup", "restore", "check"] {
        let place = match command {
            "backup" => copies.as_path(),
            _ => folder.path(),
        };
        let left = place.join(".sinch-callbacks-work-abc123");
        std::fs::create_dir(&left).expect("can be made");
        std::fs::write(left.join("copy.db"), "half").expect("can be written");
        std::fs::write(left.join("copy.db-journal"), "half").expect("can be written");
        let file = place.join(".sinch-callbacks-work-file");
        std::fs::write(&file, "not a folder").expect("can be written");
        let at_work = work_folder::WorkFolder::beside(&path).expect("can be made");
        let other = work_folder::WorkFolder::beside(&file).expect("can be made");
        std::fs::create_dir_all(&left).expect("can be made");
        match command {
            "backup" => drop(super::backup(&path, &copies.join("b.db"), true).await),
            "restore" => drop(restore(&path, &copies.join("b.db"), true).await),
            _ => drop(check(&settings(path.clone())).await),
        }
        assert!(!left.exists(), "{command}");
        let kept = [other.file(""), at_work.file(""), file];
        assert!(kept.iter().all(|kept| kept.exists()), "{command}");
    }
}

/// A backup is only read, even if it has other names or an unfinished transaction.
#[tokio::test]
async fn a_backup_may_have_other_names() {
    let (folder, path) = closed().await;
    std::fs::hard_link(&path, folder.path().join("hard.db")).expect("can be linked");
    let new = folder.path().join("new.db");
    let copied = restore(&new, &path, false).await.expect("is restored");
    assert_eq!((copied.orders, copied.flaws.len()), (1200, 0));
    let error = hold(&path).expect_err("the control: a backup is no database to work on");
    assert!(error.to_string().contains("several names"), "{error}");
}

/// State of the file when the machine stopped during a write: some pages are of the new state, and some of the old.
#[tokio::test]
async fn what_a_backup_has_unfinished_is_undone() {
    let (folder, path) = closed().await;
    change(&path, "PRAGMA journal_mode = DELETE").await;
    let url = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    db.execute("PRAGMA cache_size = 2; BEGIN; DELETE FROM state_counts; UPDATE deliveries SET decision = 'agrees'; DELETE FROM service")
        .await
        .expect("changes");
    let torn = folder.path().join("torn.db");
    for suffix in ["", "-journal"] {
        let (from, to) = (
            location::beside(&path, suffix),
            location::beside(&torn, suffix),
        );
        std::fs::copy(from, to).expect("can be copied");
    }
    let new = folder.path().join("new.db");
    let copied = restore(&new, &torn, false).await.expect("is restored");
    assert!(
        copied
            .flaws
            .iter()
            .any(|flaw| flaw.contains("torn.db-journal")),
        "{copied:?}"
    );
    assert_eq!(others(&new).await, 0);
    let journal = location::beside(&torn, "-journal");
    assert!(journal.exists(), "the journal stays as it is");
    std::fs::remove_file(journal).expect("was there");
    let alone = folder.path().join("alone.db");
    let is_torn = match restore(&alone, &torn, false).await {
        Ok(_) => others(&alone).await > 0,
        Err(_) => true,
    };
    assert!(is_torn, "the control: without its journal");
}

/// Counts the deliveries that have another decision.
async fn others(path: &Path) -> i64 {
    let url = format!("sqlite://{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    let sql = "SELECT count(*) FROM deliveries WHERE decision = 'agrees'";
    let row = sqlx::query(sql).fetch_one(&mut db).await;
    row.expect("reads").get(0)
}

/// A missing log is reported for a file that was not closed and has no log beside it.
#[tokio::test]
async fn a_backup_that_was_copied_without_its_wal_is_reported() {
    let (folder, path) = closed().await;
    let backup = folder.path().join("b.db");
    let new = folder.path().join("new.db");
    for (source, unclean, is_told) in [
        (&path, false, false),
        (&path, true, true),
        (&backup, true, false),
    ] {
        if unclean {
            change(&path, "UPDATE service SET clean_shutdown = 0").await;
        }
        super::backup(&path, &backup, true).await.expect("copies");
        let copied = restore(&new, source, true).await.expect("is restored");
        let told = copied
            .flaws
            .iter()
            .any(|flaw| flaw.contains("without its -wal"));
        assert_eq!(told, is_told, "{source:?}, {unclean}");
    }
}

/// The database is recognised under every name of its files, and so are the files that lie beside the copy.
#[tokio::test]
async fn a_backup_never_takes_the_place_of_the_database() {
    let (folder, path) = closed().await;
    let hard = folder.path().join("hard.db");
    let log = location::beside(&path, "-wal");
    let beside = folder.path().join("beside.db");
    std::fs::hard_link(&path, &hard).expect("can be linked");
    std::fs::write(&log, "").expect("can be written");
    std::fs::hard_link(&log, location::beside(&beside, "-wal")).expect("can be linked");
    let before = std::fs::read(&path).expect("can be read");
    for target in [&hard, &beside] {
        let refused = super::backup(&path, target, true).await;
        assert!(matches!(refused, Err(CopyError::Itself(_))), "{refused:?}");
    }
    // The name of the database itself can be that of a log.
    let named_like_a_log = folder.path().join("theirs.db-wal");
    std::fs::rename(&path, &named_like_a_log).expect("can be moved");
    let refused = super::backup(&named_like_a_log, &folder.path().join("theirs.db"), true).await;
    assert!(matches!(refused, Err(CopyError::Itself(_))), "{refused:?}");
    assert_eq!(std::fs::read(&named_like_a_log).expect("is there"), before);
}

/// Who fetches a copy from the service may not know where its database is: the names tell.
#[tokio::test]
async fn a_copy_never_takes_the_place_of_a_part_of_a_database() {
    let (folder, path) = closed().await;
    let named = |name: &str| folder.path().join(name);
    std::fs::write(named("other.db"), "theirs").expect("can be written");
    for suffix in ["-wal", "-shm", "-journal"] {
        for is_there in [false, true] {
            let log = location::beside(&named("other.db"), suffix);
            if is_there {
                std::fs::write(&log, "theirs").expect("can be written");
            }
            let refused = super::backup(&path, &log, true).await.err();
            let received = ReceivedCopy::begin(&log, true).err();
            for refused in [refused, received] {
                let refused = refused.expect("refused");
                assert!(matches!(refused, CopyError::LogOf(..)), "{refused:?}");
            }
        }
    }
    super::backup(&path, &named("alone.db-wal"), false)
        .await
        .expect("there is no alone.db");
}

#[tokio::test]
async fn a_restore_of_the_database_itself_is_refused_by_its_reason() {
    let (folder, path) = closed().await;
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).expect("can be linked");
    for source in [&path, &link] {
        for may_replace in [false, true] {
            let refused = restore(&path, source, may_replace).await;
            assert!(matches!(refused, Err(CopyError::Itself(_))), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_stopped_leaves_nothing() {
    let (folder, path) = closed().await;
    let [copy, new] = ["copy.db", "new.db"].map(|name| folder.path().join(name));
    let names = || {
        let entries = std::fs::read_dir(folder.path()).expect("can be read");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        names
    };
    let before = names();
    let stop = CancellationToken::new();
    stop.cancel();
    let copied = super::super::backup(&path, &copy, false, &stop).await;
    let restored = super::super::restore(&new, &path, false, &stop).await;
    for outcome in [copied, restored] {
        assert!(matches!(outcome, Err(CopyError::Stopped)), "{outcome:?}");
    }
    // SQLite's own thread removes its files a moment later.
    until("no file beside those that were there", async || {
        (names() == before).then_some(())
    })
    .await;
}
