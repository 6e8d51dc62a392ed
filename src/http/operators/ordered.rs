//! Numbers that a placement orders, as the body of a request gives them.

use std::ops::RangeInclusive;

use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{Object, Property, unusable};
use crate::http::problem::Problem;
use crate::store::Ordered;

/// Maximum length of a region's code. Sinch's are those of ISO 3166-1, and some of its own.
const REGION_MAX_BYTES: usize = 8;
/// Maximum length of the word for a type of numbers, to which Sinch may add.
const TYPE_MAX_BYTES: usize = 64;
/// Allowed numbers of digits in a telephone number. E.164 has a maximum of 15.
const NUMBER_DIGITS: RangeInclusive<usize> = 4..=15;
/// Allowed counts of numbers in one order.
const QUANTITY: RangeInclusive<u32> = 1..=100;

/// Numbers to order, as the body of a request gives them: either a number or a quantity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderedRequest {
    /// Region of the numbers, as Sinch writes it.
    #[schema(pattern = "^[A-Z-]{1,8}$")]
    region: String,
    /// Type of the numbers, as Sinch writes it.
    #[serde(rename = "type")]
    #[schema(pattern = "^[A-Z0-9_]{1,64}$")]
    number_type: String,
    /// The number to order.
    #[schema(pattern = r"^\+[0-9]{4,15}$")]
    number: Option<String>,
    /// Count of numbers for Sinch to choose.
    #[schema(minimum = 1, maximum = 100)]
    quantity: Option<u32>,
}

impl Object for OrderedRequest {
    const PROPERTIES: &'static [Property] = &[
        Property {
            name: "region",
            is_needed: true,
            values: "the region's code in capital letters, such as \"AU\"",
        },
        Property {
            name: "type",
            is_needed: true,
            values: "the type in capital letters, such as \"MOBILE\"",
        },
        Property {
            name: "number",
            is_needed: false,
            values: "a plus and 4 to 15 digits, such as \"+61411000111\"",
        },
        Property {
            name: "quantity",
            is_needed: false,
            values: "a whole number from 1 to 100",
        },
    ];
}

/// Refuses an order that cannot exist at Sinch: one with a region, a type or a number of another form, with a quantity
/// that is not from 1 to 100, with both a number and a quantity, or with neither.
pub(super) fn checked_order(ordered: OrderedRequest) -> Result<Ordered, Problem> {
    let number = ordered.number.as_deref();
    let fits = |name: &str| match name {
        "region" => is_word(&ordered.region, REGION_MAX_BYTES, |byte| byte == b'-'),
        "type" => is_word(&ordered.number_type, TYPE_MAX_BYTES, |byte| {
            byte == b'_' || byte.is_ascii_digit()
        }),
        "number" => number.is_none_or(is_number),
        _ => ordered
            .quantity
            .is_none_or(|quantity| QUANTITY.contains(&quantity)),
    };
    if let Some(Property { name, values, .. }) = OrderedRequest::PROPERTIES
        .iter()
        .find(|property| !fits(property.name))
    {
        return Err(unusable(format!("{name}: write {values}")));
    }
    if number.is_some() == ordered.quantity.is_some() {
        return Err(unusable("write either a number or a quantity"));
    }
    let OrderedRequest {
        region,
        number_type,
        number,
        quantity,
    } = ordered;
    Ok(Ordered {
        region,
        number_type,
        number,
        quantity,
    })
}

/// Returns `true` for a word of at most `max` capital letters and other characters that `is_part` allows.
fn is_word(text: &str, max: usize, is_part: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    (1..=max).contains(&text.len()) && bytes.all(|byte| byte.is_ascii_uppercase() || is_part(byte))
}

/// Returns `true` for a telephone number in E.164.
fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        NUMBER_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::operators::body::tests::refused;

    /// Returns the body of an order for one number, in which one property has the value.
    fn with(name: &str, value: impl Into<Value>) -> String {
        let mut ordered = json!({"region": "AU", "type": "MOBILE", "number": "+61400000001"});
        ordered[name] = value.into();
        ordered.to_string()
    }

    fn must_say(body: &str, expected: &str) {
        let said = refused(body, checked_order).expect(body);
        assert!(said.contains(expected), "{body}: {said}");
        let is_ours = !said.contains("expected") && !said.contains("000000");
        assert!(is_ours, "{said}");
    }

    #[test]
    fn what_is_no_object_of_these_properties_is_refused() {
        let long = "A".repeat(1000);
        let shown = format!("\\\"{}\\\": there is no such property", &long[..40]);
        let names = "region, type, number, quantity";
        for body in ["[]", r#"["AU","MOBILE","+61400000001",null]"#, "null", "7"] {
            must_say(body, &format!("write a JSON object with {names}"));
        }
        must_say(
            "",
            "not JSON at line 1, column 0; write an object with region",
        );
        must_say("{", "not JSON at line 1, column 1");
        must_say("{}", "region: missing; write the region's code");
        must_say(&with("region", Value::Null), "region: missing; write");
        must_say(&with("type", Value::Null), "type: missing; write");
        must_say(&with("numbers", 1), &format!("property; write {names}"));
        must_say(&with(&long, 1), &shown);
    }

    #[test]
    fn what_sinch_cannot_mean_is_refused_with_the_property_and_the_cure() {
        let long = "A".repeat(1000);
        for region in ["", "au", "A\u{0}", "A U", "ABCDEFGHI", &long] {
            must_say(&with("region", region), "region: write the region's code");
        }
        for number_type in ["", "mobile", "A B", &long] {
            must_say(
                &with("type", number_type),
                "type: write the type in capital",
            );
        }
        for number in [
            "",
            "+",
            "61400000001",
            "+614",
            "+6140000000100000",
            "+61 400 000 001",
            "+6149\u{0}",
            "+٦١٤٠٠",
        ] {
            must_say(
                &with("number", number),
                "number: write a plus and 4 to 15 digits",
            );
        }
        for quantity in [json!(0), json!(101), json!(-1), json!(1.5), json!("2")] {
            must_say(
                &with("quantity", quantity),
                "quantity: write a whole number from 1 to 100",
            );
        }
        must_say(&with("region", 61), "region: write");
        must_say(&with("type", json!([])), "type: write");
        must_say(&with("number", 61_400_000_001_u64), "number: write");
        must_say(&with("quantity", 2), "write either a number or a quantity");
        must_say(
            &with("number", Value::Null),
            "write either a number or a quantity",
        );
    }

    #[test]
    fn what_sinch_may_mean_is_taken() {
        for body in [
            with("region", "US"),
            with("region", "US-CA"),
            with("type", "TOLL_FREE"),
            with("number", "+6140"),
            with("number", "+614000000010000"),
            with("quantity", Value::Null),
            r#"{"region": "AU", "type": "LOCAL", "quantity": 100}"#.to_owned(),
        ] {
            assert_eq!(refused(&body, checked_order), None, "{body}");
        }
    }
}
