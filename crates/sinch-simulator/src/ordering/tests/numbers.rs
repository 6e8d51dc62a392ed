//! Active numbers: activation and provisioning.

use super::*;
use crate::ordering::active_number::JobStatus;

const NUMBER: &str = "+12015550100";

/// An American order, completed a moment ago.
fn completed(change: impl FnOnce(&mut Script)) -> Play {
    let mut play = Play::new(|script| {
        script.readings.without_form = WithoutForm::AtOnce;
        change(script);
    });
    let id = play.create_us();
    play.submit(&id).expect("complete");
    play.announced();
    play.model.advance(play.now);
    play
}

fn ready(play: &Play) -> (&str, &str, Option<&str>) {
    let active = &play.model.numbers[NUMBER];
    let voice = active.voice.as_ref().map(|voice| voice.id.as_str());
    (&active.sms.plan, &active.sms.campaign, voice)
}

#[test]
fn a_number_becomes_active_at_once_or_later() {
    for (activation, at_once) in [(Activation::AtOnce, true), (Activation::Later, false)] {
        let mut play = completed(|script| script.readings.activation = activation);
        assert_eq!(play.model.active(NUMBER).is_ok(), at_once);
        play.wait(play.model.script.pace.activation);
        assert!(play.model.active(NUMBER).is_ok());
    }
}

#[test]
fn services_are_provisioned_one_step_after_the_other() {
    let mut play = completed(|_| {});
    let half = play.model.script.pace.provisioning / 2;
    assert_eq!(ready(&play), ("", "", None));
    let status = |play: &Play| {
        let active = &play.model.numbers[NUMBER];
        active.sms_job.as_ref().map(|job| job.status)
    };
    for (in_progress, plan, campaign, announced) in [
        (Some(JobStatus::InProgress), "", "", ""),
        (
            Some(JobStatus::Waiting),
            "plan",
            "",
            "SMS_PLATFORM VOICE_PLATFORM",
        ),
        (Some(JobStatus::InProgress), "plan", "", ""),
        (None, "plan", "campaign", "CAMPAIGN"),
    ] {
        play.wait(half);
        assert_eq!(status(&play), in_progress);
        let active = &play.model.numbers[NUMBER];
        assert_eq!((&*active.sms.plan, &*active.sms.campaign), (plan, campaign));
        assert_eq!(play.announced().join(" "), announced);
    }
    play.settle();
    assert_eq!(ready(&play), ("plan", "campaign", Some("app")));
    assert!(play.announced().is_empty());
}

#[test]
fn each_failure_stays_until_the_number_is_updated() {
    for failure in Failure::ALL {
        let mut play = completed(|script| {
            script.readings.provisioning = Provisioning::FailsOnce;
            script.readings.failure = failure;
        });
        play.settle();
        let announced = play.announced();
        let said = format!("{} {}", failure.step.as_str(), failure.code);
        assert!(announced.contains(&said), "{said}: {announced:?}");
        let active = &play.model.numbers[NUMBER];
        let failed = JobStatus::Failed(failure);
        let of_sms = active.sms_job.as_ref().map(|job| job.status);
        let of_voice = active.voice_job.as_ref().map(|job| job.status);
        let (sms, voice) = match failure.step {
            Step::Sms | Step::Campaign => (Some(failed), None),
            Step::Voice => (None, Some(failed)),
        };
        assert_eq!((of_sms, of_voice), (sms, voice), "{}", failure.code);

        let again = json!({
            "smsConfiguration": {"servicePlanId": "plan", "campaignId": "campaign"},
            "voiceConfiguration": {"type": "RTC", "appId": "app"},
        });
        play.model.update(NUMBER, &again, play.now).expect("active");
        play.settle();
        assert_eq!(ready(&play), ("plan", "campaign", Some("app")));
    }
}

