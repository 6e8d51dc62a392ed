//! A backup that is tried elsewhere, as the document says: the service shows it, calls no API and tells no target.

use std::path::Path;

use serde_json::json;
use sinch_simulator::World;
use testkit::target::Reply;
use testkit::{
    PROJECT, Process, Service, Settings, Target, folder, id, order_history, play, until,
};

use crate::backups::{OK, copy};
use number_order::State::{Created, InReview};

/// Returns a configuration as the document has it, with what a reader has to replace.
fn configuration(folder: &Path, operators: &str) -> String {
    let document = include_str!("../../docs/retention-and-backup.md");
    let section = document.split("## Try a backup elsewhere\n").nth(1);
    let block = section.and_then(|section| section.split("```toml\n").nth(1));
    let block = block.and_then(|block| block.split("```").next());
    let mut text = block.expect("a configuration").to_owned();
    let database = format!("\"{}\"", folder.join("trial.db").display());
    for (written, own) in [
        ("127.0.0.1:18080", "127.0.0.1:0"),
        ("127.0.0.1:19090", operators),
        ("\"trial.db\"", &database),
        ("replace-me", PROJECT),
    ] {
        assert!(text.contains(written), "{written} in {text}");
        text = text.replace(written, own);
    }
    text
}

fn world() -> World {
    let history = order_history("o1", &[(0, Created), (1, InReview)]);
    World::from_orders(id(PROJECT), [history])
}

/// Starts a target that never takes what it is told, and returns the settings with it.
async fn with_target(settings: Settings) -> (Target, Settings) {
    let target = Target::start(|_, _| Reply::status(503)).await;
    let settings = settings
        .add_target("crm", &target.url())
        .set_target("retry_waits_secs", json!(vec![1; 20]));
    (target, settings)
}

#[tokio::test]
async fn a_backup_that_is_tried_elsewhere_calls_and_tells_nobody() {
    let home = folder();
    let (simulator, settings) = play(world(), Settings::new(home.path())).await;
    let (target, settings) = with_target(settings).await;
    let service = Service::start(&settings).await;
    let body = testkit::event("e1", "o1", "IN_REVIEW", simulator.started_at());
    service.deliver(body).await;
    service.settles("o1", "IN_REVIEW").await;
    target.told_when(1).await;
    let backup = home.path().join("callbacks.db");
    let copied = copy(&settings, "backup", &backup, None).await;
    assert_eq!(copied.code, OK, "{copied:?}");
    service.stop_well().await;
    let called = || (simulator.fetches().len(), simulator.stats().tokens);
    let (called_before, told) = (called(), target.told().len());

    let elsewhere = folder();
    let [_, operators] = Settings::new(elsewhere.path()).fix_addresses().addresses();
    // Were the API on, it would be this one that is called.
    let sinch = format!(
        "\n[sinch]\napi_url = {:?}\ntoken_url = {:?}\n",
        simulator.api_url(),
        simulator.token_url()
    );
    let text = configuration(elsewhere.path(), &operators.to_string()) + &sinch;
    let config = elsewhere.path().join("trial.toml");
    std::fs::write(&config, text).expect("is written");
    let config = config.display().to_string();
    let started = |arguments: &[&str]| {
        Process::start([&["--config", config.as_str()][..], arguments].concat())
    };
    let path = backup.display().to_string();
    for arguments in [&["restore", path.as_str()][..], &["check"]] {
        let ended = started(arguments).ended().await;
        assert_eq!(ended.code, OK, "{arguments:?}: {ended:?}");
    }
    let trial = started(&["serve"]);
    let shows = async |arguments: &[&str], words: &str| {
        until(words, async || {
            let ended = started(arguments).ended().await;
            ended.out.contains(words).then_some(())
        })
        .await;
    };
    shows(&["order", "show", "o1"], "IN_REVIEW, confirmed by Sinch").await;
    shows(&["events", "notifications"], "crm").await;

    // The control: with its own configuration the backup fetches the order, and tells the target again.
    let real = folder();
    let (other_simulator, settings) = play(world(), Settings::new(real.path())).await;
    let (other_target, settings) = with_target(settings).await;
    let restored = copy(&settings, "restore", &backup, None).await;
    assert_eq!(restored.code, OK, "{restored:?}");
    let service = Service::start(&settings).await;
    other_target.told_when(1).await;
    until("a fetch", async || {
        (!other_simulator.fetches().is_empty()).then_some(())
    })
    .await;
    service.stop().await;

    shows(&["events", "notifications"], "waiting").await;
    assert_eq!(called(), called_before, "{}", trial.said());
    assert_eq!(target.told().len(), told, "{}", trial.said());
    trial.stop_well().await;
}
