//! The readiness of a number: what was ordered, against what Sinch shows.

use serde_json::json;

use super::*;

/// A link that is on its way or has failed, by its status and what it is to be linked with.
fn scheduled(status: &str, target: Target) -> ScheduledLink {
    ScheduledLink {
        target: Some(target),
        status: status.to_owned(),
        codes: vec!["X".to_owned()],
    }
}

fn link(service: Service, linked: Option<Target>, scheduled: Option<ScheduledLink>) -> Link {
    Link {
        service,
        linked,
        scheduled,
    }
}

fn calls(voice_type: Option<&str>, id: &str) -> Target {
    Target {
        voice_type: voice_type.map(str::to_owned),
        id: id.to_owned(),
    }
}

fn ordered(service: Service, target: Target) -> OrderedLink {
    OrderedLink { service, target }
}

fn plan() -> OrderedLink {
    ordered(Service::Messages, Target::new("plan"))
}

fn campaign() -> OrderedLink {
    ordered(Service::Campaign, Target::new("campaign"))
}

fn app() -> OrderedLink {
    ordered(Service::Calls, calls(Some("RTC"), "app"))
}

fn made(service: Service, id: &str) -> Link {
    link(service, Some(Target::new(id)), None)
}

fn job(service: Service, status: &str, id: &str) -> Link {
    link(service, None, Some(scheduled(status, Target::new(id))))
}

/// Checks the readiness of a number that Sinch shows with the given links.
fn assert_readiness(ordered: &[OrderedLink], shown: &[Link], code: &str) {
    let readiness = Readiness::of(ordered, Some(shown));
    assert_eq!(readiness.code(), code, "{ordered:?} {shown:?}");
    assert_eq!(Readiness::of(ordered, None), Readiness::NotActive);
}

#[test]
fn a_number_is_ready_for_messages_once_its_link_is_made() {
    use Service::{Campaign, Messages};
    let both = || {
        let other = scheduled("WAITING", Target::new("other"));
        link(Messages, Some(Target::new("plan")), Some(other))
    };
    for (shown, code) in [
        // That nothing is scheduled does not show that anything is linked.
        (vec![link(Messages, None, None)], "not-linked"),
        (vec![], "not-linked"),
        (vec![made(Messages, "other")], "not-linked"),
        (vec![made(Campaign, "plan")], "not-linked"),
        (vec![made(Messages, "plan")], "ready"),
        (vec![job(Messages, "WAITING", "plan")], "on-the-way"),
        (vec![job(Messages, "NEW_WORD", "plan")], "on-the-way"),
        (vec![job(Messages, "FAILED", "plan")], "failed"),
        // The plan is in place, and something else is on its way.
        (vec![both()], "on-the-way"),
    ] {
        assert_readiness(&[plan()], &shown, code);
    }
    // What was not ordered decides nothing.
    assert_readiness(&[], &[], "ready");
    assert_readiness(&[], &[job(Messages, "FAILED", "plan")], "ready");
}

#[test]
fn a_number_is_ready_once_each_ordered_link_is_made() {
    use Service::{Calls, Campaign, Messages};
    let progress = || job(Campaign, "IN_PROGRESS", "campaign");
    let failed = || job(Campaign, "FAILED", "campaign");
    let waiting = || job(Messages, "WAITING", "plan");
    let done = || made(Messages, "plan");
    let both = [plan(), campaign()];
    assert_readiness(&both, &[done(), progress()], "on-the-way");
    assert_readiness(&both, &[waiting(), failed()], "failed");
    assert_readiness(&both, &[done(), made(Campaign, "campaign")], "ready");
    let no_calls = link(Calls, None, None);
    assert_readiness(&[plan(), app()], &[done(), no_calls], "not-linked");
    // A type that is not named matches any; another one does not.
    for (voice_type, code) in [
        (Some("RTC"), "ready"),
        (None, "ready"),
        (Some("EST"), "not-linked"),
    ] {
        let shown = link(Calls, Some(calls(voice_type, "app")), None);
        assert_readiness(&[app()], &[shown], code);
    }
}

#[test]
fn a_failure_names_its_services_and_each_code_once() {
    let job = |service| {
        let codes = ["EXCEEDED_10DLC_LIMIT".to_owned(), "x".repeat(65)];
        let scheduled = ScheduledLink {
            target: None,
            status: "FAILED".to_owned(),
            codes: codes.into_iter().chain(["CRS9999".to_owned()]).collect(),
        };
        link(service, None, Some(scheduled))
    };
    let wanted =
        [Service::Messages, Service::Campaign].map(|service| ordered(service, Target::new("id")));
    let shown = [Service::Messages, Service::Campaign].map(job);
    let readiness = Readiness::of(&wanted, Some(&shown));
    let codes = readiness.failure_codes();
    let named: Vec<(&str, TryAgain)> = codes
        .iter()
        .map(|code| (code.code.as_str(), code.try_again))
        .collect();
    assert_eq!(
        named,
        [
            ("CRS9999", TryAgain::Unknown),
            ("EXCEEDED_10DLC_LIMIT", TryAgain::HelpsAfterwards)
        ]
    );
    let text = "failed for text messages, 10DLC campaign; CRS9999; EXCEEDED_10DLC_LIMIT";
    assert_eq!(readiness.to_string(), text);
    assert_eq!(Readiness::Ready.failure_codes(), []);
}

#[test]
fn the_ordered_links_are_those_of_the_configurations() {
    let links = |sms, voice| {
        let details = OrderDetails {
            sms_configuration: sms,
            voice_configuration: voice,
            ..OrderDetails::default()
        };
        let links = details.ordered_links();
        let named = links
            .iter()
            .map(|link| format!("{}: {}", link.service, link.target));
        named.collect::<Vec<_>>().join("; ")
    };
    for (sms, voice, expected) in [
        (None, None, ""),
        (
            Some(json!({"servicePlanId": ""})),
            Some(json!({"type": "RTC", "appId": null})),
            "",
        ),
        (Some(json!("plan")), Some(json!([1])), ""),
        (
            Some(json!({"servicePlanId": "p", "campaignId": "c"})),
            None,
            "text messages: p; 10DLC campaign: c",
        ),
        (
            None,
            Some(json!({"type": "RTC", "appId": "a", "trunkId": "t"})),
            "calls: RTC a",
        ),
        (
            None,
            Some(json!({"type": "EST", "appId": "a", "trunkId": "t"})),
            "calls: EST t",
        ),
        (
            None,
            Some(json!({"type": "FAX", "serviceId": "s"})),
            "calls: FAX s",
        ),
        (
            None,
            Some(json!({"type": "NEW", "serviceId": "s"})),
            "calls: NEW s",
        ),
        (None, Some(json!({"type": "RTC", "trunkId": "t"})), ""),
    ] {
        assert_eq!(
            links(sms.clone(), voice.clone()),
            expected,
            "{sms:?} {voice:?}"
        );
    }
}