#[test]
fn events_go_to_the_numbers_own_url() {
    for (number_callbacks, url) in [
        (
            NumberCallbacks::CarriedOver,
            Some("http://client.example/own"),
        ),
        (NumberCallbacks::Dropped, None),
    ] {
        let mut play = completed(|script| script.readings.number_callbacks = number_callbacks);
        play.settle();
        let made = play.model.take_announcements();
        assert_eq!(made.is_empty(), url.is_none());
        assert!(made.iter().all(|made| made.url.as_deref() == url));
        let set = json!({"callbackUrl": "http://client.example/new"});
        play.model.update(NUMBER, &set, play.now).expect("active");
        let unlink = json!({"smsConfiguration": {"servicePlanId": ""}});
        play.model
            .update(NUMBER, &unlink, play.now)
            .expect("active");
        let made = play.model.take_announcements();
        let urls: Vec<_> = made.iter().map(|made| made.url.as_deref()).collect();
        assert_eq!(urls, [Some("http://client.example/new"); 2]);
        assert_eq!(words(&made[0]), "CAMPAIGN undone");
        assert_eq!(words(&made[1]), "SMS_PLATFORM undone");
        assert_eq!(ready(&play), ("", "", Some("app")));
    }
}

#[test]
fn an_update_replaces_what_was_scheduled() {
    let mut play = completed(|_| {});
    let link = |plan: &str| json!({"smsConfiguration": {"servicePlanId": plan}});
    play.model
        .update(NUMBER, &link("second"), play.now)
        .expect("active");
    // When the first jobs would have gone on, the latest has only waited.
    let moment = Duration::from_millis(1);
    let half = play.model.script.pace.provisioning / 2;
    play.wait(half.saturating_sub(moment));
    play.model
        .update(NUMBER, &link("third"), play.now)
        .expect("active");
    play.wait(moment);
    let job = play.model.numbers[NUMBER].sms_job.as_ref();
    assert_eq!(job.map(|job| job.status), Some(JobStatus::Waiting));
    play.settle();
    assert_eq!(ready(&play), ("third", "", Some("app")));
    let mut linked = play.announced();
    linked.sort_unstable();
    assert_eq!(linked, ["SMS_PLATFORM", "VOICE_PLATFORM"]);

    let fax = json!({"voiceConfiguration": {"type": "FAX", "serviceId": "fax"}});
    play.model.update(NUMBER, &fax, play.now).expect("active");
    assert_eq!(ready(&play).2, Some("app"), "the old one stays until then");
    play.settle();
    assert_eq!(ready(&play).2, Some("fax"));
    for bad in [
        json!({"smsConfiguration": {}}),
        json!({"voiceConfiguration": {}}),
        json!({"callbackUrl": "nowhere"}),
    ] {
        let refused = play.model.update(NUMBER, &bad, play.now);
        assert!(refused.is_err(), "{bad}");
    }
}

#[test]
fn a_release_drops_what_was_scheduled_and_nothing_else() {
    let mut play = completed(|_| {});
    let released = play.model.release(NUMBER).expect("active").clone();
    assert_eq!(released.expires_at, Some(released.next_charge_at));
    assert_eq!((released.sms_job, released.voice_job), (None, None));
    play.settle();
    assert_eq!(ready(&play), ("", "", None));
    assert!(play.model.release("+12015550199").is_err());
}

#[test]
fn a_campaign_that_failed_can_be_taken_away() {
    let mut play = completed(|script| {
        script.readings.provisioning = Provisioning::FailsOnce;
        script.readings.failure = Failure::with_code("CAMPAIGN_EXPIRED").expect("a known code");
    });
    let unlink = json!({"smsConfiguration": {"campaignId": ""}});
    let half = play.model.script.pace.provisioning / 2;
    play.wait(half);
    play.model
        .update(NUMBER, &unlink, play.now)
        .expect("active");
    play.settle();
    assert_eq!(ready(&play), ("plan", "", Some("app")));
    assert_eq!(play.model.numbers[NUMBER].sms_job, None);

    let link = json!({"smsConfiguration": {"campaignId": "campaign"}});
    play.model.update(NUMBER, &link, play.now).expect("active");
    play.settle();
    let job = play.model.numbers[NUMBER].sms_job.as_ref();
    assert!(job.is_some_and(|job| job.status.as_str() == "FAILED"));
    play.model
        .update(NUMBER, &unlink, play.now)
        .expect("active");
    assert_eq!(play.model.numbers[NUMBER].sms_job, None);
    assert_eq!(ready(&play), ("plan", "", Some("app")));
}
