//! Refusals: why a call is not done. Their bodies are made by `wire`.

use super::readings::FieldNotation;

/// Fault of one property.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Place of the property, in the notation that was chosen; empty: no single property.
    pub field: String,
    /// Sentence about the fault. It may repeat a value, so it is personal data.
    pub description: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Violation {
        Violation {
            field: field.into(),
            description: description.into(),
        }
    }

    /// Makes a violation that belongs to no single property.
    pub fn of_form(description: &str) -> Violation {
        Violation::new("", description)
    }
}

/// Shows the place alone, since the description may hold personal data.
impl std::fmt::Debug for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Violation({:?})", self.field)
    }
}

impl FieldNotation {
    /// Names a field of a part of a registration's `data`.
    pub(super) fn place(self, part: usize, name: &str) -> String {
        match self {
            FieldNotation::Whole => format!("requestDetails.data[{part}].{name}"),
            FieldNotation::Data => format!("data[{part}].{name}"),
            FieldNotation::Pointer => format!("/requestDetails/data/{part}/{name}"),
            FieldNotation::Bare => name.to_owned(),
        }
    }
}

/// Kind of thing that is not there, as the API names it. That of an order is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    NumberOrder,
    AvailableNumber,
    ActiveNumber,
    CallbackConfiguration,
}

impl Resource {
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::NumberOrder => "NumberOrder",
            Resource::AvailableNumber => "AvailableNumber",
            Resource::ActiveNumber => "ActiveNumber",
            Resource::CallbackConfiguration => "CallbackConfiguration",
        }
    }
}

/// Reason for which a call is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 400, with all that is wrong.
    Invalid {
        message: String,
        violations: Vec<Violation>,
    },
    /// 400: the body is no JSON. A gateway answers, in its own form.
    Unreadable,
    /// 404: nothing is required for the region and type.
    NothingRequired,
    /// 404: the resource does not exist.
    Missing {
        resource: Resource,
        name: String,
        message: String,
    },
    /// 413: the file is too large.
    TooLarge,
}

impl Refusal {
    /// Refuses a request that is wrong as a whole.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::Invalid {
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// Refuses a request because of one property.
    pub fn of_field(field: &str, description: impl Into<String>) -> Refusal {
        Refusal::Invalid {
            message: "Invalid request".to_owned(),
            violations: vec![Violation::new(field, description)],
        }
    }

    /// Refuses a call about a resource that does not exist. For numbers the message is empty.
    pub fn missing(resource: Resource, name: &str) -> Refusal {
        let message = match resource {
            Resource::NumberOrder => "number order not found".to_owned(),
            Resource::AvailableNumber | Resource::ActiveNumber => String::new(),
            Resource::CallbackConfiguration => format!("Could not find project with ID: {name}"),
        };
        let name = match resource {
            Resource::CallbackConfiguration => String::new(),
            _ => name.to_owned(),
        };
        Refusal::Missing {
            resource,
            name,
            message,
        }
    }
}
