//! Services of a number: which it is ready for, which are on the way, which have failed. Pure.
//!
//! Sinch has no word for success: the id stands in the configuration and nothing is scheduled. Nothing scheduled alone
//! does not tell, since a link that was dropped leaves the same, so the ids are compared.

use std::fmt;

use sinch_numbers::Property;
use sinch_numbers::api::{ActiveNumber, SmsConfiguration, VoiceConfiguration};

/// Name of the service of a campaign.
pub(in crate::commands) const CAMPAIGN: &str = "10DLC campaign";

/// Sinch's word for a scheduled link that has failed.
const FAILED: &str = "FAILED";

/// Service of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Service {
    /// Name of the service.
    pub name: &'static str,
    /// Id that is linked: of a service plan, a campaign, an application, a trunk or a fax service.
    pub linked: Option<String>,
    /// Link that is on its way, or has failed.
    pub scheduled: Option<Scheduled>,
}

/// Link that is on its way, or has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Scheduled {
    /// Id that is to be linked; `None` if Sinch does not name it.
    pub id: Option<String>,
    /// Sinch's word for how it stands.
    pub status: String,
    /// Codes of the failure; calls have none.
    pub codes: Vec<String>,
}

impl Service {
    /// Returns a word for how the service stands.
    pub fn state(&self) -> &'static str {
        match (&self.scheduled, &self.linked) {
            (Some(scheduled), _) if scheduled.status == FAILED => "failed",
            (Some(_), _) => "on-the-way",
            (None, Some(_)) => "ready",
            (None, None) => "not-linked",
        }
    }
}

/// Tells how the service stands, without its codes.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.scheduled, &self.linked) {
            (None, Some(id)) => write!(f, "ready: {id}"),
            (None, None) => f.write_str("not linked"),
            (Some(scheduled), linked) => {
                let id = scheduled.id.as_deref();
                let id = id.unwrap_or("an id that Sinch does not name");
                let old = linked.as_deref().filter(|old| *old != id);
                let meanwhile = if scheduled.status == FAILED {
                    write!(f, "failed: {id}")?;
                    "stays linked"
                } else {
                    write!(f, "on the way ({}): {id}", scheduled.status)?;
                    "is linked until then"
                };
                old.map_or(Ok(()), |old| write!(f, "; {old} {meanwhile}"))
            }
        }
    }
}

/// Returns every service of a number.
pub(in crate::commands) fn of(number: &ActiveNumber) -> Vec<Service> {
    let [messages, campaign] = sms(number.sms_configuration().as_ref());
    vec![
        messages,
        campaign,
        voice(number.voice_configuration().as_ref()),
    ]
}

/// Returns the services of a number's link for text messages: the service plan and the campaign. Both are scheduled
/// together, also where one of them is in place already.
fn sms(configuration: Option<&SmsConfiguration>) -> [Service; 2] {
    let plan = configuration.and_then(|sms| text(&sms.service_plan_id()));
    let campaign = configuration.and_then(|sms| text(&sms.campaign_id()));
    let job = configuration.and_then(SmsConfiguration::scheduled);
    let (mut plan_job, mut campaign_job) = (None, None);
    if let Some(job) = &job {
        let scheduled = |id| Scheduled {
            id,
            status: status(&job.status()),
            codes: job.error_codes(),
        };
        let new_plan = text(&job.service_plan_id()).filter(|id| plan.as_ref() != Some(id));
        let new_campaign = text(&job.campaign_id()).filter(|id| campaign.as_ref() != Some(id));
        // What names no new id is shown all the same.
        if new_plan.is_some() || new_campaign.is_none() {
            plan_job = Some(scheduled(new_plan.or_else(|| plan.clone())));
        }
        campaign_job = new_campaign.map(|id| scheduled(Some(id)));
    }
    [
        Service {
            name: "text messages",
            linked: plan,
            scheduled: plan_job,
        },
        Service {
            name: CAMPAIGN,
            linked: campaign,
            scheduled: campaign_job,
        },
    ]
}

/// Returns the service of a number's link for calls.
fn voice(configuration: Option<&VoiceConfiguration>) -> Service {
    let outer = configuration.and_then(|voice| text(&voice.voice_type()));
    let linked = configuration.and_then(|voice| {
        let ids = [voice.app_id(), voice.trunk_id(), voice.service_id()];
        voice_id(outer.as_deref(), &ids)
    });
    let job = configuration.and_then(VoiceConfiguration::scheduled);
    let scheduled = job.map(|job| {
        let inner = text(&job.voice_type()).or(outer);
        let ids = [job.app_id(), job.trunk_id(), job.service_id()];
        Scheduled {
            id: voice_id(inner.as_deref(), &ids),
            status: status(&job.status()),
            codes: Vec::new(),
        }
    });
    Service {
        name: "calls",
        linked,
        scheduled,
    }
}

/// Returns the id that counts for a type, behind the type. Of a type that Sinch has added, any id counts.
fn voice_id(voice_type: Option<&str>, ids: &[Property<'_>; 3]) -> Option<String> {
    let [app, trunk, service] = ids;
    let id = match voice_type {
        Some("RTC") => text(app),
        Some("EST") => text(trunk),
        Some("FAX") => text(service),
        Some(_) | None => ids.iter().find_map(text),
    };
    id.map(|id| format!("{} {id}", voice_type.unwrap_or("unknown type")))
}

/// Returns Sinch's word for how a scheduled link stands. Without one, it waits.
fn status(status: &Property<'_>) -> String {
    text(status).unwrap_or_else(|| "WAITING".to_owned())
}

fn text(property: &Property<'_>) -> Option<String> {
    property.text().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sinch_numbers::api::Object;

    use super::*;

    fn services(body: &Value) -> [String; 3] {
        let object = Object::read(body.to_string().as_bytes()).expect("an object");
        let services = of(&ActiveNumber::from(object));
        let shown = services
            .iter()
            .map(|service| format!("{} | {service}", service.state()));
        shown
            .collect::<Vec<_>>()
            .try_into()
            .expect("three services")
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
            let shown = services(&json!({ "smsConfiguration": sms }));
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
            let shown = services(&json!({ "voiceConfiguration": voice }));
            assert_eq!(shown[2], expected, "{voice}");
        }
    }
}
