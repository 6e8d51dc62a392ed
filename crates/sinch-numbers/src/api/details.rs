//! Reads the subject of an order. It confirms nothing, so what cannot be read is left out and spoils nothing.

use serde::Deserialize;

use super::super::fields::Field;
use number_order::{OrderDetails, OrderNumber, Price, Time};

/// Maximum length of a word; a longer one would only fill the database.
const WORD_MAX_BYTES: usize = 64;

/// Maximum length of a configuration.
const CONFIGURATION_MAX_BYTES: usize = 16 * 1024;

/// Reads the properties `regionCode`, `numberType`, `smsConfiguration`, `voiceConfiguration` and `orderNumbers`, in this
/// order. Returns `None` if the answer has none of them that can be read.
pub(super) fn read(created_at: Option<Time>, fields: &[Field; 5]) -> Option<OrderDetails> {
    let [region, number_type, sms, voice, numbers] = fields;
    let shown = OrderDetails {
        region: word(region),
        number_type: word(number_type),
        created_at: None,
        sms_configuration: configuration(sms),
        voice_configuration: configuration(voice),
        numbers: raw(numbers).map(self::numbers).unwrap_or_default(),
    };
    (shown != OrderDetails::default()).then_some(OrderDetails {
        created_at,
        ..shown
    })
}

fn word(field: &Field) -> Option<String> {
    let text = field.text().filter(|text| text.len() <= WORD_MAX_BYTES);
    text.map(str::to_owned)
}

fn raw<'a>(field: &Field<'a>) -> Option<&'a str> {
    match field {
        Field::Other(raw) => Some(raw),
        Field::Absent | Field::Text(_) | Field::Garbled(_) => None,
    }
}

/// Returns a configuration as Sinch sent it.
fn configuration(field: &Field) -> Option<String> {
    let raw = raw(field).filter(|raw| raw.len() <= CONFIGURATION_MAX_BYTES);
    let is_json = |raw: &&str| serde_json::from_str::<serde_json::Value>(raw).is_ok();
    raw.filter(is_json).map(str::to_owned)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NumberText {
    phone_number: String,
    number_price: Option<PricesText>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PricesText {
    setup_price: Option<PriceText>,
    monthly_price: Option<PriceText>,
    payment_interval_months: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceText {
    currency_code: String,
    amount: String,
}

/// Reads the numbers one by one: one that cannot be read spoils no other.
fn numbers(raw: &str) -> Vec<OrderNumber> {
    let numbers: Vec<serde_json::Value> = serde_json::from_str(raw).unwrap_or_default();
    let numbers = numbers.into_iter().filter_map(|number| {
        let number: NumberText = serde_json::from_value(number).ok()?;
        (number.phone_number.len() <= WORD_MAX_BYTES).then_some(number)
    });
    numbers.map(OrderNumber::from).collect()
}

impl From<NumberText> for OrderNumber {
    fn from(number: NumberText) -> OrderNumber {
        let price = |price: PriceText| Price {
            currency: price.currency_code,
            amount: price.amount,
        };
        let prices = number.number_price;
        let (setup, monthly, months) = prices.map_or((None, None, None), |prices| {
            let months = prices.payment_interval_months;
            (prices.setup_price, prices.monthly_price, months)
        });
        OrderNumber {
            phone_number: number.phone_number,
            setup_price: setup.map(price),
            monthly_price: monthly.map(price),
            payment_interval_months: months,
            capabilities: number.capabilities,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::answer;
    use super::*;
    use number_order::Id;

    /// Subject that an answer shows which has these properties besides those that it needs.
    fn subject(properties: Value) -> Option<OrderDetails> {
        let mut body = json!({
            "idNumberOrder": "o1", "projectId": "p1", "state": "CREATED",
            "createTime": "2026-02-03T04:05:06Z", "updateTime": "2026-02-03T04:05:06Z",
        });
        let Value::Object(properties) = properties else {
            panic!("an object");
        };
        body.as_object_mut().expect("an object").extend(properties);
        let id = |text| Id::new(text).expect("an id");
        let shown = answer::found(body.to_string().as_bytes(), &id("p1"), &id("o1"));
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
        assert_eq!(
            shown.sms_configuration.as_deref(),
            Some(r#"{"servicePlanId":"s1"}"#)
        );
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
