//! Alerts: those about an order, and those about the service.

use serde_json::{Value, json};
use strum::{VariantArray, VariantNames};

use super::parts::{Property, code, coded, named, object, or_null, text, time};
use crate::service_alert::{CallbackRefusal, SecretDrift, ServiceAlert};
use number_order::{AlertKind, NoAnswer};

/// An alert about an order.
pub(super) fn about_order() -> Vec<Property> {
    properties(AlertKind::VARIANTS, thresholds())
}

/// An alert about an order or about the service.
pub(super) fn of_any_kind() -> Vec<Property> {
    let codes = [AlertKind::VARIANTS, ServiceAlert::VARIANTS].concat();
    let fields = [thresholds(), of_projects(), of_disk(), of_targets()].concat();
    properties(&codes, fields)
}

fn properties(codes: &[&str], fields: Vec<Property>) -> Vec<Property> {
    vec![
        ("alert", coded("The alert, with its fields.", codes, fields)),
        ("fired_at", time("Time at which the alert began to fire.")),
    ]
}

fn count(description: &str) -> Value {
    named(description, json!({ "type": "integer", "minimum": 0 }))
}

fn thresholds() -> Vec<Property> {
    vec![
        (
            "within_ms",
            count("Time left until expires_at at which the alert begins to fire, in milliseconds."),
        ),
        (
            "after_ms",
            count("Time in the state after which the alert fires, in milliseconds."),
        ),
    ]
}

fn of_projects() -> Vec<Property> {
    let fields = named(
        "Fields of the code; absent if it has none.",
        json!({ "type": "object" }),
    );
    let mut reason = object(
        "Why fetches fail.",
        vec![("code", code("What it is.", NoAnswer::VARIANTS))],
    );
    reason["properties"]["fields"] = fields;
    let drifts: Vec<&str> = SecretDrift::VARIANTS.iter().map(Into::into).collect();
    let refusals: Vec<&str> = CallbackRefusal::VARIANTS.iter().map(Into::into).collect();
    vec![
        ("orders", count("Number of parked orders.")),
        (
            "deliveries",
            count("Number of deliveries parked within a day."),
        ),
        ("reason", reason),
        (
            "changes",
            count("Number of changes that Sinch showed and no callback announced."),
        ),
        (
            "last_at",
            or_null(time(
                "Time of the project's last callback; null: none ever came.",
            )),
        ),
        ("refusal", code("Why callbacks are refused.", &refusals)),
        (
            "callbacks",
            count("Number of callbacks in the quarantine that came from unknown sources."),
        ),
        (
            "addresses",
            named(
                "Some of the addresses from which they came.",
                json!({ "type": "array", "items": text("An address.") }),
            ),
        ),
        (
            "drift",
            code("What Sinch has instead of a configured secret.", &drifts),
        ),
    ]
}

fn of_disk() -> Vec<Property> {
    vec![
        (
            "free_bytes",
            count("Bytes that are free on the database's disk."),
        ),
        (
            "refused_below_bytes",
            count("Number of free bytes below which callbacks are refused."),
        ),
    ]
}

fn of_targets() -> Vec<Property> {
    vec![
        ("target", text("Name of the target.")),
        (
            "since",
            time("Time of the first of the attempts that have failed."),
        ),
        ("notifications", count("Number of parked notifications.")),
        ("worker", text("Name of the service's worker.")),
    ]
}
