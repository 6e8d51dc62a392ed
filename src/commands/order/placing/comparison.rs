//! Comparison of a form with the order that was created from it. It does no input or output.

use serde_json::Value;
use sinch_numbers::Property;
use sinch_numbers::api::{NewOrder, NumberOrder, Ordered, SmsSetup, VoiceSetup};

/// Result of a comparison, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Contradictions between the form and the order, a sentence each.
    pub differences: Vec<String>,
    /// Deviations of the order from what the form lets expect that contradict nothing, a sentence each.
    pub notes: Vec<String>,
}

/// Compares a form with the order, as Sinch shows it. What Sinch leaves out contradicts nothing.
pub(super) fn compare(form: &NewOrder, order: &NumberOrder<'_>) -> Comparison {
    let mut compared = Comparison::default();
    compared.word("region", &form.region_code, &order.region_code);
    compared.word("type", form.number_type.as_str(), &order.number_type);
    compared.numbers(&form.numbers, order);
    let sms = form.sms_configuration.as_ref().map(sms_ids);
    let voice = form.voice_configuration.as_ref().map(voice_ids);
    let links = [
        ("sms", sms, &order.sms_configuration),
        ("voice", voice, &order.voice_configuration),
    ];
    for (name, form, order) in links {
        compared.link(name, &form.unwrap_or_default(), order);
    }
    compared
}

impl Comparison {
    fn word(&mut self, name: &str, form: &str, order: &Property<'_>) {
        if let Some(order) = order.text().filter(|order| *order != form) {
            self.differences
                .push(format!("{name}: the form has {form}, the order {order}"));
        }
    }

    fn numbers(&mut self, form: &Ordered, order: &NumberOrder<'_>) {
        let numbers = order.numbers().into_iter();
        let numbers: Vec<String> = numbers.map(|number| number.phone_number).collect();
        if numbers.is_empty() {
            return;
        }
        let list = numbers.join(", ");
        match form {
            Ordered::Number(number) => {
                if !numbers.iter().any(|shown| shown == number.as_str()) {
                    self.differences.push(format!(
                        "number: the form has {}, the order {list}",
                        number.as_str()
                    ));
                }
            }
            Ordered::Quantity(quantity) => {
                let wanted = quantity.requested_quantity;
                let reserved = numbers.len();
                if reserved > wanted as usize {
                    self.differences.push(format!(
                        "quantity: the form has {wanted}, the order {reserved} numbers"
                    ));
                } else if reserved < wanted as usize {
                    self.notes.push(format!(
                        "Sinch has reserved {reserved} of the {wanted} numbers that the form orders: {list}. For more, \
                         place another form, with a reference of its own"
                    ));
                }
            }
        }
    }

    /// Compares the ids of a link, by the names that Sinch has for them.
    fn link(&mut self, name: &str, form: &[(&str, String)], order: &Property<'_>) {
        const NAMES: [&str; 5] = [
            "servicePlanId",
            "campaignId",
            "appId",
            "trunkId",
            "serviceId",
        ];
        let shown: Value = order
            .json()
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let shown = |key: &str| shown[key].as_str().filter(|id| !id.is_empty());
        for key in NAMES {
            let wanted = form.iter().find(|(name, _)| *name == key);
            let wanted = wanted.map(|(_, id)| id.as_str());
            match (wanted, shown(key)) {
                (Some(wanted), Some(shown)) if wanted != shown => self.differences.push(format!(
                    "{name}: the form has {key} {wanted}, the order {shown}"
                )),
                (None, Some(shown)) => self.notes.push(format!(
                    "Sinch shows that the order links its numbers to {key} {shown}, of which the form says nothing"
                )),
                (Some(wanted), None) => self.notes.push(format!(
                    "Sinch does not show that the order links its numbers to {key} {wanted}, as the form says"
                )),
                (_, _) => {}
            }
        }
    }
}

fn sms_ids(sms: &SmsSetup) -> Vec<(&'static str, String)> {
    let campaign = sms.campaign_id.clone().map(|id| ("campaignId", id));
    [("servicePlanId", sms.service_plan_id.clone())]
        .into_iter()
        .chain(campaign)
        .collect()
}

