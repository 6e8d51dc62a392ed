//! Database files that are truncated, taken away or changed while the service works on them.

use sinch_callbacks::clock;
use testkit::{
    ALLOWED, File, PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, until,
};

use crate::files::UNUSABLE;

/// The system itself ends the process when the shared memory is truncated, since SQLite has mapped the file.
#[tokio::test]
async fn nothing_is_acknowledged_once_the_shared_memory_is_cut() {
    for bytes in [0, 4096] {
        let folder = folder();
        let settings = Settings::new(folder.path());
        let service = Service::start(&settings).await;
        service
            .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
            .await;
        let shm = std::fs::File::options()
            .write(true)
            .open(File::beside(&settings.database(), "-shm"));
        shm.and_then(|shm| shm.set_len(bytes)).expect("can be cut");
        let late = event("e2", "o1", "COMPLETED", clock::now());
        let request = Request::signed(PATH, SECRET, late);
        // The service may have noticed the change by a write of its own, and ended before.
        let answer = service.try_send_from(ALLOWED, &request).await;
        assert!(answer.is_none_or(|answer| answer.status != 200), "{bytes}");
        assert_ne!(service.ended().await.code, Some(0), "{bytes}");
        let service = Service::start(&settings).await;
        let order = service.order_with("o1", 1).await;
        assert_eq!(order["deliveries"][0]["event"], "e1", "{bytes}");
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_is_gone() {
    for deed in ["deleted", "replaced"] {
        let folder = folder();
        let settings = Settings::new(folder.path());
        let service = Service::start(&settings).await;
        service
            .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
            .await;
        if deed == "replaced" {
            // At one stroke: a write of the service's own must not find the file gone.
            let other = folder.path().join("other.db");
            std::fs::write(&other, "").expect("a file");
            std::fs::rename(other, settings.database()).expect("the database can be replaced");
        } else {
            std::fs::remove_file(settings.database()).expect("the database can be deleted");
        }
        let body = event("e2", "o1", "COMPLETED", clock::now());
        let request = Request::signed(PATH, SECRET, body);
        // The service may have noticed the change by a write of its own, and ended.
        if let Some(answer) = service.try_send_from(ALLOWED, &request).await {
            answer.assert_refusal(503, deed);
        }
        let ended = service.ended().await;
        assert_eq!(ended.code, UNUSABLE, "{deed}: {ended:?}");
        assert!(ended.err.contains(deed), "{deed}: {ended:?}");
    }
}

/// The service would refuse every callback, though the disk takes writes.
#[tokio::test]
async fn a_project_that_another_program_removed_makes_the_service_unready() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let mut database = File::open(&settings.database()).await;
    database.execute("PRAGMA foreign_keys = OFF").await;
    database.execute("DELETE FROM projects").await;
    let body = event("e1", "o1", "IN_REVIEW", clock::now());
    let refused = service.send(&Request::signed(PATH, SECRET, body)).await;
    refused.assert_refusal(503, "the control");
    // On a busy machine `/readyz` may first say that the database does not answer in time.
    until("/readyz to name the project", async || {
        let unready = service.get("/readyz").await;
        unready.assert_refusal(503, "/readyz");
        let detail = unready.json()["detail"].to_string();
        detail.contains(PROJECT).then_some(())
    })
    .await;
    database.close().await;
}
