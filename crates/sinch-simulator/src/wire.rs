//! Bodies that Sinch would send, made by private structs with the properties in the order of Sinch's documentation.

use serde::Serialize;
use serde_json::{Value, json};

use jiff::{Timestamp, tz::Offset};

use super::history::{EventContent, OrderHistory, SimulatedEvent};
use number_order::{Id, Snapshot, Status, Time};

/// Makes an id like Sinch's: a lower-case ULID of the given time.
pub(super) fn ulid(at: Time, salt: u128) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let millis = u128::try_from(at.0.div_euclid(1000)).unwrap_or(0);
    let bits = (millis & ((1 << 48) - 1)) << 80 | (salt & ((1 << 80) - 1));
    (0..26)
        .rev()
        .map(|place| char::from(DIGITS[(bits >> (5 * place)) as usize & 31]))
        .collect()
}

/// Formats a time as the API writes it: with a `Z` at its end.
pub(super) fn zulu(at: Time, fraction_digits: u32) -> String {
    match Timestamp::from_microsecond(at.0) {
        Ok(at) => format!("{at:.*}", fraction_digits as usize),
        Err(_) => at.to_string(),
    }
}

/// Formats a time as callbacks write it: nine fraction digits and no zone.
pub(super) fn zoneless(at: Time, nanos: u128) -> String {
    let exact = i128::from(at.0) * 1000 + (nanos % 1000) as i128;
    match Timestamp::from_nanosecond(exact) {
        Ok(at) => format!("{:.9}", Offset::UTC.to_datetime(at)),
        Err(_) => at.to_string(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Callback<'a> {
    event_id: String,
    timestamp: String,
    project_id: &'a str,
    resource_id: &'a str,
    resource_type: &'static str,
    event_type: &'static str,
    status: &'static str,
    /// Reason for a failure: absent and `null` mean the same; Sinch sends both.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<Value>,
}

/// Makes the body of an event's callbacks.
pub(super) fn callback(event: &SimulatedEvent, project: &Id, started_at: Time) -> String {
    let event_id = event.event_id(started_at);
    let timestamp = zoneless(event.said_at(started_at), event.salt >> 80);
    let nulls = event.salt.is_multiple_of(4).then_some(Value::Null);
    let project_id = project.as_str();
    let callback = match &event.content {
        EventContent::State(state) => Callback {
            event_id,
            timestamp,
            project_id,
            resource_id: event.order.as_str(),
            resource_type: "NUMBER_ORDER",
            event_type: "NUMBER_ORDER_PROCESSING",
            status: state.as_str(),
            failure_code: nulls,
        },
        EventContent::Number { number, succeeded } => Callback {
            event_id,
            timestamp,
            project_id,
            resource_id: number,
            resource_type: "ACTIVE_NUMBER",
            event_type: "PROVISIONING_TO_SMS_PLATFORM",
            status: if *succeeded { "SUCCEEDED" } else { "FAILED" },
            failure_code: if *succeeded {
                nulls
            } else {
                Some(json!("SMS_PROVISIONING_FAILED"))
            },
        },
        // Each unreadable body contains the event's id, so that no two have the same bytes.
        EventContent::Unreadable => {
            return match event.salt % 3 {
                0 => format!("{{\"eventId\":\"{event_id}\",\"timestamp\":\"{timestamp}"),
                1 => format!("[\"{event_id}\"]"),
                _ => format!("<html><title>{event_id}</title></html>"),
            };
        }
    };
    json_text(&callback)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are Sinch's")]
struct NumberOrder<'a> {
    project_id: &'a str,
    id_number_order: &'a str,
    region_code: &'a str,
    state: &'a str,
    number_type: &'a str,
    order_numbers: Vec<Value>,
    sms_configuration: Value,
    voice_configuration: Option<Value>,
    expire_time: Option<String>,
    create_time: Option<String>,
    update_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fulfilment: Option<Value>,
}

/// Service plan that each order of a world is for.
const SERVICE_PLAN: &str = "simulated-service-plan";

/// Makes the body of an active number that an order of a world has brought, linked as ordered.
pub(super) fn active_number(number: &str, project: &str) -> Value {
    json!({
        "phoneNumber": number,
        "projectId": project,
        "smsConfiguration": {"servicePlanId": SERVICE_PLAN, "scheduledProvisioning": null},
    })
}

/// Makes the body of an order as the API shows it; with `extra`, also a property that no documentation mentions.
pub(super) fn order(
    project: &Id,
    history: &OrderHistory,
    snapshot: &Snapshot,
    started_at: Time,
    extra: bool,
) -> String {
    let price = |amount: &str| json!({"currencyCode": "EUR", "amount": amount});
    let number = |number: &String| {
        json!({
            "phoneNumber": number,
            "numberPrice": {
                "setupPrice": price("0.00"),
                "monthlyPrice": price("2.50"),
                "paymentIntervalMonths": 1,
            },
            "capabilities": ["SMS", "VOICE"],
        })
    };
    json_text(&NumberOrder {
        project_id: project.as_str(),
        id_number_order: history.id.as_str(),
        region_code: history.region.code,
        state: match &snapshot.state {
            Status::Known(state) => state.as_str(),
            Status::Unknown(word) => word,
        },
        number_type: history.region.number_type,
        order_numbers: history.numbers.iter().map(number).collect(),
        sms_configuration: json!({"servicePlanId": SERVICE_PLAN}),
        voice_configuration: None,
        expire_time: snapshot.expires_at.map(|at| zulu(at, 6)),
        create_time: history
            .created()
            .map(|at| zulu(started_at.plus(at), history.fraction_digits)),
        update_time: zulu(snapshot.updated_at, history.fraction_digits),
        fulfilment: extra.then(|| json!({"carrier": "simulated", "steps": [1, 2]})),
    })
}

/// Makes the body of an error as the API words it.
pub(super) fn error(code: u16, message: &str, order: Option<&str>) -> String {
    let status = match code {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    let details: Vec<Value> = order
        .map(|name| {
            json!({"type": "ResourceInfo", "resourceType": "NumberOrder", "resourceName": name, "owner": "", "description": message})
        })
        .into_iter()
        .collect();
    json!({"error": {"code": code, "message": message, "status": status, "details": details}})
        .to_string()
}

/// Makes the body with which the token endpoint answers.
pub(super) fn token(access_token: &str) -> String {
    json!({"access_token": access_token, "expires_in": 3599, "scope": "", "token_type": "bearer"})
        .to_string()
}

/// Makes a `Basic` authorization header of RFC 7617.
pub(super) fn basic(user: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut header = String::from("Basic ");
    for chunk in format!("{user}:{password}").as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, i| {
            bits << 8 | usize::from(chunk.get(i).copied().unwrap_or(0))
        });
        for place in 0..4 {
            header.push(if place <= chunk.len() {
                char::from(DIGITS[bits >> (18 - 6 * place) & 63])
            } else {
                '='
            });
        }
    }
    header
}

fn json_text(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("strings, numbers and lists always have a JSON form")
}

impl SimulatedEvent {
    /// Returns the event's `eventId`, whose time part is the event's time stamp.
    pub fn event_id(&self, started_at: Time) -> String {
        ulid(self.said_at(started_at), self.salt)
    }

    /// Returns the body of the event's callbacks: the same bytes for the same start.
    pub fn body(&self, project: &Id, started_at: Time) -> String {
        callback(self, project, started_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_agrees_with_the_standard() {
        // Example of RFC 7617, and every length of padding.
        assert_eq!(
            basic("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(basic("a", "b"), "Basic YTpi");
        assert_eq!(basic("a", "bc"), "Basic YTpiYw==");
        assert_eq!(basic("a", "bcd"), "Basic YTpiY2Q=");
    }

    #[test]
    fn ulids_carry_their_time_and_sort_by_it() {
        // Time and digits from the tests of the ULID reference.
        let id = ulid(Time(1_469_918_176_385_000), 7);
        assert_eq!((id.len(), &id[..10]), (26, "01aryz6s41"));
        assert!(id < ulid(Time(1_469_918_176_386_000), 0));
    }

    #[test]
    fn times_are_written_as_sinch_does() {
        let at = Time(1_770_091_506_123_456);
        assert_eq!(zoneless(at, 789), "2026-02-03T04:05:06.123456789");
        assert_eq!(
            zoneless(Time(1_770_091_506_000_000), 0),
            "2026-02-03T04:05:06.000000000"
        );
        assert_eq!(zulu(at, 0), "2026-02-03T04:05:06Z");
        assert_eq!(zulu(at, 3), "2026-02-03T04:05:06.123Z");
        assert_eq!(zulu(at, 6), "2026-02-03T04:05:06.123456Z");
    }
}
