//! Reading of the body of a call that creates an order, property by property.

use serde_json::Value;
use url::Url;

use super::order::{Choice, NewOrder, Sms, Voice, VoiceKind};
use super::readings::PatternAlone;
use super::refusal::{Refusal, Violation};
use super::stock::{Filter, Place, Product};

/// Words of Sinch for the types of numbers.
pub(super) const NUMBER_TYPES: [&str; 3] = ["MOBILE", "LOCAL", "TOLL_FREE"];

/// Maximum of an order's `requestedQuantity`, from Sinch's description.
const QUANTITY_MAX: u64 = 100;

/// Reads a request to create an order; the refusal lists all that is wrong with it.
pub(super) fn read(body: &Value, pattern_alone: PatternAlone) -> Result<NewOrder, Refusal> {
    let mut violations = Vec::new();
    let mut find = |found: Result<(), Violation>| violations.extend(found.err());
    let (sms, voice) = (read_sms(body), voice(body));
    let (product, choice) = (read_product(body), read_choice(body, pattern_alone));
    let callback_url = callback_url(body);
    find(sms.as_ref().map(drop).map_err(Violation::clone));
    find(voice.as_ref().map(drop).map_err(Violation::clone));
    find(choice.as_ref().map(drop).map_err(Violation::clone));
    find(callback_url.as_ref().map(drop).map_err(Violation::clone));
    match (product?, choice, sms, voice, callback_url) {
        (product, Ok(choice), Ok(sms), Ok(voice), Ok(callback_url)) => Ok(NewOrder {
            product,
            choice,
            sms,
            voice,
            callback_url,
        }),
        _ => Err(Refusal::Invalid {
            message: "Invalid number order".to_owned(),
            violations,
        }),
    }
}

/// Reads the region and the type of numbers in a request.
pub(super) fn region_and_type(body: &Value) -> Result<(&str, &str), Refusal> {
    let required =
        |key: &str| text_if_set(body, key).ok_or_else(|| Refusal::of_field(key, "is required"));
    let (region, number_type) = (required("regionCode")?, required("numberType")?);
    if !NUMBER_TYPES.contains(&number_type) {
        return Err(not_a_value("numberType", number_type));
    }
    Ok((region, number_type))
}

/// Refuses a word of a request that is not in a closed list. The sentence is that of Sinch's documentation.
pub(super) fn not_a_value(field: &str, word: &str) -> Refusal {
    Refusal::invalid(format!(
        "parsing field \"{field}\": \"{word}\" is not a valid value"
    ))
}

fn read_product(body: &Value) -> Result<&'static Product, Refusal> {
    let (region, number_type) = region_and_type(body)?;
    Product::find(region, number_type).ok_or_else(|| Refusal::invalid("No such numbers can be had"))
}

fn read_choice(body: &Value, pattern_alone: PatternAlone) -> Result<Choice, Violation> {
    match (
        value_if_set(body, "numberOrderOption"),
        value_if_set(body, "quantityOrderOption"),
    ) {
        (Some(option), None) => read_number(option),
        (None, Some(option)) => read_quantity(option, pattern_alone),
        _ => Err(Violation::of_form(
            "exactly one of numberOrderOption and quantityOrderOption is required",
        )),
    }
}

fn read_number(option: &Value) -> Result<Choice, Violation> {
    let numbers = option.get("phoneNumbers").and_then(Value::as_array);
    let one = numbers.and_then(|numbers| match numbers.as_slice() {
        [Value::String(number)] => Some(number.clone()),
        _ => None,
    });
    one.map(Choice::Number).ok_or_else(|| {
        Violation::new(
            "numberOrderOption.phoneNumbers",
            "must hold exactly one number",
        )
    })
}

fn read_quantity(option: &Value, pattern_alone: PatternAlone) -> Result<Choice, Violation> {
    let asked = option.get("requestedQuantity").and_then(Value::as_u64);
    let asked = asked
        .filter(|n| (1..=QUANTITY_MAX).contains(n))
        .ok_or_else(|| {
            Violation::new("quantityOrderOption.requestedQuantity", "must be 1 to 100")
        })?;
    let capabilities = option.get("capabilities").and_then(Value::as_array);
    let capabilities = capabilities.into_iter().flatten();
    let pattern = option.get("numberPattern");
    let part = pattern.and_then(|pattern| text_if_set(pattern, "pattern"));
    let place = pattern.and_then(|pattern| text_if_set(pattern, "searchPattern"));
    let filter = Filter {
        capabilities: capabilities
            .filter_map(|word| Some(word.as_str()?.to_owned()))
            .collect(),
        pattern: pattern_of(part, place, pattern_alone).map_err(|_| {
            Violation::new(
                "quantityOrderOption.numberPattern.searchPattern",
                "must be START, CONTAINS or END",
            )
        })?,
    };
    Ok(Choice::Quantity(asked as usize, filter))
}

/// Puts the digits of a pattern and their place in the number together.
pub(super) fn pattern_of(
    part: Option<&str>,
    place: Option<&str>,
    alone: PatternAlone,
) -> Result<Option<(String, Place)>, Refusal> {
    let Some(part) = part else {
        return Ok(None);
    };
    let place = match (place, alone) {
        (Some(word), _) => {
            Place::from_word(word).ok_or_else(|| not_a_value("searchPattern", word))?
        }
        (None, PatternAlone::Start) => Place::Start,
        (None, PatternAlone::Contains) => Place::Contains,
    };
    Ok(Some((part.to_owned(), place)))
}

/// Reads the SMS configuration in a request for an order.
fn read_sms(body: &Value) -> Result<Option<Sms>, Violation> {
    let Some(configuration) = value_if_set(body, "smsConfiguration") else {
        return Ok(None);
    };
    let plan = text_if_set(configuration, "servicePlanId")
        .ok_or_else(|| Violation::new("smsConfiguration.servicePlanId", "is required"))?;
    let campaign = text_if_set(configuration, "campaignId").unwrap_or_default();
    Ok(Some(Sms {
        plan: plan.to_owned(),
        campaign: campaign.to_owned(),
    }))
}

/// Reads the voice configuration in a request for an order, or for an update of a number.
pub(super) fn voice(body: &Value) -> Result<Option<Voice>, Violation> {
    let Some(configuration) = value_if_set(body, "voiceConfiguration") else {
        return Ok(None);
    };
    let word = text_if_set(configuration, "type");
    let kind = VoiceKind::ALL
        .into_iter()
        .find(|kind| Some(kind.as_str()) == word)
        .ok_or_else(|| Violation::new("voiceConfiguration.type", "must be RTC, EST or FAX"))?;
    let id = text_if_set(configuration, kind.property()).ok_or_else(|| {
        let place = format!("voiceConfiguration.{}", kind.property());
        Violation::new(place, "is required")
    })?;
    Ok(Some(Voice {
        kind,
        id: id.to_owned(),
    }))
}

/// Reads the callback URL in a request for an order or for an update.
pub(super) fn callback_url(body: &Value) -> Result<Option<String>, Violation> {
    let Some(url) = text_if_set(body, "callbackUrl") else {
        return Ok(None);
    };
    let is_url = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_url {
        Ok(Some(url.to_owned()))
    } else {
        Err(Violation::new("callbackUrl", "must be a URL"))
    }
}

/// Returns the value of a property of a request, unless it is absent or null.
pub(super) fn value_if_set<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// Returns the text of a property of a request, unless it is absent, empty or no text.
pub(super) fn text_if_set<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key)?.as_str().filter(|text| !text.is_empty())
}
