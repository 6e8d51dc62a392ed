//! JSON Schemas of the events, in their published version.
//!
//! Within a version, a schema only gains properties, and codes only words: a receiver ignores what it does not know. What
//! else changes makes another version, with a folder of its own beside `schemas/v1`. A test writes the files.

use strum::VariantArray;

use crate::EventType;

/// Version of the schemas; their first path segment where they are published.
pub const SCHEMA_VERSION: &str = "v1";

/// Returns the JSON Schema (draft 2020-12) of each type of event.
pub fn schemas() -> impl Iterator<Item = (EventType, &'static str)> {
    let types = EventType::VARIANTS.iter();
    types.map(|event_type| (*event_type, schema(*event_type)))
}

/// Returns the JSON Schema of a type of event.
pub fn schema(event_type: EventType) -> &'static str {
    macro_rules! published {
        ($name:literal) => {
            include_str!(concat!("../../schemas/v1/", $name, ".json"))
        };
    }
    match event_type {
        EventType::OrderCreated => published!("order.created"),
        EventType::OrderInReview => published!("order.in_review"),
        EventType::OrderBlocked => published!("order.blocked"),
        EventType::OrderCompleted => published!("order.completed"),
        EventType::OrderRejected => published!("order.rejected"),
        EventType::OrderExpired => published!("order.expired"),
        EventType::OrderExpiring => published!("order.expiring"),
        EventType::NumberReady => published!("number.ready"),
        EventType::NumberFailed => published!("number.failed"),
        EventType::AlertFired => published!("alert.fired"),
        EventType::AlertResolved => published!("alert.resolved"),
    }
}

#[cfg(test)]
mod tests;
