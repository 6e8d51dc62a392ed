//! Requirements of Australian mobile numbers, and the check of a registration against them.
//!
//! Sinch publishes the names of a registration's fields, and of another API the keys of a rule. Every limit, sentence,
//! choice and document here is invented: a client that relies on one of them relies on this simulator.

use serde_json::{Map, Value, json};

use super::readings::{AttachmentsPlace, NothingRequired, Readings, RuleSentences, ViolationText};
use super::refusal::{Refusal, Violation};

/// Form that the text of a field must have, as a regular expression for the client and as a function for the check.
struct FieldPattern {
    expression: &'static str,
    sentence: &'static str,
    holds: fn(&str) -> bool,
}

/// Kind of value of a registration's field.
enum ValueKind {
    /// The value is a text with a maximum number of characters, and perhaps a form.
    Text(usize, Option<FieldPattern>),
    /// The value is one of the given texts.
    Choice(&'static [&'static str]),
    /// The value must be `true`.
    Confirmation,
}

struct Field {
    name: &'static str,
    title: &'static str,
    is_required: bool,
    kind: ValueKind,
}

const fn text_field(name: &'static str, title: &'static str, max: usize) -> Field {
    Field {
        name,
        title,
        is_required: true,
        kind: ValueKind::Text(max, None),
    }
}

const fn field_in_form(
    name: &'static str,
    title: &'static str,
    max: usize,
    pattern: FieldPattern,
) -> Field {
    Field {
        name,
        title,
        is_required: true,
        kind: ValueKind::Text(max, Some(pattern)),
    }
}

/// Parts of an Australian registration: the ordered number, the business, the contact person.
const REGISTRATION_PARTS: [&[Field]; 3] = [
    &[
        field_in_form(
            "senderId",
            "Ordered number",
            20,
            FieldPattern {
                expression: "^[+]61[0-9]{9}$",
                sentence: "An Australian number, from +61.",
                holds: |text| is_number(text, "+61") && text.len() == 12,
            },
        ),
        text_field("purposeOfTheTraffic", "What the messages are for", 120),
        Field {
            name: "intendedUseOfMobileNumbers",
            title: "Kind of messages",
            is_required: true,
            kind: ValueKind::Choice(&["Transactional", "Promotional"]),
        },
        Field {
            name: "iConfirmThatMyBusinessHasAValidUseCaseForThisLn",
            title: "The business has a valid use for the number",
            is_required: true,
            kind: ValueKind::Confirmation,
        },
    ],
    &[
        text_field("endBusinessName", "Business that uses the number", 100),
        text_field("endBusinessAddress", "Street and house number", 150),
        Field {
            name: "endBusinessAddress2",
            title: "Second line of the address",
            is_required: false,
            kind: ValueKind::Text(150, None),
        },
        text_field("city", "City", 80),
        text_field("state", "State, abbreviated", 3),
        field_in_form(
            "country",
            "Country",
            2,
            FieldPattern {
                expression: "^[A-Z]{2}$",
                sentence: "The country's two letters, in capitals.",
                holds: |text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()),
            },
        ),
        field_in_form(
            "postalCode",
            "Postal code",
            4,
            FieldPattern {
                expression: "^[0-9]{4}$",
                sentence: "Four digits.",
                holds: |text| text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()),
            },
        ),
    ],
    &[
        text_field("firstName", "First name of the contact", 60),
        text_field("lastName", "Last name of the contact", 60),
        field_in_form(
            "phoneNumber",
            "Telephone number of the contact",
            20,
            FieldPattern {
                expression: "^[+][0-9]+$",
                sentence: "The number with its country code, from +.",
                holds: |text| is_number(text, "+"),
            },
        ),
    ],
];

fn is_number(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// Document that belongs to a registration.
pub(super) struct Document {
    /// Id of the document in the answer of the lookup, and in the path of an upload.
    pub id: &'static str,
    title: &'static str,
    description: &'static str,
    pub is_mandatory: bool,
    template: Option<&'static str>,
    /// Media types that the document's file may have; empty: all.
    pub mime_types: &'static [&'static str],
    /// Kinds of documents that are allowed; empty: all, or none given.
    pub kinds: &'static [&'static str],
}

/// Documents of an Australian mobile number's registration.
pub(super) static DOCUMENTS: [Document; 2] = [
    Document {
        id: "5d0c8a52-61f0-4c3e-9a7b-0f2e6b1c4d11",
        title: "Authorisation",
        description: "Letter by which the business lets you order its number.",
        is_mandatory: true,
        template: Some("authorisation.rtf"),
        mime_types: &["application/pdf", "application/rtf"],
        kinds: &[],
    },
    Document {
        id: "5d0c8a52-61f0-4c3e-9a7b-0f2e6b1c4d22",
        title: "Identity",
        description: "Identity document of the contact.",
        is_mandatory: false,
        template: None,
        mime_types: &[],
        kinds: &["Passport", "Driver's License"],
    },
];

/// Returns the document with the id that the lookup of requirements gives.
pub(super) fn document(id: &str) -> Option<&'static Document> {
    DOCUMENTS.iter().find(|document| document.id == id)
}

