//! The order in a schema.

use serde_json::{Value, json};

use super::parts::{Property, list, named, object, or_null, text, time};
use number_order::State;

pub(super) const STATES: [State; 6] = [
    State::Created,
    State::InReview,
    State::Blocked,
    State::Completed,
    State::Rejected,
    State::Expired,
];

/// An order as it was known at the time.
pub(super) fn order(state: Value) -> Vec<Property> {
    vec![
        ("order", text("Id of the order: Sinch's idNumberOrder.")),
        (
            "order_sequence",
            named(
                "Number of the event among those of the order, from 1.",
                json!({ "type": "integer", "minimum": 1 }),
            ),
        ),
        (
            "state",
            named("State of the order; null: none is known.", state),
        ),
        (
            "confirmed",
            named(
                "True if Sinch has shown the state, false if only an event of Sinch's claims it.",
                json!({ "type": "boolean" }),
            ),
        ),
        (
            "expires_at",
            or_null(time(
                "Time until which the order has to be submitted: Sinch's expireTime.",
            )),
        ),
        ("details", or_null(details())),
    ]
}

pub(super) fn some_state() -> Value {
    let names = STATES.map(|state| Value::from(state.as_str()));
    let values = [&names[..], &[Value::Null]].concat();
    json!({ "enum": values })
}

fn details() -> Value {
    object(
        "Region, type, numbers and links of the order, as an answer of Sinch last showed them; null: none has.",
        vec![
            (
                "region",
                or_null(text("Region of the numbers, as ISO 3166-1 has it.")),
            ),
            (
                "number_type",
                or_null(text(
                    "Type of the numbers: MOBILE, LOCAL, TOLL_FREE, or a word that Sinch adds.",
                )),
            ),
            (
                "created_at",
                or_null(time(
                    "Time at which the order was created: Sinch's createTime.",
                )),
            ),
            (
                "sms_configuration",
                named(
                    "Link of the numbers for text messages, as Sinch writes it.",
                    json!({}),
                ),
            ),
            (
                "voice_configuration",
                named(
                    "Link of the numbers for calls, as Sinch writes it.",
                    json!({}),
                ),
            ),
            ("numbers", list("Numbers of the order.", &number_of_order())),
        ],
    )
}

fn number_of_order() -> Value {
    let price = |text: &str| {
        let amount = named(
            "Amount of money: a decimal number.",
            json!({ "type": "string" }),
        );
        let currency = named(
            "Currency of the amount, as ISO 4217 has it.",
            json!({ "type": "string" }),
        );
        or_null(object(
            text,
            vec![("currency", currency), ("amount", amount)],
        ))
    };
    object(
        "A telephone number of the order.",
        vec![
            (
                "phone_number",
                text("The telephone number, with a plus before its digits."),
            ),
            ("setup_price", price("Price that is paid once.")),
            (
                "monthly_price",
                price("Price that is paid for each interval of payment_interval_months."),
            ),
            (
                "payment_interval_months",
                named(
                    "Number of months after which the monthly_price is paid again.",
                    json!({ "type": ["integer", "null"], "minimum": 0 }),
                ),
            ),
            (
                "capabilities",
                list(
                    "Capabilities of the number.",
                    &named(
                        "A capability: SMS, VOICE, or a word that Sinch adds.",
                        json!({ "type": "string" }),
                    ),
                ),
            ),
        ],
    )
}
