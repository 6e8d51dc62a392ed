//! Links of an active number: what is linked, and what is scheduled, by service.

use number_order::{Flaw, Id, Link, ScheduledLink, Service, Target, VoiceIds};
use sinch_numbers::Property;
use sinch_numbers::api::{ActiveNumber, PhoneNumber, SmsConfiguration, VoiceConfiguration};

/// Returns the links that an answer shows, or the flaw because of which the answer is not believed. Sinch's schema
/// makes no property of a number mandatory, so only the telephone number itself must be there.
pub(super) fn believed(
    shown: &ActiveNumber,
    project: &Id,
    number: &PhoneNumber,
) -> Result<Vec<Link>, Flaw> {
    let phone_number = shown.phone_number();
    let phone_number = phone_number.text().ok_or(Flaw::NoPhoneNumber)?;
    if phone_number != number.as_str() {
        return Err(Flaw::OtherPhoneNumber);
    }
    let owner = shown.project_id();
    if owner.text().is_some_and(|owner| !project.is_named(owner)) {
        return Err(Flaw::OtherProject);
    }
    Ok(links(shown))
}

/// Returns the links of a number, one for each service.
pub fn links(number: &ActiveNumber) -> Vec<Link> {
    let [messages, campaign] = sms_links(number.sms_configuration().as_ref());
    let calls = voice_link(number.voice_configuration().as_ref());
    vec![messages, campaign, calls]
}

/// Returns the links for text messages: with the service plan and with the campaign. Both are scheduled together, also
/// where one of them is in place already.
fn sms_links(configuration: Option<&SmsConfiguration>) -> [Link; 2] {
    let plan = configuration.and_then(|sms| target(&sms.service_plan_id()));
    let campaign = configuration.and_then(|sms| target(&sms.campaign_id()));
    let job = configuration.and_then(SmsConfiguration::scheduled);
    let (mut plan_job, mut campaign_job) = (None, None);
    if let Some(job) = &job {
        let scheduled = |target| ScheduledLink {
            target,
            status: status(&job.status()),
            codes: job.error_codes(),
        };
        let new_plan = target(&job.service_plan_id()).filter(|new| plan.as_ref() != Some(new));
        let new_campaign = target(&job.campaign_id()).filter(|new| campaign.as_ref() != Some(new));
        // What names no new id is shown all the same.
        if new_plan.is_some() || new_campaign.is_none() {
            plan_job = Some(scheduled(new_plan.or_else(|| plan.clone())));
        }
        campaign_job = new_campaign.map(|new| scheduled(Some(new)));
    }
    [
        Link {
            service: Service::Messages,
            linked: plan,
            scheduled: plan_job,
        },
        Link {
            service: Service::Campaign,
            linked: campaign,
            scheduled: campaign_job,
        },
    ]
}

/// Returns the link for calls.
fn voice_link(configuration: Option<&VoiceConfiguration>) -> Link {
    let outer = configuration.map(VoiceConfiguration::voice_type);
    let outer = outer.as_ref().and_then(Property::text);
    let linked = configuration.and_then(|voice| {
        let ids = [voice.app_id(), voice.trunk_id(), voice.service_id()];
        Target::for_calls(outer, &voice_ids(&ids))
    });
    let job = configuration.and_then(VoiceConfiguration::scheduled);
    let scheduled = job.map(|job| {
        let inner = job.voice_type();
        let ids = [job.app_id(), job.trunk_id(), job.service_id()];
        ScheduledLink {
            target: Target::for_calls(inner.text().or(outer), &voice_ids(&ids)),
            status: status(&job.status()),
            codes: Vec::new(),
        }
    });
    Link {
        service: Service::Calls,
        linked,
        scheduled,
    }
}