fn voice_ids(voice: &VoiceSetup) -> Vec<(&'static str, String)> {
    vec![match voice {
        VoiceSetup::Rtc { app_id } => ("appId", app_id.clone()),
        VoiceSetup::Est { trunk_id } => ("trunkId", trunk_id.clone()),
        VoiceSetup::Fax { service_id } => ("serviceId", service_id.clone()),
    }]
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sinch_numbers::api::{NumberType, PhoneNumber, Quantity};

    use super::*;

    const NUMBER: &str = "+61400000001";

    fn form(numbers: Ordered) -> NewOrder {
        NewOrder {
            region_code: "AU".to_owned(),
            number_type: NumberType::MOBILE,
            numbers,
            sms_configuration: Some(SmsSetup {
                service_plan_id: "plan".to_owned(),
                campaign_id: None,
            }),
            voice_configuration: None,
            callback_url: None,
        }
    }

    fn by_number() -> NewOrder {
        form(Ordered::Number(PhoneNumber::new(NUMBER).expect("a number")))
    }

    fn by_quantity(requested_quantity: u32) -> NewOrder {
        form(Ordered::Quantity(Quantity {
            requested_quantity,
            number_pattern: None,
            sequential: None,
            capabilities: Vec::new(),
        }))
    }

    /// Compares a form with an order that has the given properties in place of usual ones.
    fn compared(form: &NewOrder, changed: Value) -> Comparison {
        let mut order = json!({
            "regionCode": "AU",
            "numberType": "MOBILE",
            "orderNumbers": [{"phoneNumber": NUMBER}],
            "smsConfiguration": {"servicePlanId": "plan", "campaignId": ""},
            "voiceConfiguration": null,
        });
        if let (Value::Object(order), Value::Object(changed)) = (&mut order, changed) {
            order.extend(changed);
        }
        let body = order.to_string();
        let order = NumberOrder::read(body.as_bytes()).expect("an object");
        compare(form, &order)
    }

    #[test]
    fn a_form_stands_for_the_order_that_it_made() {
        for form in [by_number(), by_quantity(1)] {
            assert_eq!(compared(&form, json!({})), Comparison::default());
            // What Sinch leaves out contradicts nothing.
            let silent = json!({"regionCode": null, "numberType": "", "orderNumbers": []});
            assert_eq!(compared(&form, silent), Comparison::default());
        }
    }

    #[test]
    fn every_change_of_a_form_is_a_difference() {
        let numbers = |list: &[&str]| {
            let list = list.iter().map(|number| json!({"phoneNumber": number}));
            json!({"orderNumbers": list.collect::<Vec<_>>()})
        };
        for (form, changed, difference) in [
            (by_number(), json!({"regionCode": "NZ"}), "region: "),
            (by_number(), json!({"numberType": "LOCAL"}), "type: "),
            (by_number(), numbers(&["+61400000002"]), "number: "),
            (
                by_quantity(1),
                numbers(&["+61400000002", NUMBER]),
                "quantity: ",
            ),
            (
                by_number(),
                json!({"smsConfiguration": {"servicePlanId": "other"}}),
                "sms: the form has servicePlanId plan, the order other",
            ),
        ] {
            let found = compared(&form, changed.clone());
            assert_eq!(found.differences.len(), 1, "{changed}: {found:?}");
            assert!(found.differences[0].starts_with(difference), "{found:?}");
            assert_eq!(found.notes, [""; 0], "{changed}");
        }
    }

    #[test]
    fn what_is_no_contradiction_is_said() {
        let fewer = compared(&by_quantity(3), json!({}));
        assert_eq!(fewer.differences, [""; 0]);
        assert!(
            fewer.notes[0].starts_with("Sinch has reserved 1 of the 3 numbers"),
            "{fewer:?}"
        );
        for (changed, note) in [
            (json!({"smsConfiguration": null}), "servicePlanId plan"),
            (
                json!({"smsConfiguration": {"servicePlanId": "plan", "campaignId": "c"}}),
                "campaignId c",
            ),
            (
                json!({"voiceConfiguration": {"type": "RTC", "appId": "a"}}),
                "appId a",
            ),
        ] {
            let found = compared(&by_number(), changed);
            assert_eq!(found.differences, [""; 0]);
            assert!(found.notes[0].contains(note), "{found:?}");
        }
    }
}
