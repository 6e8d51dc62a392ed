//! The section `[order]` of a form.

use sinch_numbers::api::{
    Capability, NewOrder, NumberPattern, NumberType, Ordered, PhoneNumber, Quantity, SearchPattern,
    SmsSetup, VoiceSetup,
};
use toml::de::DeValue;

use super::table::{Reading, Table};

/// Maximum quantity of one order (source: Sinch's description of the API).
const QUANTITY_MAX: u32 = 100;

/// Keys of a form that only a quantity, and no chosen number, can have beside it.
const QUANTITY_KEYS: [&str; 4] = ["pattern", "search", "sequential", "capabilities"];

/// Reads the order of a form; `None` if it has a fault.
pub(super) fn read(reading: &mut Reading<'_>, root: &Table<'_, '_>) -> Option<NewOrder> {
    if root.get("order").is_none() {
        let cure = "write [order] with region, type, and number or quantity";
        reading.fault(root, "order", "is missing", cure);
    }
    let order = reading.table(root, "order")?;
    reading.note(&order);
    let known = [
        "region",
        "type",
        "number",
        "quantity",
        "pattern",
        "search",
        "sequential",
        "capabilities",
        "sms",
        "voice",
    ];
    reading.refuse_unknown(&order, &known);
    let region_code = read_region(reading, &order);
    let number_type = reading.required_text(&order, "type", "write MOBILE, LOCAL or TOLL_FREE");
    let numbers = read_numbers(reading, &order);
    let sms_configuration = read_sms(reading, &order);
    let voice_configuration = read_voice(reading, &order);
    Some(NewOrder {
        region_code: region_code?,
        number_type: NumberType::new(number_type?),
        numbers: numbers?,
        sms_configuration,
        voice_configuration,
        callback_url: None,
    })
}

fn read_region(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<String> {
    let cure = "write the two capital letters of the country, such as AU";
    let region = reading.required_text(order, "region", cure)?;
    if region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some(region);
    }
    reading.fault(order, "region", "is no region", cure);
    None
}

fn read_numbers(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<Ordered> {
    let number = reading.text(order, "number");
    let has_number = number.is_some();
    if has_number && order.get("quantity").is_some() {
        let cure = "leave one of them out: an order has a number or a quantity";
        reading.fault(order, "quantity", "stands beside number", cure);
        return None;
    }
    if order.get("quantity").is_some() {
        return read_quantity(reading, order).map(Ordered::Quantity);
    }
    for key in QUANTITY_KEYS.iter().filter(|key| order.get(key).is_some()) {
        let cure = "leave it out, or write quantity instead of number";
        reading.fault(order, key, "goes with quantity alone", cure);
    }
    match number {
        Some(number) => {
            let is_whole = number.starts_with('+');
            let number = PhoneNumber::new(number).ok().filter(|_| is_whole);
            if number.is_none() {
                let cure = "write a plus and digits, without blanks, such as +61411000111";
                reading.fault(order, "number", "is no telephone number", cure);
            }
            number.map(Ordered::Number)
        }
        // A number of another kind than text has been reported by now.
        None if matches!(order.get("number"), None | Some(DeValue::String(_))) => {
            let cure = "write number = \"+…\", or quantity = 1 to let Sinch choose";
            let what = "is missing, and there is no quantity";
            reading.fault(order, "number", what, cure);
            None
        }
        None => None,
    }
}

fn read_quantity(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<Quantity> {
    let requested = match order.get("quantity") {
        Some(DeValue::Integer(n)) => u32::from_str_radix(n.as_str(), n.radix()).ok(),
        _ => None,
    };
    let requested = requested.filter(|n| (1..=QUANTITY_MAX).contains(n));
    if requested.is_none() {
        let cure = "write a whole number from 1 to 100, without quotes";
        reading.fault(order, "quantity", "is no quantity", cure);
    }
    let number_pattern = read_pattern(reading, order);
    let sequential = order.get("sequential").and_then(|value| {
        let flag = value.as_bool();
        if flag.is_none() {
            let cure = "write true or false, without quotes";
            reading.fault(order, "sequential", "is neither true nor false", cure);
        }
        flag
    });
    let capabilities = read_capabilities(reading, order);
    Some(Quantity {
        requested_quantity: requested?,
        number_pattern,
        sequential,
        capabilities,
    })
}

fn read_pattern(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<NumberPattern> {
    let places = "START, CONTAINS or END";
    let pattern = reading.text(order, "pattern");
    let search = reading.text(order, "search");
    let search_pattern = match search.as_deref() {
        Some("START") => Some(SearchPattern::Start),
        Some("CONTAINS") => Some(SearchPattern::Contains),
        Some("END") => Some(SearchPattern::End),
        Some(_) => {
            let cure = format!("write {places}");
            reading.fault(order, "search", "is no place of a pattern", &cure);
            return None;
        }
        None => None,
    };
    match (pattern, search_pattern) {
        (Some(pattern), Some(search_pattern)) => Some(NumberPattern {
            pattern,
            search_pattern,
        }),
        (Some(_), None) => {
            let cure = format!("write where the digits of pattern stand: {places}");
            reading.fault(order, "search", "is missing", &cure);
            None
        }
        (None, Some(_)) => {
            let cure = "write the digits, or leave search out";
            reading.fault(order, "pattern", "is missing", cure);
            None
        }
        (None, None) => None,
    }
}

fn read_capabilities(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Vec<Capability> {
    let Some(value) = order.get("capabilities") else {
        return Vec::new();
    };
    let words: Option<Vec<Capability>> = value.as_array().and_then(|list| {
        let word = |word: &str| Some(Capability::new(word)).filter(|_| !word.is_empty());
        let words = list
            .iter()
            .map(|item| item.get_ref().as_str().and_then(word));
        words.collect()
    });
    words.unwrap_or_else(|| {
        let cure = "write [\"SMS\"], [\"VOICE\"] or both";
        reading.fault(order, "capabilities", "is no list of words", cure);
        Vec::new()
    })
}

fn read_sms(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<SmsSetup> {
    let sms = reading.table(order, "sms")?;
    reading.refuse_unknown(&sms, &["service_plan_id", "campaign_id"]);
    let cure = "write the id of the service plan, or leave [order.sms] out";
    let service_plan_id = reading.required_text(&sms, "service_plan_id", cure);
    let campaign_id = reading.text(&sms, "campaign_id");
    Some(SmsSetup {
        service_plan_id: service_plan_id?,
        campaign_id,
    })
}

fn read_voice(reading: &mut Reading<'_>, order: &Table<'_, '_>) -> Option<VoiceSetup> {
    let ids = ["app_id", "trunk_id", "service_id"];
    let voice = reading.table(order, "voice")?;
    reading.refuse_unknown(&voice, &["type", ids[0], ids[1], ids[2]]);
    let cure = "write RTC with app_id, EST with trunk_id, or FAX with service_id";
    let kind = reading.required_text(&voice, "type", cure)?;
    let key = match kind.as_str() {
        "RTC" => ids[0],
        "EST" => ids[1],
        "FAX" => ids[2],
        _ => {
            reading.fault(&voice, "type", "is no type of a voice link", cure);
            return None;
        }
    };
    for other in ids {
        if other != key && voice.get(other).is_some() {
            reading.fault(&voice, other, &format!("does not go with {kind}"), cure);
        }
    }
    let id = reading.required_text(&voice, key, cure)?;
    Some(match key {
        "app_id" => VoiceSetup::Rtc { app_id: id },
        "trunk_id" => VoiceSetup::Est { trunk_id: id },
        _ => VoiceSetup::Fax { service_id: id },
    })
}