/// Makes the answer to a lookup of requirements.
pub(super) fn lookup(has_form: bool, readings: &Readings) -> Result<Value, Refusal> {
    if !has_form && readings.nothing_required == NothingRequired::NotFound {
        return Err(Refusal::NothingRequired);
    }
    let (rules, documents) = if has_form {
        let rules = REGISTRATION_PARTS
            .iter()
            .map(|part| rule_of_part(part, readings.rule_sentences));
        (
            rules.collect(),
            DOCUMENTS.iter().map(requirement_of).collect(),
        )
    } else {
        (Vec::new(), Vec::new())
    };
    let mut fields = json!({"schema": "/schema/policySchema-v1.json", "rules": rules});
    Ok(match readings.attachments_place {
        AttachmentsPlace::Beside => json!({"fields": fields, "attachments": documents}),
        AttachmentsPlace::Inside => {
            fields["attachments"] = Value::Array(documents);
            json!({"fields": fields})
        }
    })
}

fn rule_of_part(part: &[Field], sentences: RuleSentences) -> Value {
    let properties: Vec<Value> = part
        .iter()
        .map(|field| property_of_field(field, sentences))
        .collect();
    json!({"template": {"properties": properties}})
}

fn property_of_field(field: &Field, sentences: RuleSentences) -> Value {
    let mut property = json!({"name": field.name, "title": field.title, "type": "string"});
    if field.is_required {
        property["required"] = true.into();
    }
    match &field.kind {
        ValueKind::Text(max, pattern) => {
            property["maxLength"] = (*max).into();
            if let Some(pattern) = pattern {
                property["pattern"] = pattern.expression.into();
                let key = match sentences {
                    RuleSentences::Message => "message",
                    RuleSentences::Messages => "messages",
                };
                property[key] = json!({"pattern": pattern.sentence});
            }
        }
        ValueKind::Choice(choices) => property["enum"] = json!(choices),
        ValueKind::Confirmation => {
            property["type"] = "boolean".into();
            property["enum"] = json!([null, true]);
        }
    }
    property
}

fn requirement_of(document: &Document) -> Value {
    let template = document
        .template
        .map(|name| json!({"name": name, "url": format!("https://files.example/{name}")}));
    json!({
        "id": document.id,
        "title": document.title,
        "description": document.description,
        "mandatory": document.is_mandatory,
        "template": Vec::from_iter(template),
        "allowedMimeTypes": document.mime_types,
        "allowedDocumentTypes": document.kinds,
    })
}

/// Finds what is wrong with the `data` of a registration.
///
/// Each part answers the rule at its place. A part may be an object, or a list of them: how often a part can be filled
/// in is unknown.
pub(super) fn violations(data: &Value, readings: &Readings) -> Vec<Violation> {
    let Some(parts) = data.as_array() else {
        return vec![Violation::of_form("data must be a list")];
    };
    let mut found = Vec::new();
    if parts.len() > REGISTRATION_PARTS.len() {
        found.push(Violation::of_form("there are more parts than rules"));
    }
    for (n, fields) in REGISTRATION_PARTS.iter().enumerate() {
        let filled: Vec<&Map<String, Value>> = match parts.get(n) {
            Some(Value::Object(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_object).collect(),
            _ => Vec::new(),
        };
        let nothing = Map::new();
        let filled = if filled.is_empty() {
            vec![&nothing]
        } else {
            filled
        };
        for object in filled {
            for field in *fields {
                let value = object.get(field.name).unwrap_or(&Value::Null);
                if let Some(fault) = fault_of_value(field, value) {
                    let place = readings.field_notation.place(n, field.name);
                    found.push(Violation::new(
                        place,
                        violation_sentence(fault, value, readings),
                    ));
                }
            }
        }
    }
    found
}

fn violation_sentence(fault: String, value: &Value, readings: &Readings) -> String {
    match (readings.violation_text, value) {
        (ViolationText::Quoting, Value::String(text)) => format!("'{text}' {fault}"),
        _ => fault,
    }
}

fn fault_of_value(field: &Field, value: &Value) -> Option<String> {
    let is_unset = value.is_null() || value.as_str().is_some_and(str::is_empty);
    if is_unset {
        return field.is_required.then(|| "is required".to_owned());
    }
    match (&field.kind, value) {
        (ValueKind::Text(max, _), Value::String(text)) if text.chars().count() > *max => {
            Some(format!("must have at most {max} characters"))
        }
        (ValueKind::Text(_, Some(pattern)), Value::String(text)) if !(pattern.holds)(text) => {
            Some(format!("must match {}", pattern.expression))
        }
        (ValueKind::Text(..), Value::String(_)) | (ValueKind::Confirmation, Value::Bool(true)) => {
            None
        }
        (ValueKind::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => {
            None
        }
        (ValueKind::Choice(choices), _) => Some(format!("must be one of {}", choices.join(", "))),
        (ValueKind::Confirmation, _) => Some("must be confirmed".to_owned()),
        (ValueKind::Text(..), _) => Some("must be a text".to_owned()),
    }
}
