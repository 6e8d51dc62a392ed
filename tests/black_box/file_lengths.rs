//! The limit on the length of files (`ulimit -f`): what reaches it is refused, and the program goes on.

use std::collections::BTreeMap;
use std::process::Command;

use sinch_callbacks::clock;
use testkit::ledger::lost;
use testkit::{
    File, Output, PATH, Process, Request, SECRET, Service, Settings, event, folder, until,
};

use crate::backups::FAILURE;

#[tokio::test]
async fn callbacks_are_refused_while_a_file_may_not_grow() {
    let home = folder();
    let settings = Settings::new(home.path()).set_project("api", "off");
    let service = Service::start(&settings).await;
    let send = async |name: &str| {
        let body = event(name, "o1", "IN_REVIEW", clock::now());
        let request = Request::signed(PATH, SECRET, body.clone());
        (service.send(&request).await, body.into())
    };
    let mut promised = BTreeMap::new();
    let log = File::beside(&settings.database(), "-wal");
    let bytes = std::fs::metadata(&log).expect("is there").len();
    service.limit_file_length(Some(bytes + 100_000));
    for nth in 0.. {
        let event = format!("e{nth}");
        let (answer, body) = send(&event).await;
        if answer.status == 503 {
            break;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        promised.insert(event, body);
        assert!(nth < 1000, "the control: no limit is reached");
    }
    until("a reason that names the limit", async || {
        let ready = service.get("/readyz").await;
        let says_so = ready.timeless().contains("file-size limit");
        (ready.status == 503 && says_so).then_some(())
    })
    .await;
    service.limit_file_length(None);
    service.is_ready().await;
    let (answer, body) = send("last").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    promised.insert("last".to_owned(), body);
    service.stop_well().await;
    let mut database = File::open(&settings.database()).await;
    assert!(database.is_intact().await);
    assert!(lost(&promised, &database.bodies().await).is_empty());
    database.close().await;
}

/// An output that may not grow is an error like any other.
#[tokio::test]
async fn an_output_at_the_limit_is_reported() {
    let home = folder();
    let out = home.path().join("out");
    let settings = Settings::new(home.path());
    let config = settings.write();
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        r#"ulimit -f 0 && exec "$0" --config "$1" check > "$2""#,
    ]);
    shell.arg(settings.program());
    let ended = Process::spawn(shell, [&config, &out], Output::Kept)
        .ended()
        .await;
    assert_eq!(ended.code, FAILURE, "{ended:?}");
    assert!(ended.err.contains("File too large"), "{ended:?}");
}
