//! Database files that the service works on, and those that it leaves alone.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::Path;

use sinch_callbacks::clock;

use testkit::{File, Mount, Process, Service, Settings, event, folder, not_tried, run, until};

/// Exit code of a start that failed because the file cannot be used.
pub const UNUSABLE: Option<i32> = Some(1);
/// Exit code of a start that failed because another instance has the file.
const HELD: Option<i32> = Some(75);
/// Exit code of a start that failed because the configuration names no file.
const CONFIG: Option<i32> = Some(78);

/// Asserts that `serve` and `check` both refuse, with the given code and words, and leave the folder as it is.
async fn assert_refused(settings: &Settings, code: Option<i32>, words: &str) {
    let config = settings.write();
    let folder = config.parent().expect("the file is in a folder");
    let before = contents(folder);
    for command in ["serve", "check"] {
        let arguments = ["--config".as_ref(), config.as_os_str(), command.as_ref()];
        let process = if may_do_all() {
            give_away(folder);
            Process::start_as(NOBODY, arguments)
        } else {
            Process::start(arguments)
        };
        let ended = process.ended().await;
        assert_eq!(ended.code, code, "{ended:?}");
        let said = if command == "serve" {
            &ended.err
        } else {
            &ended.out
        };
        assert!(said.contains(words), "{words}: {ended:?}");
        assert_eq!(contents(folder), before, "{command}: nothing was touched");
    }
}

/// Id of a user without privileges, to whom only the files belong that a test gives away.
const NOBODY: u32 = 65532;

fn may_do_all() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a folder and all that is in it to the user [`NOBODY`].
fn give_away(folder: &Path) {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let inside = entries.map(|entry| entry.expect("an entry").path());
    for path in inside.chain([folder.to_owned()]) {
        lchown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
    }
}

fn set_mode(path: &Path, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("a mode can be set");
}

/// Paths of all files in a folder, with their bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            (path.display().to_string(), bytes)
        })
        .collect();
    files.sort();
    files
}

/// For a place in which there can be no database, `check` and a start must give the same error.
#[tokio::test]
async fn an_unfit_place_is_named_by_check_and_start_alike() {
    let at = |folder: &Path, path: &str| Settings::new(folder).set("database.path", path);
    for (path, code, words) in [
        (":memory:", CONFIG, "not a path"),
        ("file:x.db", CONFIG, "not a path"),
        ("sqlite:x.db", CONFIG, "not a path"),
        ("/dev/null", UNUSABLE, "not a regular file"),
        ("/proc/x.db", UNUSABLE, "/proc"),
        ("/proc", UNUSABLE, "not a regular file"),
    ] {
        let folder = folder();
        assert_refused(&at(folder.path(), path), code, words).await;
    }
    // Each file in turn is closed to the service's user for writing: the message must name it.
    for (suffix, mode) in [
        ("", 0o400),
        ("-wal", 0o400),
        ("-shm", 0o400),
        (".lock", 0o400),
    ] {
        let folder = folder();
        let settings = Settings::new(folder.path());
        let service = Service::start(&settings).await;
        service
            .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
            .await;
        service.kill().await;
        let path = File::beside(&settings.database(), suffix);
        set_mode(&path, mode);
        assert_refused(
            &settings,
            UNUSABLE,
            &format!("{}: Permission denied", path.display()),
        )
        .await;
        set_mode(&path, 0o600);
        let service = Service::start(&settings).await;
        let order = service.order_with("o1", 1).await;
        assert_eq!(order["deliveries"][0]["event"], "e1", "{suffix}");
    }
    let home = folder();
    let place = folder();
    let path = place.path().join("service.db").display().to_string();
    set_mode(place.path(), 0o500);
    let words = format!("{}: Permission denied", place.path().display());
    if may_do_all() {
        give_away(place.path());
    }
    assert_refused(&at(home.path(), &path), UNUSABLE, &words).await;
    set_mode(place.path(), 0o700);
}

/// The log of a file that is mounted by itself does not lie beside the file's other name.
#[tokio::test]
async fn a_file_that_is_mounted_by_itself_is_refused() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    Service::start(&settings).await.stop().await;
    let elsewhere = folder.path().join("mounted.db");
    std::fs::write(&elsewhere, "").expect("can be written");
    let mount = match Mount::of_file(&settings.database(), &elsewhere) {
        Ok(mount) => mount,
        Err(reason) => {
            not_tried(&format!("a file that is mounted: {reason}"));
            return;
        }
    };
    let mounted = settings.set("database.path", elsewhere.display().to_string());
    assert_refused(&mounted, UNUSABLE, "mounted by itself").await;
    drop(mount);
}

