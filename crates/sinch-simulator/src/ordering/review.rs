//! Reviews of orders: how they end, and what their log says. All of it is invented.
//!
//! A word in any value of the registration decides: `BLOCK-ONCE` blocks the first review, `BLOCK-ALWAYS` each one,
//! `REJECT` rejects the order, `NO-REVIEW` leaves it in review for good. Other orders are completed, unless their
//! registration is incomplete, or chance or a test decides otherwise.

use fastrand::Rng;
use serde_json::Value;

use super::order::{Order, Private, UploadStatus};
use super::readings::Readings;
use super::refusal::Violation;
use super::requirements::{self, DOCUMENTS};
use super::script::FaultRates;
use crate::history::happens;

/// End of the review of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The order is completed.
    Completed,
    /// The order is blocked until its registration is corrected.
    Blocked,
    /// The order is rejected.
    Rejected,
    /// The review goes on for good.
    Open,
}

/// Decides how the review of an order ends, by its registration, a test or chance.
pub(super) fn verdict(
    order: &Order,
    readings: &Readings,
    rates: &FaultRates,
    rng: &mut Rng,
) -> Verdict {
    let data = order.registration.data();
    let says = |mark: &str| any_text_holds(data, &|text| text.contains(mark));
    let is_marked = says("BLOCK-ALWAYS") || says("BLOCK-ONCE") && order.blocks == 0;
    if says("NO-REVIEW") {
        Verdict::Open
    } else if is_marked || !registration_gaps(order, readings).is_empty() {
        Verdict::Blocked
    } else if says("REJECT") {
        Verdict::Rejected
    } else if happens(rng, rates.blocked) {
        Verdict::Blocked
    } else if happens(rng, rates.rejected) {
        Verdict::Rejected
    } else {
        Verdict::Completed
    }
}

/// Finds what the registration of an order lacks.
pub(super) fn registration_gaps(order: &Order, readings: &Readings) -> Vec<Violation> {
    if !order.product.has_form {
        return Vec::new();
    }
    let registration = &order.registration;
    let mut gaps = requirements::violations(registration.data(), readings);
    for document in DOCUMENTS.iter().filter(|document| document.is_mandatory) {
        let is_there = registration.attachments.iter().any(|attachment| {
            attachment.id == document.id && attachment.status == UploadStatus::Completed
        });
        if !is_there {
            let place = format!("attachments.{}", document.id);
            gaps.push(Violation::new(place, "is not uploaded"));
        }
    }
    gaps
}

/// Makes the message about a review. It names the contact person, as Sinch's messages do.
pub(super) fn log_message(order: &Order, verdict: Verdict) -> Private<String> {
    let contact = order.registration.data().get(2);
    let name = |key| contact.and_then(|contact| contact.get(key)?.as_str());
    let addressee = match (name("firstName"), name("lastName")) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        _ => "customer".to_owned(),
    };
    let reason = match verdict {
        Verdict::Rejected => "The carrier has refused this registration. Please place a new order.",
        Verdict::Blocked | Verdict::Completed | Verdict::Open => {
            "Something in this registration needs to be corrected. Please send it again."
        }
    };
    Private(format!(
        "Dear {addressee},\n{reason}\nThe simulated review team"
    ))
}

fn any_text_holds(value: &Value, holds: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => holds(text),
        Value::Array(list) => list.iter().any(|value| any_text_holds(value, holds)),
        Value::Object(object) => object.values().any(|value| any_text_holds(value, holds)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
