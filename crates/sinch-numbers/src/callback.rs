//! Callbacks: the content of their bodies.
//!
//! Unknown properties, resource types and statuses are normal, and absent, `null` and `""` mean the same. Check the
//! signature first ([`crate::signature`]): until then, anybody may have sent the body.

use super::property::{self, Property, Unreadable};

/// The `resourceType` of a number order.
pub const NUMBER_ORDER: &str = "NUMBER_ORDER";

/// The documented properties of a callback, each as it is in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback<'a> {
    /// `eventId`: the same for each attempt to deliver an event, as far as Sinch's sources show.
    pub event_id: Property<'a>,
    /// `timestamp`: the time at which Sinch created and queued the callback.
    pub timestamp: Property<'a>,
    /// `projectId`.
    pub project_id: Property<'a>,
    /// `resourceType`: [`NUMBER_ORDER`], `ACTIVE_NUMBER`, or another word.
    pub resource_type: Property<'a>,
    /// `resourceId`: an order's `idNumberOrder`, or a number.
    pub resource_id: Property<'a>,
    /// `eventType`.
    pub event_type: Property<'a>,
    /// `status`: an order's state, or the success or failure of another event.
    pub status: Property<'a>,
    /// `failureCode`.
    pub failure_code: Property<'a>,
    /// `internalFailureCode`.
    pub internal_failure_code: Property<'a>,
}

impl Callback<'_> {
    /// Names of the properties, in the order of the fields.
    const NAMES: [&'static str; 9] = [
        "eventId",
        "timestamp",
        "projectId",
        "resourceType",
        "resourceId",
        "eventType",
        "status",
        "failureCode",
        "internalFailureCode",
    ];

    /// Reads the body of a callback.
    ///
    /// # Errors
    ///
    /// Fails if the body is no JSON object.
    pub fn read(body: &[u8]) -> Result<Callback<'_>, Unreadable> {
        let [
            event_id,
            timestamp,
            project_id,
            resource_type,
            resource_id,
            event_type,
            status,
            failure_code,
            internal_failure_code,
        ] = property::read(body, &Self::NAMES)?;
        Ok(Callback {
            event_id,
            timestamp,
            project_id,
            resource_type,
            resource_id,
            event_type,
            status,
            failure_code,
            internal_failure_code,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Property<'_> {
        Property::Text(text.into())
    }

    #[test]
    fn every_documented_property_is_read() {
        let body = br#"{"eventId":"e1","timestamp":"2026-02-03T04:05:06.123456789","projectId":"p1","extra":[1],
            "resourceType":"ACTIVE_NUMBER","resourceId":"+46700000000","eventType":"PROVISIONING_TO_SMS_PLATFORM",
            "status":"FAILED","failureCode":"CAMPAIGN_NOT_AVAILABLE","internalFailureCode":7}"#;
        assert_eq!(
            Callback::read(body),
            Ok(Callback {
                event_id: text("e1"),
                timestamp: text("2026-02-03T04:05:06.123456789"),
                project_id: text("p1"),
                resource_type: text("ACTIVE_NUMBER"),
                resource_id: text("+46700000000"),
                event_type: text("PROVISIONING_TO_SMS_PLATFORM"),
                status: text("FAILED"),
                failure_code: text("CAMPAIGN_NOT_AVAILABLE"),
                internal_failure_code: Property::Other("7".into()),
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Callback::read(&body);
        }
    }
}