/// A start opens the database only after all other checks.
#[tokio::test]
async fn a_start_that_fails_leaves_no_trace() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = folder();
    let good = Settings::new(folder.path());
    let bad = good.clone().set("operators.listen", address.as_str());
    for has_run in [false, true] {
        if has_run {
            assert_eq!(Service::start(&good).await.stop().await.code, Some(0));
        }
        bad.write();
        let before = contents(folder.path());
        let ended = Service::spawn(&bad).ended().await;
        assert_eq!(ended.code, UNUSABLE, "{ended:?}");
        assert_eq!(contents(folder.path()), before);
    }
    let mut file = File::open(&good.database()).await;
    let clean = file.number("SELECT clean_shutdown FROM service").await;
    assert_eq!(clean, 1, "the next start asks about nothing anew");
}

#[tokio::test]
async fn files_that_everybody_can_read_are_warned_about() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    Service::start(&settings).await.stop().await;
    set_mode(&settings.database(), 0o644);
    let config = settings.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let unwise = |line: &str| line.starts_with("unwise") && line.contains("service.db");
    assert!(checked.out.lines().any(unwise), "{checked:?}");
    let service = Service::start(&settings).await;
    for suffix in ["", "-wal", "-shm"] {
        let path = File::beside(&settings.database(), suffix);
        let path = format!("{:?}", path.display().to_string());
        let warned = |line: &String| line.contains(&path) && line.contains("every user");
        until(&format!("a warning of {path}"), async || {
            service.lines().iter().any(warned).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn two_services_do_not_share_a_file() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    // The second service reaches the file by another name, and also after an operator took the lock file for a leftover
    // and removed it.
    let link = folder.path().join("link.db");
    symlink(settings.database(), &link).expect("can be linked");
    let linked = settings
        .clone()
        .set("database.path", link.display().to_string());
    for removed in [false, true] {
        if removed {
            let lock = File::beside(&settings.database(), ".lock");
            std::fs::remove_file(lock).expect("can be removed");
        }
        for settings in [&settings, &linked] {
            let ended = Service::spawn(settings).ended().await;
            assert_eq!(ended.code, HELD, "{ended:?}");
            assert!(ended.err.contains("another instance"), "{ended:?}");
        }
    }
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    // The lock ends with the process, so nothing must be cleaned up after a crash.
    service.kill().await;
    Service::start(&settings).await;
}

#[tokio::test]
async fn a_wal_without_its_database_is_not_thrown_away() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    service.kill().await;
    let wal = std::fs::metadata(File::beside(&settings.database(), "-wal"));
    assert!(wal.is_ok_and(|wal| wal.len() > 0), "the log is full");
    let aside = folder.path().join("aside");
    std::fs::rename(settings.database(), &aside).expect("the database can be moved");
    assert_refused(&settings, UNUSABLE, "restore the database file").await;

    // As the error says, the file can be put back in its place: then all data is there.
    std::fs::rename(&aside, settings.database()).expect("the database can be moved back");
    let service = Service::start(&settings).await;
    assert_eq!(
        service.order_with("o1", 1).await["deliveries"][0]["event"],
        "e1"
    );
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    Service::start(&settings).await.stop().await;
    let mut file = File::open(&settings.database()).await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999, 'later', 1, x'00', 0)";
    file.execute(newer).await;
    file.close().await;
    assert_refused(&settings, UNUSABLE, "schema version 999").await;
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    for claim in [
        vec!["PRAGMA application_id = 17"],
        vec!["CREATE TABLE theirs (a)"],
        vec!["CREATE TABLE orders (a)", "PRAGMA application_id = 17"],
    ] {
        let folder = folder();
        let settings = Settings::new(folder.path());
        let mut file = File::create(&settings.database()).await;
        for sql in claim {
            file.execute(sql).await;
        }
        file.close().await;
        assert_refused(&settings, UNUSABLE, "not a database of sinch-callbacks").await;
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    std::fs::write(settings.database(), "Dear diary, ".repeat(500)).expect("a file");
    assert_refused(&settings, UNUSABLE, "not a database").await;
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = folder();
    let path = folder.path().join("nowhere").join("service.db");
    let settings = Settings::new(folder.path()).set("database.path", path.display().to_string());
    assert_refused(&settings, UNUSABLE, "nowhere").await;
}

#[tokio::test]
async fn a_check_of_a_good_place_creates_nothing() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let config = settings.write();
    let before = contents(folder.path());
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert_eq!(contents(folder.path()), before);

    // While the service runs, `check` leaves out what it holds, and checks the rest.
    let service = Service::start(&settings).await;
    let there = settings
        .clone()
        .set("callbacks.listen", service.callbacks.to_string())
        .set("operators.listen", service.operators.to_string());
    let config = there.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for (what, word) in [
        ("database", "in use"),
        ("callbacks.listen", "in use"),
        ("operators.listen", "in use"),
        ("API client", "ok"),
    ] {
        let said = |line: &str| line.starts_with(word) && line.contains(what);
        assert!(checked.out.lines().any(said), "{what}: {checked:?}");
    }
    let bad = there.set_project("key_secret", "");
    let config = bad.write();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, CONFIG, "{checked:?}");
    // The running service is as before.
    service.is_ready().await;
}
