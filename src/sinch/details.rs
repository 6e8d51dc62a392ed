//! Subject of an order, as Sinch's answer shows it. It confirms nothing, so what cannot be read is left out and spoils
//! nothing.

use serde_json::Value;

use number_order::{OrderDetails, OrderNumber, OrderedLink, Price, Time};
use sinch_numbers::Property;
use sinch_numbers::api::{self, Money, NumberOrder};

/// Maximum length of a word of Sinch's, in bytes; a longer one would only fill the database.
const WORD_MAX_BYTES: usize = 64;

/// Maximum length of an order's configuration, in bytes of JSON.
const CONFIGURATION_MAX_BYTES: usize = 16 * 1024;

/// Maximum number of arrays and objects in each other in a configuration. It is stored, and shown by the operators' API,
/// within further ones, and readers of JSON accept 128 at most.
const CONFIGURATION_MAX_DEPTH: usize = 32;

/// Returns the order's subject (region, type, numbers, configuration) as an answer shows it, with the time of the
/// order's creation; `None` if nothing of it can be read.
pub(super) fn order_details(order: &NumberOrder, created_at: Option<Time>) -> Option<OrderDetails> {
    let is_short = |number: &api::OrderNumber| number.phone_number.len() <= WORD_MAX_BYTES;
    let numbers = order.numbers().into_iter().filter(is_short);
    let shown = OrderDetails {
        region: short_word(&order.region_code),
        number_type: short_word(&order.number_type),
        created_at: None,
        sms_configuration: small_configuration(&order.sms_configuration),
        voice_configuration: small_configuration(&order.voice_configuration),
        numbers: numbers.map(order_number).collect(),
    };
    (shown != OrderDetails::default()).then_some(OrderDetails {
        created_at,
        ..shown
    })
}

/// Returns the links that were ordered for each number of an order, as an answer shows them.
pub fn ordered_links(order: &NumberOrder) -> Vec<OrderedLink> {
    order_details(order, None)
        .unwrap_or_default()
        .ordered_links()
}

fn short_word(property: &Property) -> Option<String> {
    let text = property.text().filter(|text| text.len() <= WORD_MAX_BYTES);
    text.map(str::to_owned)
}

/// Returns a configuration of the order, which is JSON of any kind.
fn small_configuration(property: &Property) -> Option<Value> {
    let raw = property.json();
    let raw = raw.filter(|raw| raw.len() <= CONFIGURATION_MAX_BYTES)?;
    let configuration = serde_json::from_str(raw).ok();
    configuration.filter(|value| depth(value) <= CONFIGURATION_MAX_DEPTH)
}

/// Returns the number of arrays and objects that lie in each other in a value.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + deepest.unwrap_or(0)
}

fn order_number(number: api::OrderNumber) -> OrderNumber {
    let prices = number.number_price;
    let (setup, monthly, months) = prices.map_or((None, None, None), |prices| {
        let months = prices.payment_interval_months;
        (prices.setup_price, prices.monthly_price, months)
    });
    OrderNumber {
        phone_number: number.phone_number,
        setup_price: setup.map(price_of),
        monthly_price: monthly.map(price_of),
        payment_interval_months: months,
        capabilities: number.capabilities,
    }
}

fn price_of(money: Money) -> Price {
    Price {
        currency: money.currency_code,
        amount: money.amount,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::snapshot;
    use super::*;

    /// Returns the subject that an answer shows which has the given properties beside the required ones.
    fn subject(properties: Value) -> Option<OrderDetails> {
        let mut body = json!({
            "idNumberOrder": "o1", "projectId": "p1", "state": "CREATED",
            "createTime": "2026-02-03T04:05:06Z", "updateTime": "2026-02-03T04:05:06Z",
        });
        let Value::Object(properties) = properties else {
            panic!("an object");
        };
        body.as_object_mut().expect("an object").extend(properties);
        let shown = snapshot::tests::read(&body.to_string());
        shown.expect("is believed").details.map(|details| *details)
    }

    #[test]
    fn a_subject_is_read_with_numbers_and_prices() {
        let euro = |amount: &str| json!({ "currencyCode": "EUR", "amount": amount });
        let shown = subject(json!({
            "regionCode": "SE",
            "numberType": "MOBILE",
            "smsConfiguration": { "servicePlanId": "s1" },
            "voiceConfiguration": null,
            "orderNumbers": [
                {
                    "phoneNumber": "+46700000001",
                    "numberPrice": {
                        "setupPrice": euro("0.50"), "monthlyPrice": euro("2.00"),
                        "paymentIntervalMonths": 3,
                    },
                    "capabilities": ["SMS", "VOICE"],
                },
                { "phoneNumber": 7 },
                { "phoneNumber": "+46700000002", "news": true },
            ],
        }));
        let shown = shown.expect("a subject");
        assert_eq!(shown.region.as_deref(), Some("SE"));
        assert_eq!(shown.number_type.as_deref(), Some("MOBILE"));
        assert_eq!(shown.created_at, Some(Time(1_770_091_506_000_000)));
        let sms = json!({ "servicePlanId": "s1" });
        assert_eq!(shown.sms_configuration, Some(sms));
        assert_eq!(shown.voice_configuration, None);
        let [first, second] = &shown.numbers[..] else {
            panic!("the number that cannot be read is left out: {shown:?}");
        };
        let price = |amount: &str| Price {
            currency: "EUR".to_owned(),
            amount: amount.to_owned(),
        };
        assert_eq!(first.phone_number, "+46700000001");
        assert_eq!(first.setup_price, Some(price("0.50")));
        assert_eq!(first.monthly_price, Some(price("2.00")));
        assert_eq!(first.payment_interval_months, Some(3));
        assert_eq!(first.capabilities, ["SMS", "VOICE"]);
        assert_eq!(second.phone_number, "+46700000002");
        assert_eq!((&second.setup_price, second.capabilities.len()), (&None, 0));
    }

    #[test]
    fn what_is_kept_of_a_configuration_however_deep_can_be_read_back() {
        for depth in 1..130 {
            for (opening, closing) in [("[", "]"), (r#"{"a":"#, "}")] {
                let inner = if opening == "[" { "" } else { "1" };
                let deep = [&opening.repeat(depth), inner, &closing.repeat(depth)].concat();
                let body = format!(
                    r#"{{"idNumberOrder":"o1","projectId":"p1","state":"CREATED",
                    "updateTime":"2026-02-03T04:05:06Z","regionCode":"SE","smsConfiguration":{deep}}}"#
                );
                let shown = snapshot::tests::read(&body).expect("is believed").details;
                let shown = *shown.expect("a subject");
                assert_eq!(shown.sms_configuration.is_some(), depth <= 32, "{depth}");
                let stored = serde_json::to_string(&shown).expect("JSON");
                let read = serde_json::from_str::<OrderDetails>(&stored);
                assert_eq!(read.ok(), Some(shown), "{depth}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_subject() {
        for properties in [
            json!({}),
            json!({ "regionCode": 7, "numberType": "X".repeat(65), "orderNumbers": "none" }),
            json!({ "smsConfiguration": "none", "orderNumbers": [1, null, {}] }),
        ] {
            assert_eq!(subject(properties.clone()), None, "{properties}");
        }
    }
}
