//! Progress of a number on its way to the ordered links, in words. It does no input or output.

use sinch_numbers::api::ActiveNumber;

use crate::commands::numbers::services;

/// Returns the time until which a released number stays, in Sinch's words; `None` if it was not released.
pub(super) fn released(number: &ActiveNumber) -> Option<String> {
    number.expire_at().text().map(str::to_owned)
}

/// Returns `true` if no link is scheduled.
pub(super) fn is_idle(number: &ActiveNumber) -> bool {
    services::of(number)
        .iter()
        .all(|service| service.scheduled.is_none())
}

/// Tells how a number stands that is not linked to every ordered id yet: what is scheduled, what is linked instead, or
/// what is missing. With `for_long`, nothing has been scheduled for so long that Sinch may have dropped the link.
pub(super) fn words(number: Option<&ActiveNumber>, ordered: &[String], for_long: bool) -> String {
    let Some(number) = number else {
        return "is not active yet".to_owned();
    };
    let services = services::of(number);
    let scheduled = services
        .iter()
        .filter(|service| service.scheduled.is_some());
    let scheduled: Vec<String> = scheduled
        .map(|service| format!("{}: {service}", service.name))
        .collect();
    if !scheduled.is_empty() {
        return format!("is active; {}", scheduled.join("; "));
    }
    let linked = || {
        services
            .iter()
            .filter_map(|service| Some((service.name, service.linked.as_deref()?)))
    };
    // Of calls the type stands before the id.
    let id = |linked: &str| linked.rsplit(' ').next().unwrap_or_default().to_owned();
    let missing: Vec<&str> = ordered
        .iter()
        .filter(|ordered| linked().all(|(_, linked)| id(linked) != **ordered))
        .map(String::as_str)
        .collect();
    let others: Vec<String> = linked()
        .filter(|(_, linked)| !ordered.contains(&id(linked)))
        .map(|(name, linked)| format!("{name} to {linked}"))
        .collect();
    let mut words = format!(
        "is active; not linked to {}, and nothing is scheduled",
        missing.join(", ")
    );
    if !others.is_empty() {
        words.push_str(&format!(
            "; linked, but not as ordered: {}",
            others.join(", ")
        ));
    }
    if for_long {
        words.push_str("; it has been so for long: Sinch may have dropped the link, so ask its support, or link the number anew");
    }
    words
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

    #[test]
    fn what_a_number_waits_for_is_said() {
        let waiting = json!({"servicePlanId": "", "scheduledProvisioning": {"servicePlanId": "plan", "status": "WAITING"}});
        for (sms, for_long, expected) in [
            (
                waiting,
                false,
                "is active; text messages: on the way (WAITING): plan",
            ),
            (
                json!(null),
                false,
                "is active; not linked to plan, and nothing is scheduled",
            ),
            (
                json!({"servicePlanId": "other"}),
                false,
                "is active; not linked to plan, and nothing is scheduled; linked, but not as ordered: text messages to other",
            ),
            (
                json!(null),
                true,
                "is active; not linked to plan, and nothing is scheduled; it has been so for long",
            ),
        ] {
            let number = number(&json!({ "smsConfiguration": sms }));
            let words = words(Some(&number), &["plan".to_owned()], for_long);
            assert!(words.starts_with(expected), "{words}");
            assert_eq!(words.contains("for long"), for_long, "{words}");
        }
        assert_eq!(words(None, &[], false), "is not active yet");
        let calls = json!({"voiceConfiguration": {"type": "RTC", "appId": "other"}});
        let words = words(Some(&number(&calls)), &["app".to_owned()], false);
        assert!(words.ends_with("calls to RTC other"), "{words}");
    }

    #[test]
    fn a_released_number_has_an_end() {
        let end = "2026-01-01T00:00:00Z";
        let number_with = |expire_at: Value| number(&json!({ "expireAt": expire_at }));
        assert_eq!(released(&number_with(json!(end))).as_deref(), Some(end));
        assert_eq!(released(&number_with(json!(null))), None);
        assert_eq!(released(&number_with(json!(""))), None);
    }
}
