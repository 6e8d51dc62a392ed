//! Backups of the database: made under load, and with nothing of the WAL left out.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::durability::{insist, stop};
use testkit::ledger::lost;
use testkit::{
    Disk, Ended, File, Mount, Process, Service, Settings, Signal, folder, not_tried, run, until,
};

pub const OK: Option<i32> = Some(0);
pub const FAILURE: Option<i32> = Some(1);
const HELD: Option<i32> = Some(75);

/// Runs `backup` or `restore` with a file and an option.
pub async fn copy(settings: &Settings, command: &str, file: &Path, option: Option<&str>) -> Ended {
    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), command.as_ref()];
    let option = option.iter().map(|option| (*option).as_ref());
    run(arguments
        .into_iter()
        .chain([file.as_os_str()])
        .chain(option))
    .await
}

/// A folder with a configuration of its own.
pub fn place() -> (tempfile::TempDir, Settings) {
    let folder = folder();
    let settings = Settings::new(folder.path()).set_project("api", "off");
    (folder, settings)
}

/// Puts large deliveries into the database of a service that does not run.
async fn fill(settings: &Settings, deliveries: usize) {
    let mut database = File::open(&settings.database()).await;
    let sql = format!(
        "INSERT INTO projects (id, sinch_id) VALUES (999, 'large');
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {deliveries})
         INSERT INTO deliveries (project, dedup_key, received_at, phase, decision, body)
         SELECT 999, i, 0, 'recorded', 'other-resource', randomblob(9000) FROM n"
    );
    database.execute(&sql).await;
    database.close().await;
}

#[tokio::test]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before() {
    let (home, settings) = place();
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    until("promises", async || (load.count() > 100).then_some(())).await;
    let before = load.acknowledged();
    let file = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let enough = load.count() + 50;
    until("more promises", async || {
        (load.count() > enough).then_some(())
    })
    .await;
    let mode = std::fs::metadata(&file).expect("is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    // An existing file is replaced only with the option, and the database itself never.
    let again = copy(&settings, "backup", &file, None).await;
    assert_eq!(again.code, FAILURE, "{again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");
    for suffix in ["", "-wal", "-shm", "-journal", ".lock"] {
        let own = File::beside(&settings.database(), suffix);
        let refused = copy(&settings, "backup", &own, Some("--overwrite")).await;
        assert_eq!(refused.code, FAILURE, "{refused:?}");
        assert!(refused.err.contains("database itself"), "{refused:?}");
    }
    let promised = stop(load).await;
    let (elsewhere, other) = place();
    // While the service runs, that is the first reason for a refusal: `--replace` would not help.
    for option in [None, Some("--replace")] {
        let beside = copy(&settings, "restore", &file, option).await;
        assert_eq!(beside.code, HELD, "{beside:?}");
    }
    let status = service.stop().await;
    assert_eq!(status.code, OK, "the service took no notice: {status:?}");

    let restored = copy(&other, "restore", &file, None).await;
    assert_eq!(restored.code, OK, "{restored:?}");
    let service = Service::start(&other).await;
    service.stop().await;
    let mut database = File::open(&other.database()).await;
    assert!(database.is_intact().await);
    let stored = database.bodies().await;
    database.close().await;
    let missing = lost(&before, &stored);
    assert!(missing.is_empty(), "{missing:?}");
    let later = lost(&promised, &stored);
    assert!(
        !later.is_empty(),
        "the control: what came after is not in it"
    );
    drop((home, elsewhere));
}

