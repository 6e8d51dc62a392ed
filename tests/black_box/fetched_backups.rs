//! Backups that the running service makes and sends: whole, checksummed, and without delay for callbacks.

use crate::backups::{FAILURE, OK, copy, place};
use crate::durability::{insist, stop};
use testkit::ledger::lost;
use testkit::{Ended, File, Service, Settings, run, until};

async fn fetch(settings: &Settings, file: &std::path::Path, options: &[&str]) -> Ended {
    let config = settings.write();
    let arguments = [
        "--config".as_ref(),
        config.as_os_str(),
        "backup".as_ref(),
        "--from-service".as_ref(),
    ];
    let options = options.iter().map(|option| (*option).as_ref());
    run(arguments
        .into_iter()
        .chain([file.as_os_str()])
        .chain(options))
    .await
}

fn checksum_of(file: &std::path::Path) -> std::path::PathBuf {
    File::beside(file, ".sha256")
}

#[tokio::test]
async fn a_backup_from_the_service_under_load_is_restored_elsewhere() {
    let (_home, settings) = place();
    let settings = settings.fix_addresses();
    let service = Service::start(&settings).await;
    let load = insist(&service, 4).await;
    until("promises", async || (load.count() > 100).then_some(())).await;
    let before = load.acknowledged();
    let (elsewhere, other) = place();
    let file = elsewhere.path().join("fetched.db");
    let fetched = fetch(&settings, &file, &[]).await;
    assert_eq!(fetched.code, OK, "{fetched:?}");
    let enough = load.count() + 50;
    until("more promises", async || {
        (load.count() > enough).then_some(())
    })
    .await;
    let promised = stop(load).await;
    let status = service.stop().await;
    assert_eq!(status.code, OK, "the service took no notice: {status:?}");

    let written = std::fs::read_to_string(checksum_of(&file)).expect("is there");
    let (sum, name) = written.trim_end().split_once("  ").expect("two fields");
    assert!(
        fetched.out.contains(sum) && name == "fetched.db",
        "{fetched:?}: {written}"
    );
    let restored = copy(&other, "restore", &file, None).await;
    assert_eq!(restored.code, OK, "{restored:?}");
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
}

#[tokio::test]
async fn a_backup_that_was_changed_is_not_restored() {
    let (home, settings) = place();
    Service::start(&settings).await.stop().await;
    let file = home.path().join("backup.db");
    let made = copy(&settings, "backup", &file, None).await;
    assert_eq!(made.code, OK, "{made:?}");
    // A change that SQLite takes for sound.
    let mut database = File::open(&file).await;
    database
        .execute("PRAGMA user_version = 7; PRAGMA journal_mode = DELETE")
        .await;
    database.close().await;
    let (_elsewhere, other) = place();
    let refused = copy(&other, "restore", &file, None).await;
    assert_eq!(refused.code, FAILURE, "{refused:?}");
    assert!(
        refused.err.contains("is not the backup that was made"),
        "{refused:?}"
    );
    assert!(!other.database().exists());
    // Without the checksum it is another file, which may be restored.
    std::fs::remove_file(checksum_of(&file)).expect("is there");
    let restored = copy(&other, "restore", &file, None).await;
    assert_eq!(restored.code, OK, "{restored:?}");
}

#[tokio::test]
async fn a_backup_from_the_service_takes_the_place_of_a_file_only_when_told_to() {
    let (home, settings) = place();
    let settings = settings.fix_addresses();
    let service = Service::start(&settings).await;
    let file = home.path().join("backup.db");
    for (options, code) in [(&[][..], OK), (&[], FAILURE), (&["--overwrite"], OK)] {
        let fetched = fetch(&settings, &file, options).await;
        assert_eq!(fetched.code, code, "{options:?}: {fetched:?}");
        if code == FAILURE {
            assert!(fetched.err.contains("is there already"), "{fetched:?}");
        }
    }
    // Nothing of the work stays, neither here nor beside the database.
    let entries = std::fs::read_dir(home.path()).expect("can be read");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = names
        .filter(|name| {
            name.display()
                .to_string()
                .starts_with(".sinch-callbacks-work")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    service.stop().await;
    let fetched = fetch(&settings, &file, &["--overwrite"]).await;
    assert_eq!(fetched.code, FAILURE, "{fetched:?}");
    assert!(
        fetched.err.contains("no service can be reached"),
        "{fetched:?}"
    );
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn on_a_server_its_own_tools_are_named() {
    use testkit::postgres::{Server, ServerOptions};

    let Some(server) = Server::start(ServerOptions::default()) else {
        return testkit::not_tried(
            "a backup from PostgreSQL: it is not installed (package postgresql)",
        );
    };
    let (home, settings) = place();
    let settings = settings
        .fix_addresses()
        .set("database.url", server.url(&server.database()))
        .set("database.lossy_commits", true);
    let service = Service::start(&settings).await;
    let file = home.path().join("backup.db");
    for ended in [
        fetch(&settings, &file, &[]).await,
        copy(&settings, "backup", &file, None).await,
    ] {
        assert_ne!(ended.code, OK, "{ended:?}");
        assert!(ended.err.contains("pg_dump"), "{ended:?}");
    }
    assert!(!file.exists());
    service.stop().await;
}
