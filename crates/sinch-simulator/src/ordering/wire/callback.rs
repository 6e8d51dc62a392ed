//! Bodies of callbacks about ordering.

use serde_json::{Value, json};

use super::super::announcement::{Announcement, Content};
use super::super::failures::Step;
use crate::wire::{ulid, zoneless};

/// Returns the `eventId` of the callback, whose time part is the time stamp.
pub(in super::super) fn event_id(announcement: &Announcement) -> String {
    ulid(announcement.said_at, announcement.salt)
}

/// Makes the body of a callback: the same bytes at each attempt to send it.
pub(in super::super) fn body(announcement: &Announcement, project: &str) -> String {
    let mut body = json!({
        "eventId": event_id(announcement),
        "timestamp": zoneless(announcement.said_at, announcement.salt >> 80),
        "projectId": project,
    });
    let (mut code, mut internal) = (None, None);
    match &announcement.content {
        Content::Order(state) => {
            body["resourceType"] = "NUMBER_ORDER".into();
            body["resourceId"] = announcement.order.as_str().into();
            body["eventType"] = "NUMBER_ORDER_PROCESSING".into();
            body["status"] = state.as_str().into();
        }
        Content::Number {
            number,
            step,
            is_undone,
            failure,
        } => {
            let direction = if *is_undone {
                "DEPROVISIONING_FROM"
            } else {
                "PROVISIONING_TO"
            };
            body["resourceType"] = "ACTIVE_NUMBER".into();
            body["resourceId"] = number.as_str().into();
            body["eventType"] = format!("{direction}_{}", step.as_str()).into();
            body["status"] = if failure.is_some() {
                "FAILED"
            } else {
                "SUCCEEDED"
            }
            .into();
            // Sinch's documentation: a failure of the SMS platform has no code.
            let with_code = failure.filter(|failure| failure.step != Step::Sms);
            code = with_code.map(|failure| failure.code);
            internal = with_code.and_then(|failure| failure.internal);
        }
    }
    // Absent and `null` mean the same; Sinch sends both.
    let shows_nulls = announcement.salt.is_multiple_of(4);
    for (key, value) in [("failureCode", code), ("internalFailureCode", internal)] {
        if value.is_some() || shows_nulls {
            body[key] = value.map_or(Value::Null, Value::from);
        }
    }
    body.to_string()
}