fn voice_ids<'a>([app, trunk, service]: &'a [Property<'a>; 3]) -> VoiceIds<'a> {
    VoiceIds {
        app: app.text(),
        trunk: trunk.text(),
        service: service.text(),
    }
}

/// Returns Sinch's word for the status of a scheduled link; WAITING if there is none.
fn status(status: &Property<'_>) -> String {
    status.text().unwrap_or("WAITING").to_owned()
}

fn target(id: &Property<'_>) -> Option<Target> {
    id.text().map(Target::new)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sinch_numbers::api::Object;

    use super::*;

    fn number(body: &Value) -> ActiveNumber {
        let object = Object::read(body.to_string().as_bytes()).expect("an object");
        ActiveNumber::from(object)
    }

    fn shown(body: &Value) -> [String; 3] {
        let links = links(&number(body));
        let shown = links
            .iter()
            .map(|link| format!("{} | {link}", link.state()));
        shown.collect::<Vec<_>>().try_into().expect("three links")
    }

    #[test]
    fn only_an_answer_about_this_number_of_this_project_is_believed() {
        let own = Id::new("p1").expect("an id");
        let wanted = PhoneNumber::new("+46700000001").expect("a number");
        for (body, flaw) in [
            (
                json!({"phoneNumber": "+46700000001", "projectId": "p1"}),
                None,
            ),
            (json!({"phoneNumber": "+46700000001"}), None),
            (json!({"projectId": "p1"}), Some(Flaw::NoPhoneNumber)),
            (
                json!({"phoneNumber": "+46700000002", "projectId": "p1"}),
                Some(Flaw::OtherPhoneNumber),
            ),
            (
                json!({"phoneNumber": "+46700000001", "projectId": "p2"}),
                Some(Flaw::OtherProject),
            ),
        ] {
            let believed = believed(&number(&body), &own, &wanted);
            assert_eq!(believed.err(), flaw, "{body}");
        }
    }

    #[test]
    fn the_shapes_of_text_messages_are_told_apart() {
        let waiting = json!({"servicePlanId": "p2", "campaignId": "c", "status": "WAITING"});
        let failed = json!({"servicePlanId": "p2", "status": "FAILED", "errorCodes": ["X"]});
        let no_link = "not-linked | not linked";
        for (sms, plan, campaign) in [
            (json!(null), no_link, no_link),
            (
                json!({"servicePlanId": "", "scheduledProvisioning": null}),
                no_link,
                no_link,
            ),
            (json!({"servicePlanId": "p"}), "ready | ready: p", no_link),
            (
                json!({"servicePlanId": "", "scheduledProvisioning": waiting}),
                "on-the-way | on the way (WAITING): p2",
                "on-the-way | on the way (WAITING): c",
            ),
            (
                json!({"servicePlanId": "p2", "scheduledProvisioning": waiting}),
                "ready | ready: p2",
                "on-the-way | on the way (WAITING): c",
            ),
            (
                json!({"servicePlanId": "p", "scheduledProvisioning": failed}),
                "failed | failed: p2; p stays linked",
                no_link,
            ),
            (
                json!({"servicePlanId": "p", "scheduledProvisioning": waiting}),
                "on-the-way | on the way (WAITING): p2; p is linked until then",
                "on-the-way | on the way (WAITING): c",
            ),
            (
                json!({"servicePlanId": "p", "scheduledProvisioning": {"status": "IN_PROGRESS"}}),
                "on-the-way | on the way (IN_PROGRESS): p",
                no_link,
            ),
            (
                json!({"scheduledProvisioning": {}}),
                "on-the-way | on the way (WAITING): an id that Sinch does not name",
                no_link,
            ),
        ] {
            let shown = shown(&json!({ "smsConfiguration": sms }));
            assert_eq!(shown, [plan, campaign, no_link], "{sms}");
        }
    }

    #[test]
    fn the_shapes_of_calls_are_told_apart() {
        for (voice, expected) in [
            (
                json!({"type": "RTC", "appId": ""}),
                "not-linked | not linked",
            ),
            // Another type's id does not count.
            (
                json!({"type": "RTC", "trunkId": "t"}),
                "not-linked | not linked",
            ),
            (
                json!({"type": "EST", "trunkId": "t"}),
                "ready | ready: EST t",
            ),
            (
                json!({"type": "NEW", "serviceId": "s"}),
                "ready | ready: NEW s",
            ),
            (
                json!({"type": "RTC", "appId": "a",
                    "scheduledVoiceProvisioning": {"type": "FAX", "serviceId": "s", "status": "WAITING"}}),
                "on-the-way | on the way (WAITING): FAX s; RTC a is linked until then",
            ),
            (
                json!({"type": "RTC", "scheduledVoiceProvisioning": {"appId": "a", "status": "FAILED"}}),
                "failed | failed: RTC a",
            ),
        ] {
            let shown = shown(&json!({ "voiceConfiguration": voice }));
            assert_eq!(shown[2], expected, "{voice}");
        }
    }
}
