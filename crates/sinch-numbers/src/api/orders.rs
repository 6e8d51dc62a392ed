//! Number orders: `/numberOrders`.

use std::fmt;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::client::Client;
use super::error::RequestError;
use super::money::Money;
use super::transport::{self, Answer};
use crate::properties::properties;
use number_order::Id;

properties! {
    /// An order, as an answer shows it: its documented properties, each as it is in the body.
    NumberOrder {
        /// Id of the order, by which a callback names it in its `resourceId`: `idNumberOrder`.
        id_number_order = "idNumberOrder",
        /// Id of the project that has the order: `projectId`.
        project_id = "projectId",
        /// State of the order: `state`, which is CREATED, `IN_REVIEW`, BLOCKED, COMPLETED, REJECTED, EXPIRED, or a word
        /// that Sinch adds.
        state = "state",
        /// Time at which the order was created: `createTime`.
        create_time = "createTime",
        /// Time at which the order last changed: `updateTime`, often in whole seconds only.
        update_time = "updateTime",
        /// Time until which a CREATED order must be submitted: `expireTime`.
        expire_time = "expireTime",
        /// Region of the order's numbers: `regionCode`, as ISO 3166-1 has it.
        region_code = "regionCode",
        /// Type of the order's numbers: `numberType`, which is MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
        number_type = "numberType",
        /// Link of the numbers for text messages: `smsConfiguration`, an object.
        sms_configuration = "smsConfiguration",
        /// Link of the numbers for calls: `voiceConfiguration`, an object.
        voice_configuration = "voiceConfiguration",
        /// Numbers of the order: `orderNumbers`, a list; [`NumberOrder::numbers`] reads it.
        order_numbers = "orderNumbers",
    }
}

/// A telephone number of an order.
///
/// `Debug` does not show the number.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderNumber {
    /// The telephone number: `phoneNumber`, with a plus before its digits.
    pub phone_number: String,
    /// Prices of the number: `numberPrice`.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub number_price: Option<NumberPrice>,
    /// Capabilities of the number: `capabilities`, each of which is SMS, VOICE, or a word that Sinch adds.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub capabilities: Vec<String>,
}

/// Prices of a telephone number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberPrice {
    /// Price of the number that is paid once: `setupPrice`.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub setup_price: Option<Money>,
    /// Price of the number that is paid for each interval: `monthlyPrice`.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub monthly_price: Option<Money>,
    /// Number of months after which the `monthlyPrice` is paid again: `paymentIntervalMonths`.
    #[serde(default, deserialize_with = "readable_or_default")]
    pub payment_interval_months: Option<u32>,
}

/// Reads a property that stands beside a telephone number: one that cannot be read counts as absent, so that the number
/// is not lost with it.
fn readable_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let raw = <Box<RawValue>>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

impl NumberOrder<'_> {
    /// Returns the numbers of the order that can be read. They are read one by one, so that one that cannot be read
    /// spoils no other.
    pub fn numbers(&self) -> Vec<OrderNumber> {
        let list = self.order_numbers.json().unwrap_or_default();
        let numbers: Vec<&RawValue> = serde_json::from_str(list).unwrap_or_default();
        let read = |number: &RawValue| serde_json::from_str(number.get()).ok();
        numbers.into_iter().filter_map(read).collect()
    }
}

impl fmt::Debug for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderNumber")
            .field("number_price", &self.number_price)
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Fetches an order: `GET /numberOrders/{id}`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it, see [`RequestError`]. Compare the answer's order and project
    /// with what was asked for, if a proxy may stand between the client and Sinch.
    pub async fn get_order(
        &self,
        order: &Id,
    ) -> Result<Answer<NumberOrder<'static>>, RequestError> {
        let path = ["numberOrders", order.as_str()];
        let response = self.send(Method::GET, &path).await?;
        let read = |body: &[u8]| NumberOrder::read(body).ok().map(NumberOrder::into_owned);
        transport::receive(response, self.answer_max_bytes, read).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(body: &serde_json::Value) -> NumberOrder<'static> {
        let body = body.to_string();
        let order = NumberOrder::read(body.as_bytes()).expect("an object");
        order.into_owned()
    }

    #[test]
    fn every_documented_property_is_read_and_no_other_spoils_it() {
        let names = [
            "idNumberOrder",
            "projectId",
            "state",
            "createTime",
            "updateTime",
            "expireTime",
            "regionCode",
            "numberType",
            "smsConfiguration",
            "voiceConfiguration",
            "orderNumbers",
        ];
        let mut body = json!({ "inventedLater": { "state": "EXPIRED" } });
        for name in names {
            body[name] = json!(name);
        }
        let order = read(&body);
        let properties = [
            order.id_number_order,
            order.project_id,
            order.state,
            order.create_time,
            order.update_time,
            order.expire_time,
            order.region_code,
            order.number_type,
            order.sms_configuration,
            order.voice_configuration,
            order.order_numbers,
        ];
        for (property, name) in properties.iter().zip(names) {
            assert_eq!(property.text(), Some(name));
        }
    }

    #[test]
    fn numbers_are_read_with_their_prices() {
        let euro = |amount: &str| json!({ "currencyCode": "EUR", "amount": amount });
        let order = read(&json!({
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
        let money = |amount: &str| {
            Some(Money {
                currency_code: "EUR".to_owned(),
                amount: amount.to_owned(),
            })
        };
        let first = OrderNumber {
            phone_number: "+46700000001".to_owned(),
            number_price: Some(NumberPrice {
                setup_price: money("0.50"),
                monthly_price: money("2.00"),
                payment_interval_months: Some(3),
            }),
            capabilities: vec!["SMS".to_owned(), "VOICE".to_owned()],
        };
        let second = OrderNumber {
            phone_number: "+46700000002".to_owned(),
            number_price: None,
            capabilities: Vec::new(),
        };
        assert_eq!(order.numbers(), [first, second]);
    }

    #[test]
    fn a_number_outlasts_what_stands_beside_it() {
        for beside in [
            r#""numberPrice": "free""#,
            r#""numberPrice": {"setupPrice": 1, "monthlyPrice": {"currencyCode": "EUR", "amount": 1.5}}"#,
            r#""numberPrice": {"paymentIntervalMonths": "1"}"#,
            r#""capabilities": null"#,
            r#""capabilities": [1]"#,
            r#""news": 1e400"#,
        ] {
            let body = format!(
                r#"{{"orderNumbers": [{{"phoneNumber": "+46700000001", {beside}}}, {{"phoneNumber": "\ud800"}}]}}"#
            );
            let order = NumberOrder::read(body.as_bytes()).expect("an object");
            let numbers: Vec<String> = order
                .numbers()
                .into_iter()
                .map(|n| n.phone_number)
                .collect();
            assert_eq!(numbers, ["+46700000001"], "{beside}");
        }
    }

    #[test]
    fn what_is_no_list_has_no_numbers() {
        for numbers in [json!(null), json!("none"), json!({}), json!([1, null, {}])] {
            let order = read(&json!({ "orderNumbers": numbers }));
            assert_eq!(order.numbers(), [], "{numbers}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(word in "\\PC{0,300}") {
            let _ = NumberOrder::read(word.as_bytes());
            let order = read(&json!({ "orderNumbers": word, "state": word }));
            order.numbers();
        }
    }
}
