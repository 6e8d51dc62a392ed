//! Requests of the client's types, made from the JSON that they should be sent as. A property that a type lacks is lost
//! here, and the comparison finds it.

use serde_json::Value;

use super::*;

fn text(value: &Value, name: &str) -> Option<String> {
    value[name].as_str().map(str::to_owned)
}

fn needed(value: &Value, name: &str) -> String {
    text(value, name).unwrap_or_else(|| panic!("{name} in {value}"))
}

fn number_type(value: &Value, name: &str) -> NumberType {
    NumberType::new(needed(value, name))
}

fn capabilities(value: &Value) -> Vec<Capability> {
    let words = value["capabilities"].as_array();
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.map(Capability::new).collect()
}

fn pattern(pattern: &str, place: &str) -> NumberPattern {
    NumberPattern {
        pattern: pattern.to_owned(),
        search_pattern: match place {
            "START" => SearchPattern::Start,
            "CONTAINS" => SearchPattern::Contains,
            "END" => SearchPattern::End,
            other => panic!("{other} is no place of a pattern"),
        },
    }
}

fn body_pattern(value: &Value) -> Option<NumberPattern> {
    let inner = value.get("numberPattern")?;
    Some(pattern(
        &needed(inner, "pattern"),
        &needed(inner, "searchPattern"),
    ))
}

fn sms(value: &Value) -> Option<SmsSetup> {
    value.get("smsConfiguration").map(|sms| SmsSetup {
        service_plan_id: needed(sms, "servicePlanId"),
        campaign_id: text(sms, "campaignId"),
    })
}

fn voice(value: &Value) -> Option<VoiceSetup> {
    let voice = value.get("voiceConfiguration")?;
    Some(match needed(voice, "type").as_str() {
        "RTC" => VoiceSetup::Rtc {
            app_id: needed(voice, "appId"),
        },
        "EST" => VoiceSetup::Est {
            trunk_id: needed(voice, "trunkId"),
        },
        "FAX" => VoiceSetup::Fax {
            service_id: needed(voice, "serviceId"),
        },
        other => panic!("{other} is no type of a voice configuration"),
    })
}

pub fn new_order(value: &Value) -> NewOrder {
    let number = value.pointer("/numberOrderOption/phoneNumbers/0");
    let numbers = if let Some(number) = number.and_then(Value::as_str) {
        Ordered::Number(PhoneNumber::new(number).expect("a number"))
    } else {
        let option = &value["quantityOrderOption"];
        let quantity = option["requestedQuantity"].as_u64();
        Ordered::Quantity(Quantity {
            requested_quantity: quantity.expect("a quantity") as u32,
            number_pattern: body_pattern(option),
            sequential: option["sequential"].as_bool(),
            capabilities: capabilities(option),
        })
    };
    NewOrder {
        region_code: needed(value, "regionCode"),
        number_type: number_type(value, "numberType"),
        numbers,
        sms_configuration: sms(value),
        voice_configuration: voice(value),
        callback_url: text(value, "callbackUrl"),
    }
}

pub fn rental(value: &Value) -> Rental {
    Rental {
        sms_configuration: sms(value),
        voice_configuration: voice(value),
        callback_url: text(value, "callbackUrl"),
    }
}

pub fn any_rental(value: &Value) -> AnyRental {
    AnyRental {
        region_code: needed(value, "regionCode"),
        number_type: number_type(value, "type"),
        capabilities: capabilities(value),
        number_pattern: body_pattern(value),
        rental: rental(value),
    }
}

pub fn number_update(value: &Value) -> NumberUpdate {
    let sms = &value["smsConfiguration"];
    NumberUpdate {
        display_name: text(value, "displayName"),
        sms_configuration: SmsUpdate {
            service_plan_id: text(sms, "servicePlanId"),
            campaign_id: text(sms, "campaignId"),
        },
        voice_configuration: voice(value),
        callback_url: text(value, "callbackUrl"),
    }
}

pub fn registration_data(value: &Value) -> RegistrationData {
    RegistrationData::new(value["requestDetails"]["data"].clone())
}

/// Returns the search whose parameters these are.
pub fn search(value: &Value) -> NumberSearch {
    let place = text(value, "numberPattern.searchPattern");
    let digits = text(value, "numberPattern.pattern");
    NumberSearch {
        region_code: needed(value, "regionCode"),
        number_type: number_type(value, "type"),
        capabilities: text(value, "capabilities")
            .map(Capability::new)
            .into_iter()
            .collect(),
        number_pattern: digits.map(|digits| pattern(&digits, &place.expect("a place"))),
        size: text(value, "size").map(|size| size.parse().expect("a number")),
    }
}
