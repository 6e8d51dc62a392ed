//! Progress of a number on its way to the ordered links, in words. It does no input or output.

use number_order::{Link, OrderedLink, Readiness};
use sinch_numbers::api::ActiveNumber;

/// Returns the time until which the project keeps a released number, as Sinch writes it; `None` if it was not released.
pub(super) fn released(number: &ActiveNumber) -> Option<String> {
    number.expire_at().text().map(str::to_owned)
}

/// Returns `true` if no link is scheduled.
pub(super) fn is_idle(links: &[Link]) -> bool {
    links.iter().all(|link| link.scheduled.is_none())
}

/// Describes an active number that is linked with all that was ordered.
pub(super) fn arrived(ordered: &[OrderedLink]) -> String {
    let services: Vec<String> = ordered
        .iter()
        .map(|link| link.service.to_string())
        .collect();
    match services.split_last() {
        None => {
            "is active; nothing was ordered to be linked to it: neither text messages nor calls"
                .to_owned()
        }
        Some((last, [])) => format!("is ready for {last}"),
        Some((last, others)) => format!("is ready for {} and {last}", others.join(", ")),
    }
}

/// Describes a number that is not linked yet with all that was ordered: what is scheduled, what is missing, and what is
/// linked instead. `links` are `None` while the number is not active. `for_long` says that nothing has been scheduled
/// for so long that Sinch may have dropped the link.
pub(super) fn words(links: Option<&[Link]>, ordered: &[OrderedLink], for_long: bool) -> String {
    let Some(links) = links else {
        return "is not active yet".to_owned();
    };
    let scheduled = links.iter().filter(|link| link.scheduled.is_some());
    let scheduled: Vec<String> = scheduled
        .map(|link| format!("{}: {link}", link.service))
        .collect();
    if !scheduled.is_empty() {
        return format!("is active; {}", scheduled.join("; "));
    }
    let services = match Readiness::of(ordered, Some(links)) {
        Readiness::NotLinked { services } => services,
        _ => Vec::new(),
    };
    let missing = ordered
        .iter()
        .filter(|link| services.contains(&link.service));
    let missing: Vec<&str> = missing.map(|link| link.target.id.as_str()).collect();
    let others = links.iter().filter(|link| services.contains(&link.service));
    let others: Vec<String> = others
        .filter_map(|link| Some(format!("{} to {}", link.service, link.linked.as_ref()?)))
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
    use number_order::{Service, Target};
    use serde_json::{Value, json};
    use sinch_numbers::api::Object;

    use super::*;
    use crate::sinch;

    fn ordered(service: Service, id: &str) -> [OrderedLink; 1] {
        let target = Target::new(id);
        [OrderedLink { service, target }]
    }

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
            let links = sinch::links(&number(&json!({ "smsConfiguration": sms })));
            let plan = ordered(Service::Messages, "plan");
            let words = words(Some(&links), &plan, for_long);
            assert!(words.starts_with(expected), "{words}");
            assert_eq!(words.contains("for long"), for_long, "{words}");
        }
        assert_eq!(words(None, &[], false), "is not active yet");
        let calls = json!({"voiceConfiguration": {"type": "RTC", "appId": "other"}});
        let links = sinch::links(&number(&calls));
        let words = words(Some(&links), &ordered(Service::Calls, "app"), false);
        assert!(words.ends_with("calls to RTC other"), "{words}");
    }

    #[test]
    fn a_number_is_ready_for_what_was_ordered() {
        use Service::{Calls, Campaign, Messages};
        for (services, expected) in [
            (&[][..], "is active; nothing was ordered to be linked to it"),
            (&[Messages], "is ready for text messages"),
            (&[Messages, Calls], "is ready for text messages and calls"),
            (
                &[Messages, Campaign, Calls],
                "is ready for text messages, 10DLC campaign and calls",
            ),
        ] {
            let links = services.iter().flat_map(|service| ordered(*service, "id"));
            let words = arrived(&links.collect::<Vec<_>>());
            assert!(words.starts_with(expected), "{words}");
        }
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