/// SQLite would read a log that lies beside the copy as a part of it.
#[tokio::test]
async fn a_backup_has_nothing_beside_it() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    for suffix in ["-wal", "-shm", "-journal"] {
        let file = home.path().join(format!("to{suffix}.db"));
        let leftover = File::beside(&file, suffix);
        std::fs::write(&leftover, "of another database").expect("can be written");
        let refused = copy(&settings, "backup", &file, None).await;
        assert_eq!(refused.code, FAILURE, "{refused:?}");
        let name = leftover.display().to_string();
        assert!(refused.err.contains(&name), "{refused:?}");
        assert!(refused.err.contains("--overwrite"), "{refused:?}");
        assert!(leftover.exists() && !file.exists());
        let copied = copy(&settings, "backup", &file, Some("--overwrite")).await;
        assert_eq!(copied.code, OK, "{copied:?}");
        assert!(!leftover.exists(), "{suffix}");
    }
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_file_only() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let [folder, link, dangling, socket] =
        ["folder", "link", "dangling", "socket"].map(|name| home.path().join(name));
    std::fs::create_dir(&folder).expect("can be made");
    let file = home.path().join("file");
    std::fs::write(&file, "theirs").expect("can be written");
    std::os::unix::fs::symlink(&file, &link).expect("can be made");
    std::os::unix::fs::symlink("nowhere", &dangling).expect("can be made");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).expect("can be made");
    for target in [folder, link, dangling, socket] {
        for option in [None, Some("--overwrite")] {
            let refused = copy(&settings, "backup", &target, option).await;
            assert_eq!(refused.code, FAILURE, "{refused:?}");
            assert!(refused.err.contains("no regular file"), "{refused:?}");
            assert!(std::fs::symlink_metadata(&target).is_ok_and(|found| !found.is_file()));
        }
    }
    // The backup does not take the place of a file either that another service works on.
    let (_elsewhere, other) = place();
    let service = Service::start(&other).await;
    let held = copy(&settings, "backup", &other.database(), Some("--overwrite")).await;
    assert_eq!(held.code, HELD, "{held:?}");
    assert_eq!(service.stop().await.code, OK);
}

/// Neither command needs the projects and their secrets.
#[tokio::test]
async fn the_place_of_the_database_is_all_that_is_needed() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let bare = home.path().join("bare.toml");
    let path = settings.database();
    std::fs::write(&bare, format!("[database]\npath = {path:?}\n")).expect("can be written");
    let file = home.path().join("backup.db");
    for arguments in [["backup", "--overwrite"], ["restore", "--replace"]] {
        let [command, option] = arguments.map(AsRef::as_ref);
        let arguments = ["--config".as_ref(), bare.as_os_str(), command];
        let ended = run(arguments.into_iter().chain([file.as_os_str(), option])).await;
        assert_eq!(ended.code, OK, "{ended:?}");
    }
}

/// A log that the service did not checkpoint before it died is part of what is copied, put aside or restored.
#[tokio::test]
async fn what_is_in_the_wal_is_copied_too() {
    let (home, settings) = place();
    let service = Service::start(&settings).await;
    let load = insist(&service, 2).await;
    until("promises", async || (load.count() > 20).then_some(())).await;
    let promised = stop(load).await;
    service.kill().await;
    let wal = File::beside(&settings.database(), "-wal");
    let before = std::fs::read(&wal).expect("is there");
    let file = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &file, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    assert_eq!(std::fs::read(&wal).expect("is there"), before);

    let (_elsewhere, other) = place();
    for from in [file, settings.database()] {
        let restored = copy(&other, "restore", &from, Some("--replace")).await;
        assert_eq!(restored.code, OK, "{restored:?}");
        let mut database = File::open(&other.database()).await;
        let missing = lost(&promised, &database.bodies().await);
        assert!(missing.is_empty(), "{from:?}: {missing:?}");
        database.close().await;
    }
    assert_eq!(std::fs::read(&wal).expect("is there"), before);
}

