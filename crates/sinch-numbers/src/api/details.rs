//! Reads the subject of an order. It confirms nothing, so what cannot be read is left out and spoils nothing.

use serde::Deserialize;

use super::super::fields::Field;
use number_order::{OrderDetails, OrderNumber, Price, Time};

/// Maximum length of a word; a longer one would only fill the database.
const WORD_MAX_BYTES: usize = 64;

/// Maximum length of a configuration.
const CONFIGURATION_MAX_BYTES: usize = 16 * 1024;

/// Reads the properties `regionCode`, `numberType`, `smsConfiguration`, `voiceConfiguration` and `orderNumbers`, in this
/// order. Returns `None` if the answer has none of them.
pub(super) fn read(created_at: Option<Time>, fields: &[Field; 5]) -> Option<OrderDetails> {
    let [region, number_type, sms, voice, numbers] = fields;
    if fields.iter().all(|field| matches!(field, Field::Absent)) {
        return None;
    }
    Some(OrderDetails {
        region: word(region),
        number_type: word(number_type),
        created_at,
        sms_configuration: configuration(sms),
        voice_configuration: configuration(voice),
        numbers: raw(numbers).map(self::numbers).unwrap_or_default(),
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
