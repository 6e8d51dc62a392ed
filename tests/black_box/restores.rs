//! Restores of the database: from any backup, over any database, and broken off at any point.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::ledger::lost;
use testkit::{File, Mount, Process, Service, Signal, not_tried, run, until};

use crate::backups::{FAILURE, OK, copy, place};
use crate::durability::{insist, stop};

#[tokio::test]
async fn a_restored_database_counts_as_one_that_was_not_closed() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let file = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let clean = "SELECT clean_shutdown FROM service";
    let mut database = File::open(&file).await;
    assert_eq!(database.number(clean).await, 1);
    database.close().await;

    let occupied = copy(&settings, "restore", &file, None).await;
    assert_eq!(occupied.code, FAILURE, "{occupied:?}");
    assert!(occupied.err.contains("--replace"), "{occupied:?}");
    for _ in 0..2 {
        let restored = copy(&settings, "restore", &file, Some("--replace")).await;
        assert_eq!(restored.code, OK, "{restored:?}");
    }
    let mut database = File::open(&settings.database()).await;
    assert_eq!(database.number(clean).await, 0);
    database.close().await;
    assert!(File::beside(&settings.database(), ".replaced").exists());
    let mode = std::fs::metadata(settings.database()).expect("is there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}

/// After a restore that was broken off, no command creates a new database, and the file that was put aside stays.
#[tokio::test]
async fn what_was_put_aside_is_not_lost_when_a_restore_breaks_off() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let file = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let database = settings.database();
    std::fs::remove_file(&database).expect("was there");
    let config = settings.write();
    for is_empty in [false, true] {
        for (suffix, has_log) in [
            (".replaced", false),
            (".replaced-wal", false),
            (".replaced", true),
        ] {
            let aside = File::beside(&database, suffix);
            let log = File::beside(&database, "-wal");
            if has_log {
                std::fs::write(&log, "its log").expect("can be written");
            }
            std::fs::write(&aside, "of great worth").expect("can be written");
            if is_empty {
                std::fs::write(&database, "").expect("can be written");
            }
            let arguments = ["--config".as_ref(), config.as_os_str(), "check".as_ref()];
            let checked = run(arguments).await;
            let restored = copy(&settings, "restore", &file, Some("--replace")).await;
            assert!(checked.out.contains(".replaced"), "{checked:?}");
            assert!(restored.err.contains(".replaced"), "{restored:?}");
            assert_eq!((checked.code, restored.code), (FAILURE, FAILURE));
            let kept = std::fs::read_to_string(&aside).expect("is there");
            assert_eq!(kept, "of great worth");
            for file in [aside, log, database.clone()] {
                let _ = std::fs::remove_file(file);
            }
        }
    }
    let restored = copy(&settings, "restore", &file, None).await;
    assert_eq!(restored.code, OK, "the control: {restored:?}");
}

/// A restore replaces the database in one step.
#[tokio::test]
async fn a_restore_leaves_no_moment_without_a_database() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let file = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let is_over = Arc::new(AtomicBool::new(false));
    let (over, path) = (is_over.clone(), settings.database());
    let watch = std::thread::spawn(move || {
        let mut missing = 0;
        while !over.load(Ordering::Relaxed) {
            missing += usize::from(std::fs::metadata(&path).is_err());
        }
        missing
    });
    for _ in 0..20 {
        let restored = copy(&settings, "restore", &file, Some("--replace")).await;
        assert_eq!(restored.code, OK, "{restored:?}");
    }
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(watch.join().expect("ends"), 0);
    let mut aside = File::open(&File::beside(&settings.database(), ".replaced")).await;
    assert!(aside.is_intact().await);
    aside.close().await;
}

#[tokio::test]
async fn what_is_no_good_backup_is_refused() {
    let (home, settings) = place();
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    until("promises", async || (load.count() > 200).then_some(())).await;
    stop(load).await;
    service.stop().await;
    let damaged = home.path().join("damaged.db");
    let mut bytes = std::fs::read(settings.database()).expect("can be read");
    let pages = bytes.len() / 4096;
    for page in pages / 2..pages {
        bytes[page * 4096..page * 4096 + 200].fill(0x5a);
    }
    std::fs::write(&damaged, bytes).expect("can be written");
    let foreign = home.path().join("foreign.db");
    let mut file = File::create(&foreign).await;
    file.execute("CREATE TABLE theirs (a)").await;
    file.close().await;
    let empty = home.path().join("empty.db");
    std::fs::write(&empty, "").expect("can be written");
    let diary = home.path().join("diary.txt");
    std::fs::write(&diary, "Dear diary, ".repeat(500)).expect("can be written");
    let absent = home.path().join("absent.db");

    let (elsewhere, other) = place();
    other.write();
    let before = std::fs::read_dir(elsewhere.path())
        .expect("can be read")
        .count();
    for (file, words) in [
        (damaged, "damaged"),
        (foreign, "not a database of sinch-callbacks"),
        (empty, "nothing to copy"),
        (diary, "not a database"),
        (absent, "nothing to copy"),
    ] {
        let refused = copy(&other, "restore", &file, None).await;
        assert_eq!(refused.code, FAILURE, "{refused:?}");
        assert!(refused.err.contains(words), "{words}: {refused:?}");
        let after = std::fs::read_dir(elsewhere.path())
            .expect("can be read")
            .count();
        assert_eq!(after, before, "{words}: nothing is left behind");
    }
    let nothing = copy(&other, "backup", &elsewhere.path().join("b.db"), None).await;
    assert_eq!(nothing.code, FAILURE, "{nothing:?}");
    assert!(nothing.err.contains("nothing to copy"), "{nothing:?}");
}

