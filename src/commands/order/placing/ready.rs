//! From COMPLETED to numbers that work: each is active, and linked to the ordered services.

use std::time::Duration;

use number_order::Id;
use serde_json::Value;
use sinch_numbers::Property;
use sinch_numbers::api::{ActiveNumber, Failure, PhoneNumber};

use super::ending::Ending;
use super::follower::Follower;
use super::patience::patiently;
use crate::commands::command_error::CommandError;
use crate::commands::numbers::services;

/// First pause between two looks at a number; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Readiness of a number.
#[derive(Debug, PartialEq, Eq)]
enum Readiness {
    /// The number is active and linked.
    Ready,
    /// The number is not active yet, or not linked yet.
    OnTheWay,
    /// A link has failed, with the reason.
    Failed(String),
}

impl Follower {
    /// Waits until every number of a completed order works; with `wait` false, only prints which do.
    pub(super) async fn ready(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let Some(answer) = self.fetch(order).await? else {
            return Ok(Ending::Expired);
        };
        let wanted = [
            &answer.content.sms_configuration,
            &answer.content.voice_configuration,
        ];
        let wanted: Vec<String> = wanted.into_iter().flat_map(ids).collect();
        self.say("COMPLETED");
        for number in answer.content.numbers() {
            let number = PhoneNumber::new(number.phone_number);
            let number = number.map_err(|error| CommandError::failure(error.to_string()))?;
            self.until_ready(&number, &wanted, wait).await?;
        }
        Ok(Ending::Done)
    }

    async fn until_ready(
        &self,
        number: &PhoneNumber,
        wanted: &[String],
        wait: bool,
    ) -> Result<(), CommandError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let active = self.active(number).await?;
            match active
                .as_ref()
                .map_or(Readiness::OnTheWay, |active| readiness(active, wanted))
            {
                Readiness::Ready => {
                    self.say(&format!("{} is ready", number.as_str()));
                    let has_url =
                        active.is_some_and(|active| active.callback_url().text().is_some());
                    if !has_url {
                        self.say("Sinch shows no callback URL of this number: no event about it will come");
                    }
                    return Ok(());
                }
                Readiness::Failed(reason) => {
                    return Err(CommandError::failure(format!(
                        "{}: {reason}; `numbers show` tells more",
                        number.as_str()
                    )));
                }
                Readiness::OnTheWay if !wait => {
                    self.say(&format!("{} is on its way", number.as_str()));
                    return Ok(());
                }
                Readiness::OnTheWay => tokio::time::sleep(pause).await,
            }
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
    }

    /// Fetches a number; `None` if it is not active yet.
    async fn active(&self, number: &PhoneNumber) -> Result<Option<ActiveNumber>, CommandError> {
        let get = async || match self.client.get_active_number(number).await {
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            other => other.map(|answer| Some(answer.content)),
        };
        Ok(patiently(get).await?)
    }
}

/// Returns the readiness of a number: ready once it is linked to every wanted id and nothing is scheduled. An empty
/// schedule alone is no proof of a link.
fn readiness(number: &ActiveNumber, wanted: &[String]) -> Readiness {
    let services = services::of(number);
    let failed = services.iter().find(|service| service.state() == "failed");
    if let Some(service) = failed {
        return Readiness::Failed(format!("{}: {service}", service.name));
    }
    // Of calls the type stands before the id.
    let names = |linked: &str, id: &str| linked.rsplit(' ').next() == Some(id);
    let is_linked = |id: &String| {
        let mut linked = services
            .iter()
            .filter_map(|service| service.linked.as_deref());
        linked.any(|linked| names(linked, id))
    };
    let is_scheduled = services.iter().any(|service| service.scheduled.is_some());
    if !is_scheduled && wanted.iter().all(is_linked) {
        Readiness::Ready
    } else {
        Readiness::OnTheWay
    }
}

/// Returns the ids of the services that an ordered configuration names.
fn ids(configuration: &Property<'_>) -> Vec<String> {
    const NAMES: [&str; 5] = [
        "servicePlanId",
        "campaignId",
        "appId",
        "trunkId",
        "serviceId",
    ];
    let value: Value = configuration
        .json()
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let texts = NAMES.iter().filter_map(|name| value[name].as_str());
    texts
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sinch_numbers::api::Object;

    use super::*;

    #[test]
    fn a_number_is_ready_once_each_ordered_link_is_made() {
        let plan = json!({"servicePlanId": "plan"});
        let scheduled = json!({"servicePlanId": "plan", "scheduledProvisioning": {"servicePlanId": "plan", "status": "WAITING"}});
        let failed = json!({"servicePlanId": "", "scheduledProvisioning": {"servicePlanId": "plan", "status": "FAILED"}});
        let voice = |kind: &str, name: &str| json!({"type": kind, name: "id"});
        for (sms, voice, wanted, is_ready) in [
            (json!(null), json!(null), vec![], true),
            // That nothing is scheduled does not show that anything is linked.
            (json!(null), json!(null), vec!["plan"], false),
            (
                json!({"servicePlanId": "other"}),
                json!(null),
                vec!["plan"],
                false,
            ),
            (plan.clone(), json!(null), vec!["plan"], true),
            (scheduled, json!(null), vec!["plan"], false),
            (failed, json!(null), vec!["plan"], false),
            (
                plan.clone(),
                voice("RTC", "appId"),
                vec!["plan", "id"],
                true,
            ),
            (json!(null), voice("EST", "trunkId"), vec!["id"], true),
            (json!(null), voice("FAX", "serviceId"), vec!["id"], true),
            (
                json!(null),
                voice("FAX", "serviceId"),
                vec!["plan", "id"],
                false,
            ),
        ] {
            let body = json!({"smsConfiguration": sms, "voiceConfiguration": voice}).to_string();
            let object = Object::read(body.as_bytes()).expect("an object");
            let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            let readiness = readiness(&ActiveNumber::from(object), &wanted);
            assert_eq!(
                readiness == Readiness::Ready,
                is_ready,
                "{body} {wanted:?}: {readiness:?}"
            );
        }
    }
}
