//! Callbacks: the content of their bodies.
//!
//! Unknown properties, resource types and statuses are normal, and absent, `null` and `""` mean the same. Check the
//! signature first ([`crate::signature`]): until then, anybody may have sent the body.

use super::properties::properties;

/// `resourceType` of callbacks about a number order.
pub const NUMBER_ORDER: &str = "NUMBER_ORDER";

properties! {
    /// The documented properties of a callback, each as it is in the body.
    Callback {
        /// Id of the event: `eventId`, the same for each attempt to deliver an event, as far as Sinch's sources show.
        event_id = "eventId",
        /// Time at which Sinch created and queued the callback: `timestamp`.
        timestamp = "timestamp",
        /// Id of the project that the callback is about: `projectId`.
        project_id = "projectId",
        /// Kind of the resource: `resourceType`, which is [`NUMBER_ORDER`], `ACTIVE_NUMBER`, or another word.
        resource_type = "resourceType",
        /// Id of the resource: `resourceId`, which is an order's `idNumberOrder`, or a number.
        resource_id = "resourceId",
        /// Type of the event: `eventType`.
        event_type = "eventType",
        /// Result of the event: `status`, which is an order's state, or the success or failure of another event.
        status = "status",
        /// Reason for a failure: `failureCode`.
        failure_code = "failureCode",
        /// Further code of a failure: `internalFailureCode`.
        internal_failure_code = "internalFailureCode",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Property;

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
