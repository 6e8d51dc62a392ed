//! Decisions on deliveries: on what an event says, and on callbacks that are no event of an order.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Decision, Id};

/// Decision on a delivery. Its three kinds share no code, so that a code alone tells which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DeliveryDecision {
    /// The delivery is an event of an order, and was applied to it.
    Event(Decision),
    /// The delivery is kept, and changed no order.
    Kept(Kept),
    /// The callback is genuine and was not understood.
    NotUnderstood(NotUnderstood),
}

impl DeliveryDecision {
    /// Returns the code of the decision on the delivery.
    pub fn code(&self) -> &'static str {
        match self {
            DeliveryDecision::Event(decision) => decision.code(),
            DeliveryDecision::Kept(kept) => kept.code(),
            DeliveryDecision::NotUnderstood(reason) => reason.code(),
        }
    }
}

impl fmt::Display for DeliveryDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeliveryDecision::Event(decision) => decision.fmt(f),
            DeliveryDecision::Kept(kept) => kept.fmt(f),
            DeliveryDecision::NotUnderstood(reason) => reason.fmt(f),
        }
    }
}

/// Reason why a delivery is kept although it changed no order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Kept {
    /// The callback is about another subject than a number order. The delivery is recorded.
    OtherResource(OtherEvent),
    /// Only a fetch could decide, and the project's API is off. The delivery is parked.
    ApiOff {
        /// Decision on the event, which asks for a fetch that may not be sent.
        decision: Decision,
    },
    /// The row of the delivery's order cannot be read. The delivery is parked.
    OrderUnreadable {
        /// Fault of the order's row, in words.
        fault: String,
    },
    /// The row of the delivery's order cannot be written. The delivery is parked.
    OrderUnwritable {
        /// Fault of the order's row, in words.
        fault: String,
    },
    /// The delivery's own row cannot be read. The delivery is parked.
    DeliveryUnreadable {
        /// Fault of the delivery's row, in words.
        fault: String,
    },
}

/// Event about another subject than a number order: an active number, an imported one, or what Sinch adds later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherEvent {
    /// `resourceType`, as the callback has it.
    pub resource_type: String,
    /// `resourceId`: of an active number the number itself, in E.164. `None` if it is absent or no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `eventType`, as the callback has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// `status`, as the callback has it: of an active number SUCCEEDED or FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `failureCode`, as the callback has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

impl fmt::Display for OtherEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "about {:?}, not a number order: recorded",
            self.resource_type
        )?;
        let said = [
            &self.resource,
            &self.event_type,
            &self.status,
            &self.failure_code,
        ];
        let mut words = said.into_iter().flatten();
        words.try_for_each(|word| write!(f, "; {word}"))
    }
}

impl Kept {
    /// Returns the code of the reason why the delivery is kept.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::OtherResource(event) => event.fmt(f),
            Kept::ApiOff { decision } => write!(
                f,
                "{decision}, and none can be sent: this project says api = \"off\""
            ),
            Kept::OrderUnreadable { fault } => write!(f, "its order cannot be read: {fault}"),
            Kept::OrderUnwritable { fault } => write!(f, "its order cannot be written: {fault}"),
            Kept::DeliveryUnreadable { fault } => f.write_str(fault),
        }
    }
}

/// Reason why a genuine callback was not understood. Its delivery is parked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NotUnderstood {
    /// The body of the callback is not JSON: parsing failed at the given place.
    BodyNotJson {
        /// Line of the body at which parsing failed, from 1.
        line: usize,
        /// Byte of that line at which parsing failed, from 1.
        column: usize,
    },
    /// The body of the callback is JSON of another kind than an object.
    BodyNotAnObject,
    /// A property that every callback needs is missing.
    PropertyMissing {
        /// Name of the missing property.
        property: String,
    },
    /// A property of the callback is longer than any value that has a meaning.
    PropertyTooLong {
        /// Name of the property that is too long.
        property: String,
        /// Maximum number of bytes that the property may have.
        max_bytes: usize,
    },
    /// A property of the callback is not a string.
    PropertyNotText {
        /// Name of the property that is not a string.
        property: String,
    },
    /// A property of the callback is a string whose escapes give no Unicode text.
    PropertyNotUnicode {
        /// Name of the property that gives no Unicode text.
        property: String,
    },
    /// The callback names another project than the one to which its path belongs.
    ProjectMismatch {
        /// Project that the callback names.
        named: String,
        /// Project to which the callback's path belongs.
        project: Id,
    },
    /// The order's id is one that no URL could contain.
    UnusableOrderId,
}

impl NotUnderstood {
    /// Returns the code of the reason why the callback was not understood.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotUnderstood::BodyNotJson { line, column } => {
                write!(f, "the body is not JSON (line {line}, column {column})")
            }
            NotUnderstood::BodyNotAnObject => f.write_str("the body is JSON but not an object"),
            NotUnderstood::PropertyMissing { property } => write!(f, "{property} is missing"),
            NotUnderstood::PropertyTooLong {
                property,
                max_bytes,
            } => write!(f, "{property} is longer than {max_bytes} bytes"),
            NotUnderstood::PropertyNotText { property } => {
                write!(f, "{property} is not a string")
            }
            NotUnderstood::PropertyNotUnicode { property } => write!(
                f,
                "{property} is not Unicode text: half of a pair is escaped"
            ),
            NotUnderstood::ProjectMismatch { named, project } => write!(
                f,
                "projectId is not the project that this path belongs to: {named:?}, not {project}"
            ),
            NotUnderstood::UnusableOrderId => {
                f.write_str("resourceId cannot be the id of an order: it could not stand in a URL")
            }
        }
    }
}
