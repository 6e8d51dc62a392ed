//! Changes that other programs make to the database's files.

use std::fs::{File, remove_file, rename};
use std::os::unix::fs::{FileExt, symlink};

use super::*;

/// Change that another program may make to a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum FileChange {
    Removed,
    Renamed,
    Emptied,
    Cut,
    Replaced,
    /// The file is overwritten with the log of another database, which has the given number of events.
    Overwritten(u32),
    /// The file is put back as it was after the first two events.
    PutBack,
}

impl FileChange {
    /// Makes the change; `older` is the file as it was after the first two events.
    async fn make(self, path: &Path, older: &[u8]) {
        let aside = location::beside(path, ".aside");
        let cut_to = |bytes| {
            let file = File::options().write(true).open(path);
            file.and_then(|file| file.set_len(bytes))
                .expect("can be cut");
        };
        match self {
            FileChange::Removed => remove_file(path).expect("can be removed"),
            FileChange::Renamed => rename(path, aside).expect("can be renamed"),
            FileChange::Emptied => cut_to(0),
            FileChange::Cut => cut_to(location::length(path) / 2),
            FileChange::Replaced => {
                std::fs::copy(path, &aside).expect("can be copied");
                rename(aside, path).expect("can be replaced");
            }
            FileChange::PutBack => {
                let file = File::options().write(true).open(path);
                file.and_then(|file| file.write_all_at(older, 0))
                    .expect("can be written");
            }
            FileChange::Overwritten(events) => {
                let other = Fixture::new().await;
                for n in 0..events {
                    let event = delivery(&format!("e{n}"), "other", State::Expired, 10);
                    assert_eq!(other.accept(event).await, Accepted::New);
                }
                let log = std::fs::read(location::beside(&other.path(), "-wal"));
                std::fs::write(path, log.expect("can be read")).expect("can be written");
            }
        }
    }
}

/// Every change to each file, except those that the system itself stops: where the `-shm` is truncated, the process is
/// killed at its next access to it.
const CHANGES: [(&str, &[FileChange]); 3] = {
    use FileChange::*;
    [
        ("", &[Removed, Renamed, Emptied, Cut, Replaced]),
        (
            "-wal",
            &[
                Removed,
                Renamed,
                Emptied,
                Cut,
                Replaced,
                Overwritten(1),
                Overwritten(5),
                Overwritten(40),
            ],
        ),
        ("-shm", &[Removed, Renamed, Replaced, PutBack]),
    ]
};

#[tokio::test]
async fn nothing_is_acknowledged_once_a_file_is_in_other_hands() {
    for (suffix, changes) in CHANGES {
        for change in changes {
            for refused in [false, true] {
                let case = format!("fixture.db{suffix} {change:?}, a refused write: {refused}");
                attempt(suffix, *change, refused, &case).await;
            }
        }
    }
}

async fn attempt(suffix: &str, change: FileChange, refused: bool, case: &str) {
    let fixture = Fixture::new().await;
    let order = |n: u32| delivery(&format!("e{n}"), &format!("o{n}"), State::InReview, 10);
    let path = location::beside(&fixture.path(), suffix);
    let mut older = Vec::new();
    for n in 0..5 {
        assert_eq!(fixture.accept(order(n)).await, Accepted::New, "{case}");
        if n == 1 {
            older = std::fs::read(&path).expect("can be read");
        }
    }
    change.make(&path, &older).await;
    let foreign = NewDelivery {
        callback_key: None,
        project: id("nobodys"),
        ..order(7)
    };
    // Both writes are in the queue before the writer handles one.
    let store = fixture.store.clone();
    let (other, good) = if refused {
        tokio::join!(store.accept(foreign), store.accept(order(6)))
    } else {
        tokio::join!(store.accept(order(7)), store.accept(order(6)))
    };
    for outcome in [other, good] {
        assert!(
            matches!(outcome, Err(StoreError::Broken(_))),
            "{case}: {outcome:?}"
        );
    }
    drop((store, fixture.store));
    let end = fixture.run.await.expect("no panic");
    let reason = end.expect_err("the store cannot go on").to_string();
    let name = format!("fixture.db{suffix} was ");
    assert!(reason.contains(&name), "{case}: {reason}");
    let is_whole = matches!(
        change,
        FileChange::Removed | FileChange::Renamed | FileChange::Replaced
    );
    if suffix == "-wal" && is_whole {
        // No path leads to the log any more, but it was whole: what it had is in the database by now.
        remove_file(location::beside(
            &fixture.place.folder().path().join("fixture.db"),
            "-wal",
        ))
        .ok();
        let fixture = Fixture::open_in(fixture.place.into_folder()).await;
        fixture.process(20).await;
        for n in 0..5 {
            assert_eq!(fixture.history(&format!("o{n}")).await.deliveries.len(), 1);
        }
    }
}

/// Changes that SQLite and its tools may make to the files are no reason to stop.
#[tokio::test]
async fn a_wal_that_is_restarted_is_no_fault() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}", fixture.path().display());
    let mut db = SqliteConnection::connect(&url).await.expect("connects");
    for (n, mode) in ["PASSIVE", "FULL", "RESTART", "TRUNCATE"]
        .into_iter()
        .enumerate()
    {
        for m in 0..5 {
            let event = format!("e{n}-{m}");
            fixture
                .accept(delivery(&event, "o1", State::InReview, 10))
                .await;
        }
        let mode = format!("PRAGMA wal_checkpoint({mode})");
        let checkpointed = sqlx::query(sqlx::AssertSqlSafe(mode)).execute(&mut db);
        checkpointed.await.expect("checkpoints");
    }
    fixture
        .accept(delivery("last", "o1", State::InReview, 10))
        .await;
    db.close().await.expect("closes");
    let fixture = fixture.again().await;
    fixture.process(20).await;
    assert_eq!(fixture.history("o1").await.deliveries.len(), 21);
}

