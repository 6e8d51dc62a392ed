//! From COMPLETED to numbers that work: each is active, and linked to the ordered services.

use std::time::Duration;

use number_order::Id;
use serde_json::Value;
use sinch_numbers::Property;
use sinch_numbers::api::{ActiveNumber, Failure, PhoneNumber};
use tokio::time::Instant;

use super::ending::Ending;
use super::follower::Follower;
use super::on_the_way;
use crate::commands::command_error::CommandError;
use crate::commands::numbers::{callback_url, services};

/// First pause between two looks at a number; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Time without any scheduled link after which a number is said to be idle. Sinch names no time for the link of an
/// order.
const IDLE_AFTER: Duration = Duration::from_secs(600);

/// Number of a completed order that a command waits for.
struct Awaited {
    number: PhoneNumber,
    is_ready: bool,
    /// Last words that were printed of its progress.
    said: String,
    /// Time since which no look has shown a scheduled link.
    idle_since: Option<Instant>,
    /// The number, as Sinch last showed it.
    active: Option<ActiveNumber>,
}

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
    /// Waits until every number of a completed order works; with `wait` false, only prints how each stands.
    pub(super) async fn ready(&self, order: &Id, wait: bool) -> Result<Ending, CommandError> {
        let Some(answer) = self.fetch(order).await? else {
            return Err(CommandError::failure(format!(
                "the order is COMPLETED, and Sinch shows it no more; its numbers are among those of: {}",
                self.invocation.command(&["numbers", "list"])
            )));
        };
        let wanted = [
            &answer.content.sms_configuration,
            &answer.content.voice_configuration,
        ];
        let wanted: Vec<String> = wanted.into_iter().flat_map(ids).collect();
        self.say("COMPLETED");
        let numbers = answer.content.numbers().into_iter();
        let mut numbers = numbers
            .map(|number| Awaited::new(number.phone_number))
            .collect::<Result<Vec<_>, _>>()?;
        let mut pause = FIRST_PAUSE;
        loop {
            for number in numbers.iter_mut().filter(|number| !number.is_ready) {
                self.look_at(number, &wanted).await?;
            }
            if !wait || numbers.iter().all(|number| number.is_ready) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSE_MAX);
        }
        for number in &numbers {
            self.offer_callback_url(number);
        }
        Ok(Ending::Done)
    }

    /// Fetches a number, and prints how it stands if that has changed.
    async fn look_at(&self, awaited: &mut Awaited, wanted: &[String]) -> Result<(), CommandError> {
        awaited.active = self.active(&awaited.number).await?;
        let number = awaited.number.as_str();
        let active = awaited.active.as_ref();
        match active.map_or(Readiness::OnTheWay, |active| readiness(active, wanted)) {
            Readiness::Ready => {
                awaited.is_ready = true;
                self.say(&format!("{number} is ready"));
            }
            Readiness::Failed(reason) => {
                let command = self.invocation.command(&["numbers", "show", number]);
                return Err(CommandError::failure(format!(
                    "{number}: {reason}; this says more: {command}"
                )));
            }
            Readiness::OnTheWay => {
                if let Some(end) = active.and_then(on_the_way::released) {
                    return Err(CommandError::failure(format!(
                        "{number} was released, and stays until {end}: no link will be made any more"
                    )));
                }
                if active.is_some_and(on_the_way::is_idle) {
                    awaited.idle_since.get_or_insert_with(Instant::now);
                } else {
                    awaited.idle_since = None;
                }
                let is_idle = awaited
                    .idle_since
                    .is_some_and(|since| since.elapsed() >= IDLE_AFTER);
                let words = on_the_way::words(active, wanted, is_idle);
                if words != awaited.said {
                    self.say(&format!("{number} {words}"));
                    awaited.said = words;
                }
            }
        }
        Ok(())
    }

    /// Prints the command by which a number's callbacks come to the service, if Sinch shows that they do not.
    fn offer_callback_url(&self, awaited: &Awaited) {
        let Some(active) = &awaited.active else {
            return;
        };
        let url = active.callback_url();
        let fault = match url.text() {
            Some(url) if callback_url::is_of_project(url, &self.path) => return,
            Some(_) => "has another callback URL than this project's",
            None => "has no callback URL",
        };
        let number = awaited.number.as_str();
        let set = ["numbers", "set-callback-url", number];
        let cure = if self.callback_url.is_some() {
            self.invocation.command(&set)
        } else {
            let with_url = [&set[..], &["URL"]].concat();
            format!(
                "{} (callbacks.public_url is not set, so name the URL)",
                self.invocation.command(&with_url)
            )
        };
        self.say(&format!(
            "{number} {fault}, so the service hears nothing about it from now on. To set it: {cure}"
        ));
    }

    /// Fetches a number; `None` if it is not active yet.
    async fn active(&self, number: &PhoneNumber) -> Result<Option<ActiveNumber>, CommandError> {
        let get = async || match self.client.get_active_number(number).await {
            Err(error) if error.request.failure == Failure::NotFound => Ok(None),
            other => other.map(|answer| Some(answer.content)),
        };
        Ok(self.sinch.outlast(get).await?)
    }
}

impl Awaited {
    fn new(number: String) -> Result<Awaited, CommandError> {
        let number = PhoneNumber::new(number);
        let number = number.map_err(|error| CommandError::failure(error.to_string()))?;
        Ok(Awaited {
            number,
            is_ready: false,
            said: String::new(),
            idle_since: None,
            active: None,
        })
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