/// In a container, a backup can be a file that is mounted by itself.
#[tokio::test]
async fn a_backup_may_be_mounted_by_itself() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let [file, mounted] = ["backup.db", "mounted.db"].map(|name| home.path().join(name));
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    std::fs::write(&mounted, "").expect("can be written");
    let mount = match Mount::of_file(&file, &mounted) {
        Ok(mount) => mount,
        Err(reason) => {
            not_tried(&format!("a backup that is mounted: {reason}"));
            return;
        }
    };
    let restored = copy(&settings, "restore", &mounted, Some("--replace")).await;
    drop(mount);
    assert_eq!(restored.code, OK, "{restored:?}");
}

/// If a restore breaks off at any point, the database is the old one or the new one, complete, even if it had a log.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (home, settings) = place();
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    until("promises", async || (load.count() > 50).then_some(())).await;
    let promised = stop(load).await;
    service.kill().await;
    let database = settings.database();
    let [path, wal] = ["", "-wal"].map(|suffix| File::beside(&database, suffix));
    let old = [&path, &wal].map(|file| std::fs::read(file).expect("can be read"));
    let (elsewhere, other) = place();
    Service::start(&other).await.stop().await;
    let new = elsewhere.path().join("backup.db");
    let copied = copy(&other, "backup", &new, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let config = settings.write();
    let mut longest = std::time::Duration::from_millis(30);
    let (mut olds, mut news) = (0, 0);
    for round in 0..60 {
        let _ = std::fs::remove_file(File::beside(&database, "-shm"));
        std::fs::write(&path, &old[0]).expect("can be written");
        std::fs::write(&wal, &old[1]).expect("can be written");
        let arguments = ["--config".as_ref(), config.as_os_str(), "restore".as_ref()];
        let arguments = arguments
            .into_iter()
            .chain([new.as_os_str(), "--replace".as_ref()]);
        let begun = std::time::Instant::now();
        let process = Process::start(arguments);
        // The last few restores run to their end.
        if round < 55 {
            tokio::time::sleep(longest.mul_f64(random.f64())).await;
            process.signal(if random.bool() {
                Signal::KILL
            } else {
                Signal::INT
            });
        }
        let ended = process.ended().await;
        if ended.code == OK {
            longest = longest.max(begun.elapsed());
        }
        let arguments = ["--config".as_ref(), config.as_os_str(), "check".as_ref()];
        let checked = run(arguments).await;
        assert_eq!(checked.code, OK, "{round}: {checked:?}");
        let mut database = File::open(&path).await;
        assert!(database.is_intact().await, "{round}");
        let stored = database.bodies().await;
        database.close().await;
        if stored.is_empty() {
            news += 1;
        } else {
            assert!(lost(&promised, &stored).is_empty(), "{round}");
            olds += 1;
        }
    }
    assert!(olds > 0 && news > 0, "the control: {olds} old, {news} new");
    // One step was enough to put the database aside, since its log had been checkpointed.
    let aside = File::beside(&database, ".replaced");
    assert!(!File::beside(&aside, "-wal").exists());
    let mut aside = File::open(&aside).await;
    assert!(lost(&promised, &aside.bodies().await).is_empty());
    aside.close().await;
    let left = std::fs::read_dir(home.path()).expect("can be read");
    let left: Vec<_> = left
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(".sinch-callbacks-work-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The numbers of events that a restore takes back are given again, so a consumer's place means something else.
#[tokio::test]
async fn a_restored_database_has_another_feed() {
    let (home, settings) = place();
    let file = home.path().join("backup.db");
    let service = Service::start(&settings).await;
    let feed = async |service: &Service| {
        let page = service.get("/api/v1/events").await.json();
        page["feed"].as_str().expect("an id").to_owned()
    };
    let before = feed(&service).await;
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    service.stop().await;
    let service = Service::start(&settings).await;
    assert_eq!(
        feed(&service).await,
        before,
        "neither a backup nor a restart changes it"
    );
    service.stop().await;
    let mut feeds = vec![before];
    for _ in 0..2 {
        let restored = copy(&settings, "restore", &file, Some("--replace")).await;
        assert_eq!(restored.code, OK, "{restored:?}");
        let service = Service::start(&settings).await;
        let after = feed(&service).await;
        assert!(!feeds.contains(&after), "{after} of {feeds:?}");
        for path in ["/api/v1/events", "/api/v1/events/stream"] {
            let old = service
                .get(&format!("{path}?after=0&feed={}", feeds[0]))
                .await;
            old.assert_refusal(409, path);
            assert_eq!(old.json()["newest"], 0);
        }
        let new = service
            .get(&format!("/api/v1/events?after=0&feed={after}"))
            .await;
        assert_eq!(new.status, 200, "{new:?}");
        feeds.push(after);
        service.stop().await;
    }
}
