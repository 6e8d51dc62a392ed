//! Targets that do not take what they are told at once.

use serde_json::json;
use testkit::target::{Reply, Then};
use testkit::{Process, Service, TARGET_SECRET, Target, until};

use super::{Played, crm, orders_of};

#[tokio::test]
async fn a_repeat_after_a_kill_has_the_same_id_and_bytes() {
    // Nothing is answered until the service has been killed.
    let target = Target::start(|_, nth| match nth {
        0 => Reply::raw("", Then::Hang),
        _ => Reply::status(200),
    })
    .await;
    let url = target.url();
    let played = Played::with(&["o1"], |settings| crm(settings, &url)).await;
    played.enter("o1", "COMPLETED", 2).await;
    target.told_when(1).await;
    let Played {
        service, settings, ..
    } = played;
    service.kill().await;
    let service = Service::start(&settings).await;
    let told = target.told_when(2).await;
    assert_eq!(told[0].id(), told[1].id());
    assert_eq!(told[0].body, told[1].body);
    service.stop_well().await;
    assert_eq!(target.told().len(), 2);
}

#[tokio::test]
async fn an_attempt_that_fails_is_made_again_and_what_follows_waits() {
    let target = Target::start(|_, nth| match nth {
        0 | 1 => Reply::status(503),
        _ => Reply::status(200),
    })
    .await;
    let url = target.url();
    let played = Played::with(&["o1"], |settings| {
        let settings = crm(settings, &url);
        settings.set_target("retry_waits_secs", json!([0.2, 0.2, 0.2]))
    })
    .await;
    played.enter("o1", "IN_REVIEW", 1).await;
    played.enter("o1", "COMPLETED", 2).await;
    let told = target.told_when(4).await;
    let types: Vec<_> = told.iter().map(|one| one.json()["type"].clone()).collect();
    let review = "order.in_review";
    assert_eq!(types, [review, review, review, "order.completed"]);
    assert!(
        told[..3]
            .iter()
            .all(|one| one.body == told[0].body && one.id() == told[0].id())
    );
    let signatures = told.iter().map(|one| one.header("webhook-timestamp"));
    assert!(signatures.is_sorted());
}

/// The log names the target and the reason, and nothing of what is told.
#[tokio::test]
async fn when_the_attempts_are_used_up_the_notification_is_parked() {
    let target = Target::start(|_, nth| match nth {
        0..=2 => Reply::status(422),
        _ => Reply::status(200),
    })
    .await;
    let url = target.url();
    let played = Played::with(&["o1"], |settings| {
        let settings = crm(settings, &url);
        settings.set_target("retry_waits_secs", json!([0.1, 0.1]))
    })
    .await;
    played.enter("o1", "IN_REVIEW", 1).await;
    played.enter("o1", "COMPLETED", 2).await;
    let told = target.told_when(4).await;
    assert_eq!(told[2].id(), told[0].id());
    assert_eq!(told[3].json()["type"], "order.completed");
    let line = until("a line about the parked one", async || {
        let lines = played.service.lines();
        lines
            .into_iter()
            .find(|line| line.contains("parked a notification"))
    })
    .await;
    assert!(
        line.contains("\"target\":\"crm\"") && line.contains("\"reason\":\"refused\""),
        "{line}"
    );
    // The simulator's numbers begin with these digits.
    let hidden = [&url, "/hooks", TARGET_SECRET, "447700"];
    for line in played.service.lines() {
        assert!(!hidden.iter().any(|hidden| line.contains(hidden)), "{line}");
    }
}

#[tokio::test]
async fn a_target_that_answers_410_is_told_nothing_more_until_it_is_resumed() {
    let gone = Target::start(|_, nth| match nth {
        0 => Reply::status(410),
        _ => Reply::status(204),
    })
    .await;
    let other = Target::willing().await;
    let (gone_url, other_url) = (gone.url(), other.url());
    let played = Played::with(&["o1", "o2"], |settings| {
        let settings = orders_of(settings, "gone", &gone_url);
        orders_of(settings, "other", &other_url)
    })
    .await;
    played.enter("o1", "COMPLETED", 2).await;
    gone.told_when(1).await;
    other.told_when(1).await;
    until("a line about the target", async || {
        let lines = played.service.lines();
        lines
            .into_iter()
            .find(|line| line.contains("the target answered 410"))
    })
    .await;
    played.enter("o2", "COMPLETED", 2).await;
    other.told_when(2).await;
    assert_eq!(gone.told().len(), 1);
    let operators = played.service.operators.to_string();
    let environment = [("SINCH_CALLBACKS_OPERATORS__LISTEN", operators)];
    let resume = Process::start_in(&environment, ["events", "resume", "gone"]);
    assert_eq!(resume.ended().await.code, Some(0));
    let told = gone.told_when(3).await;
    assert!(told[1..].iter().any(|again| again.id() == told[0].id()));
    played.service.stop_well().await;
    assert_eq!(gone.told().len(), 3);
}