/// A database with acknowledged events in its log, as a crash leaves it.
async fn crashed() -> (TempDir, PathBuf) {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        let event = format!("e{n}");
        fixture
            .accept(delivery(&event, "o1", State::InReview, 10))
            .await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("real.db");
    for suffix in ["", "-wal"] {
        let copied = std::fs::copy(
            location::beside(&fixture.path(), suffix),
            location::beside(&path, suffix),
        );
        copied.expect("can be copied");
    }
    (folder, path)
}

/// Each way in which a log may have lost its database: whichever command runs then, the log stays as it is.
#[tokio::test]
async fn a_wal_without_its_database_is_never_thrown_away() {
    let lost = [
        "missing",
        "empty",
        "link to nothing",
        "link to empty",
        "link beside the log",
    ];
    for lost in lost {
        let (folder, real) = crashed().await;
        let link = folder.path().join("link.db");
        let (named, wal) = match lost {
            "missing" | "empty" => (real.clone(), location::beside(&real, "-wal")),
            "link beside the log" => (link.clone(), location::beside(&link, "-wal")),
            _ => (link.clone(), location::beside(&real, "-wal")),
        };
        match lost {
            "missing" => remove_file(&real).expect("can be removed"),
            "empty" => FileChange::Emptied.make(&real, &[]).await,
            "link to nothing" => {
                remove_file(&real).expect("can be removed");
                symlink(&real, &link).expect("can be linked");
            }
            "link to empty" => {
                FileChange::Emptied.make(&real, &[]).await;
                symlink(&real, &link).expect("can be linked");
            }
            _ => {
                rename(location::beside(&real, "-wal"), &wal).expect("can be moved");
                symlink(&real, &link).expect("can be linked");
            }
        }
        let before = std::fs::read(&wal).expect("can be read");
        assert!(!before.is_empty(), "{lost}");
        let settings = settings(named.clone());
        let backup = folder.path().join("backup.db");
        let opened = open(&settings).await.map(drop);
        assert!(opened.is_err(), "{lost}: opened");
        let checked = check(&settings).await;
        assert!(checked.is_err(), "{lost}: checked");
        let copied = super::backup(&named, &backup, false).await;
        assert!(copied.is_err(), "{lost}: backed up");
        let fixture = Fixture::new().await;
        let good = folder.path().join("good.db");
        super::backup(&fixture.path(), &good, false)
            .await
            .expect("copies");
        let restored = restore(&named, &good, false).await;
        assert!(restored.is_err(), "{lost}: restored over the log");
        let from_it = restore(&folder.path().join("new.db"), &named, false).await;
        assert!(from_it.is_err(), "{lost}: restored from the log");
        assert_eq!(std::fs::read(&wal).expect("is there"), before, "{lost}");
    }
}

/// No other process opens a database that is held: by none of its names, not even when the lock's file was removed or
/// replaced.
#[tokio::test]
async fn a_held_database_cannot_be_opened_twice() {
    let fixture = Fixture::new().await;
    let folder = fixture.place.folder().path();
    let real = fixture.path();
    let link = folder.join("link.db");
    symlink(&real, &link).expect("can be linked");
    let of_link = folder.join("link of link.db");
    symlink(&link, &of_link).expect("can be linked");
    let through = folder.join("..").join(folder.file_name().expect("a name"));
    let through = through.join("fixture.db");
    for removed in [false, true] {
        if removed {
            remove_file(location::beside(&real, ".lock")).expect("can be removed");
        }
        for path in [&real, &link, &of_link, &through] {
            let error = hold(path).expect_err("the database is held");
            assert!(matches!(error, OpenError::Held(_)), "{path:?}: {error}");
            let error = check(&settings(path.clone()))
                .await
                .expect_err("the database is held");
            assert!(matches!(error, OpenError::Held(_)), "{path:?}: {error}");
        }
    }
    // Another hard link to the file is refused for another reason: only one of the names has the log beside it.
    let hard = folder.join("hard.db");
    std::fs::hard_link(&real, &hard).expect("can be linked");
    let error = hold(&hard).expect_err("is refused");
    assert!(error.to_string().contains("several names"), "{error}");
    fixture
        .accept(delivery("e1", "o1", State::InReview, 10))
        .await;
}

/// Neither holding a place nor a check leaves a file in it.
#[tokio::test]
async fn what_is_tried_leaves_no_trace() {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("can be read");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.db");
    drop(hold(&path).expect("can be held"));
    check(&settings(path)).await.expect("can be used");
    assert!(
        names(folder.path()).is_empty(),
        "{:?}",
        names(folder.path())
    );

    // A log with content is not even checkpointed; an empty one may be removed.
    let (folder, path) = crashed().await;
    let read = |suffix| std::fs::read(location::beside(&path, suffix)).expect("can be read");
    let before = (names(folder.path()), read(""), read("-wal"));
    check(&settings(path.clone())).await.expect("can be used");
    assert_eq!((names(folder.path()), read(""), read("-wal")), before);
}
