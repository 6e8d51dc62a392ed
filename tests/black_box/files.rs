//! Which database files are worked on, and which are left alone.

use std::path::Path;

use sinch_callbacks::clock;

use crate::instrument::{
    File, PATH, Request, SECRET, Service, Settings, event, folder, run, until,
};

/// The exit code of a start that failed for want of a usable file.
const UNUSABLE: Option<i32> = Some(1);
/// … because another instance has it.
const HELD: Option<i32> = Some(75);

/// `serve` and `check` both refuse, with this code and these words, and leave the folder as it is.
async fn assert_refused(settings: &Settings, code: Option<i32>, words: &str) {
    settings.write();
    let folder = settings.path();
    let folder = folder.parent().expect("the file is in a folder");
    let before = contents(folder);
    let ended = Service::spawn(settings).ended().await;
    assert_eq!(ended.code, code, "{ended:?}");
    assert!(ended.err.contains(words), "{ended:?}");
    let config = settings.path();
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, code, "{checked:?}");
    assert!(checked.out.contains(words), "{checked:?}");
    assert_eq!(contents(folder), before, "nothing was touched");
}

/// All files but locks, which hold nothing, with their bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            (path.display().to_string(), bytes)
        })
        .filter(|(name, _)| !name.ends_with(".lock"))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn two_services_do_not_share_a_file() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let ended = Service::spawn(&settings).ended().await;
    assert_eq!(ended.code, HELD, "{ended:?}");
    assert!(ended.err.contains("another instance"), "{ended:?}");
    service
        .tell(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    // The lock is the process's: nothing must be cleaned up after a crash.
    service.kill().await;
    Service::start(&settings).await;
}

#[tokio::test]
async fn a_log_without_its_database_is_not_thrown_away() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    service
        .tell(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    service.kill().await;
    let wal = std::fs::metadata(File::beside(&settings.database(), "-wal"));
    assert!(wal.is_ok_and(|wal| wal.len() > 0), "the log is full");
    let aside = folder.path().join("aside");
    std::fs::rename(settings.database(), &aside).expect("the database can be moved");
    assert_refused(&settings, UNUSABLE, "restore the database file").await;

    // As the words say: with the file back in its place, all is there.
    std::fs::rename(&aside, settings.database()).expect("the database can be moved back");
    let service = Service::start(&settings).await;
    assert_eq!(service.order("o1").await["deliveries"][0]["event"], "e1");
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
async fn a_folder_that_is_not_there_is_said() {
    let folder = folder();
    let path = folder.path().join("nowhere").join("service.db");
    let settings = Settings::new(folder.path()).set("database.path", path.display().to_string());
    assert_refused(&settings, UNUSABLE, "nowhere").await;
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    for deed in ["deleted", "replaced"] {
        let folder = folder();
        let settings = Settings::new(folder.path());
        let service = Service::start(&settings).await;
        service
            .tell(event("e1", "o1", "IN_REVIEW", clock::now()))
            .await;
        std::fs::remove_file(settings.database()).expect("the database can be deleted");
        if deed == "replaced" {
            std::fs::write(settings.database(), "").expect("a file");
        }
        let body = event("e2", "o1", "COMPLETED", clock::now());
        let answer = service.send(&Request::signed(PATH, SECRET, body)).await;
        answer.assert_refusal(503, deed);
        let ended = service.ended().await;
        assert_eq!(ended.code, UNUSABLE, "{deed}: {ended:?}");
        assert!(
            ended.err.contains("moved, deleted or replaced"),
            "{deed}: {ended:?}"
        );
    }
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

    // Beside a running service, it says who has the file.
    let service = Service::start(&settings).await;
    let checked = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    assert_eq!(checked.code, HELD, "{checked:?}");
    until("readiness as before", async || {
        (service.ask("/readyz").await.status == 200).then_some(())
    })
    .await;
}
