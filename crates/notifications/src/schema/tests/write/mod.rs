//! The schemas as they are written.

mod alert;
mod order;
mod parts;

use serde_json::{Value, json};
use strum::{VariantArray, VariantNames};

use crate::EventType;
use number_order::{Cause, Readiness};
use order::{STATES, order, some_state};
use parts::{Property, code, coded, list, named, object, text, time};

/// Returns the schema of a type of event.
fn schema_of(event_type: EventType) -> Value {
    let name = event_type.name();
    let mut event = object(
        description(event_type),
        vec![
            (
                "id",
                text(
                    "Id of the event, by which one that is told again is recognised. No other event ever has it.",
                ),
            ),
            (
                "type",
                named("Type of the event.", json!({ "const": name })),
            ),
            (
                "timestamp",
                time("Time at which the service recorded the event."),
            ),
            (
                "sequence",
                named(
                    "Number of the event among all events. It grows; a target or a filter that leaves events out sees gaps.",
                    json!({ "type": "integer" }),
                ),
            ),
            ("data", data(event_type)),
        ],
    );
    event["properties"]["test"] = named(
        "Present, and true, if an operator had the event sent to try a target: nothing has happened.",
        json!({ "const": true }),
    );
    event["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    event["$id"] = format!("urn:sinch-callbacks:event:v1:{name}").into();
    event["title"] = name.into();
    event
}

fn description(event_type: EventType) -> &'static str {
    match event_type {
        EventType::OrderCreated => "The order is CREATED: its numbers are reserved.",
        EventType::OrderInReview => "The order is IN_REVIEW.",
        EventType::OrderBlocked => "The order is BLOCKED: Sinch wants other registration data.",
        EventType::OrderCompleted => "The order is COMPLETED: its numbers are the customer's.",
        EventType::OrderRejected => "The order is REJECTED.",
        EventType::OrderExpired => "The order is EXPIRED: it was not submitted in time.",
        EventType::OrderExpiring => {
            "The order is not submitted, and its reservation runs out soon, or has run out."
        }
        EventType::NumberReady => {
            "A number of a completed order is ready: active, and linked with all that was ordered."
        }
        EventType::NumberFailed => "Sinch could not link a number of a completed order.",
        EventType::AlertFired => "An alert has begun to fire.",
        EventType::AlertResolved => "An alert does not fire any more.",
    }
}

/// Returns the schema of an event's data.
fn data(event_type: EventType) -> Value {
    let about = "What happened, and to what.";
    let known = |state: Value| [vec![project(json!({ "type": "string" }))], order(state)].concat();
    match event_type {
        EventType::OrderCreated
        | EventType::OrderInReview
        | EventType::OrderBlocked
        | EventType::OrderCompleted
        | EventType::OrderRejected
        | EventType::OrderExpired => {
            let state = STATES
                .into_iter()
                .find(|state| EventType::of_state(*state) == event_type);
            let state = json!({ "const": state.expect("a state").as_str() });
            object(about, [known(state), change()].concat())
        }
        EventType::OrderExpiring => {
            object(about, [known(some_state()), alert::about_order()].concat())
        }
        EventType::NumberReady | EventType::NumberFailed => {
            object(about, [known(some_state()), number()].concat())
        }
        EventType::AlertFired | EventType::AlertResolved => {
            let project = project(json!({ "type": ["string", "null"] }));
            let mut data = object(about, [vec![project], alert::of_any_kind()].concat());
            let order = order(some_state());
            let names: Vec<&str> = order.iter().map(|(name, _)| *name).collect();
            data["dependentRequired"] = json!({ "order": names });
            for (name, schema) in order {
                data["properties"][name] = schema;
            }
            data
        }
    }
}

fn project(schema: Value) -> Property {
    let text =
        "Id of the project that the event is about; null: the event is about the whole service.";
    ("project", named(text, schema))
}

fn change() -> Vec<Property> {
    vec![
        (
            "previous_state",
            named(
                "State before: the confirmed one where Sinch has shown the new one. Null: there was none.",
                some_state(),
            ),
        ),
        ("changed_at", time("Time of the change by Sinch's clock.")),
        ("cause", code("Cause of the change.", Cause::VARIANTS)),
    ]
}

fn number() -> Vec<Property> {
    let service = |text| code(text, &["messages", "campaign", "calls"]);
    let failure = object(
        "A link that has failed.",
        vec![
            ("service", service("Service of the link.")),
            (
                "codes",
                list(
                    "Sinch's codes of the failure; a link for calls has none.",
                    &text("A code of Sinch's."),
                ),
            ),
        ],
    );
    let fields = vec![
        (
            "services",
            list(
                "Services whose links are missing, or on the way.",
                &service("A service."),
            ),
        ),
        ("failures", list("Links that have failed.", &failure)),
    ];
    vec![
        (
            "phone_number",
            text("The telephone number, with a plus before its digits."),
        ),
        (
            "readiness",
            coded("Readiness of the number.", Readiness::VARIANTS, fields),
        ),
    ]
}

/// Returns all schemas, with the names of their files.
pub(super) fn all() -> impl Iterator<Item = (String, String)> {
    EventType::VARIANTS.iter().map(|event_type| {
        let schema = serde_json::to_string_pretty(&schema_of(*event_type)).expect("JSON");
        (format!("{}.json", event_type.name()), schema + "\n")
    })
}
