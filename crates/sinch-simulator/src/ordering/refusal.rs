//! Refusals of the ordering side: why a call is not done. Their bodies are made by `wire`.

use super::readings::FieldNotation;

/// Fault of one property of a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Place of the property in the request, in the notation that was chosen; empty: no single property.
    pub field: String,
    /// Sentence about the property's fault. It may repeat a value, so it is personal data.
    pub description: String,
}

impl Violation {
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Violation {
        Violation {
            field: field.into(),
            description: description.into(),
        }
    }

    /// Makes a violation that belongs to no single property of the request.
    pub fn of_form(description: &str) -> Violation {
        Violation::new("", description)
    }
}

/// Shows the place of the violation alone, since its description may hold personal data.
impl std::fmt::Debug for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Violation({:?})", self.field)
    }
}

impl FieldNotation {
    /// Returns the place of a field in a part of a registration's `data`.
    pub(super) fn place(self, part: usize, name: &str) -> String {
        match self {
            FieldNotation::Whole => format!("requestDetails.data[{part}].{name}"),
            FieldNotation::Data => format!("data[{part}].{name}"),
            FieldNotation::Pointer => format!("/requestDetails/data/{part}/{name}"),
            FieldNotation::Bare => name.to_owned(),
        }
    }
}

/// Kind of resource that does not exist, as the API names it. That of an order is not published.
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

/// Reason for which the ordering side refuses a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request is wrong: 400, with all that is wrong with it.
    Invalid {
        message: String,
        violations: Vec<Violation>,
    },
    /// The body is no JSON: 400, of a gateway, in its own form.
    Unreadable,
    /// Nothing is required for the region and type: 404.
    NothingRequired,
    /// The resource of the call does not exist: 404.
    Missing {
        resource: Resource,
        name: String,
        message: String,
    },
    /// The uploaded file is too large: 413.
    TooLarge,
}

impl Refusal {
    /// Makes the refusal of a request that is wrong as a whole.
    pub fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::Invalid {
            message: message.into(),
            violations: Vec::new(),
        }
    }

    /// Makes the refusal of a request because of one of its properties.
    pub fn of_field(field: &str, description: impl Into<String>) -> Refusal {
        Refusal::Invalid {
            message: "Invalid request".to_owned(),
            violations: vec![Violation::new(field, description)],
        }
    }

    /// Makes the refusal of a call about a resource that does not exist. For numbers the message is empty.
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