/// The message names the file that could not be written, backup or database, and nothing of that file stays.
#[tokio::test]
async fn on_a_full_disk_the_copy_is_named_and_nothing_stays() {
    let disk = match Disk::mount("1m") {
        Ok(disk) => disk,
        Err(reason) => {
            not_tried(&format!("copies to a full disk: {reason}"));
            return;
        }
    };
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    fill(&settings, 400).await;
    let backup = home.path().join("backup.db");
    let copied = copy(&settings, "backup", &backup, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    let (_elsewhere, other) = place();
    let small = disk.path().join("service.db");
    let other = other.set("database.path", small.display().to_string());
    for (settings, command, file, named) in [
        (
            &settings,
            "backup",
            disk.path().join("backup.db"),
            disk.path().join("backup.db"),
        ),
        (&other, "restore", backup, small),
    ] {
        let full = copy(settings, command, &file, None).await;
        assert_eq!(full.code, FAILURE, "{full:?}");
        let words = format!("cannot copy to {}: ", named.display());
        assert!(full.err.contains(&words), "{full:?}");
        let left: Vec<_> = std::fs::read_dir(disk.path())
            .expect("can be read")
            .collect();
        assert!(left.is_empty(), "{command}: {left:?}");
    }
}

/// A backup is stopped as soon as it is at work; then nothing of it is left. A check ends by itself, and leaves nothing.
#[tokio::test]
async fn a_command_that_is_stopped_leaves_nothing() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    fill(&settings, 4000).await;
    let config = settings.write();
    let file = home.path().join("backup.db");
    let names = || {
        let entries = std::fs::read_dir(home.path()).expect("can be read");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.display().to_string()).collect();
        names.sort();
        names
    };
    let before = names();
    let with_config = ["--config".as_ref(), config.as_os_str()];
    for signal in [Signal::INT, Signal::TERM] {
        until("a backup that is stopped at work", async || {
            let arguments = ["backup".as_ref(), file.as_os_str()];
            let mut process = Process::start(with_config.into_iter().chain(arguments));
            let is_work = |name: &String| name.starts_with(".sinch-callbacks-work-");
            while process.is_running() && !names().iter().any(is_work) {}
            process.signal(signal);
            let ended = process.ended().await;
            // On a busy machine the signal may have come too late.
            let _ = std::fs::remove_file(&file);
            let _ = std::fs::remove_file(File::beside(&file, ".sha256"));
            assert_eq!(names(), before, "{ended:?}");
            (ended.code == FAILURE && ended.err.contains("stopped")).then_some(())
        })
        .await;
        let mut process = Process::start(with_config.into_iter().chain(["check".as_ref()]));
        while process.is_running() && names() == before {}
        process.signal(signal);
        process.ended().await;
        assert_eq!(names(), before);
    }
}

/// The folder of the database can be mounted elsewhere too: the files there are the same.
#[tokio::test]
async fn a_backup_finds_the_database_behind_a_mount() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let other = folder();
    let mount = match Mount::of_file(home.path(), other.path()) {
        Ok(mount) => mount,
        Err(reason) => {
            not_tried(&format!("a folder that is mounted: {reason}"));
            return;
        }
    };
    for name in ["service.db", "service.db-wal"] {
        let refused = copy(
            &settings,
            "backup",
            &other.path().join(name),
            Some("--overwrite"),
        )
        .await;
        assert_eq!(refused.code, FAILURE, "{refused:?}");
        assert!(refused.err.contains("database itself"), "{refused:?}");
    }
    drop(mount);
    assert!(!File::beside(&settings.database(), "-wal").exists());
}

#[tokio::test]
async fn a_name_that_no_checksum_file_can_carry_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    for name in [&b"a\nb.db"[..], b"a\rb.db", b"a\x1bb.db", b"a\xe4b.db"] {
        let target = home.path().join(std::ffi::OsStr::from_bytes(name));
        for option in [None, Some("--from-service")] {
            let refused = copy(&settings, "backup", &target, option).await;
            assert_eq!(refused.code, Some(2), "{name:?}: {refused:?}");
            assert!(refused.err.contains("sha256sum"), "{refused:?}");
            assert!(!target.exists(), "{name:?}");
        }
    }
}
