//! Fields of a part. The keys are those of a sister API's policies, so each is optional, and a value of another type
//! than expected is shown and not obeyed.

use regex::Regex;
use serde_json::Value;
use sinch_numbers::Property;
use sinch_numbers::api::Object;

use super::json::{NotUnderstood, as_piece, elements, keys, other_keys};

/// Keys of a field that are read.
const KNOWN_KEYS: [&str; 13] = [
    "name",
    "title",
    "description",
    "x-placeholder",
    "type",
    "required",
    "minLength",
    "maxLength",
    "pattern",
    "enum",
    "examples",
    "message",
    "messages",
];

/// Name of the field that presumably names the ordered number. Sinch does not say what it is: in its sample of a
/// registration the part with it is about the number. (Inferred.)
const NUMBER_FIELD: &str = "senderId";

/// Field of a part of the registration.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Name of the field, its key in the part's data: `name`.
    pub name: String,
    /// Label of the field: `title`.
    pub title: Option<String>,
    /// Description of the field, in which a line can end with a line feed, or with a backslash and an `n`:
    /// `description`.
    pub description: Option<String>,
    /// Example of the field's value: `x-placeholder`.
    pub placeholder: Option<String>,
    /// Type of the field's value: `type`.
    pub kind: FieldKind,
    /// `true` if the field must be given: `required`, on the property itself; absent: optional.
    pub is_required: bool,
    /// Minimum length of the field's text, in characters: `minLength`.
    pub min_length: Option<u64>,
    /// Maximum length of the field's text, in characters: `maxLength`.
    pub max_length: Option<u64>,
    /// Regular expression that the field's text must match, as it arrived: `pattern`.
    pub pattern: Option<String>,
    /// `pattern` of the field, compiled. Its dialect is not known, so one that does not compile here, or compiles to
    /// more than the library's limit, is not checked.
    pub(crate) regex: Option<Regex>,
    /// Values that the field allows: `enum`.
    pub choices: Option<Choices>,
    /// Examples of the field's value: `examples`.
    pub examples: Vec<String>,
    /// Sentences of the field for broken rules, as pairs of the rule's key and the sentence: `message` and `messages`.
    pub messages: Vec<(String, String)>,
    /// Properties of the field that were not recognised.
    pub not_understood: Vec<NotUnderstood>,
}

/// Type of a field's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldKind {
    /// A text: `string`.
    Text,
    /// `true` or `false`: `boolean`.
    Flag,
    /// Another type, or none: no value is doubted for its type.
    #[default]
    Any,
}

/// Values that a field allows.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    /// `[null, true]`: the value must be confirmed.
    Confirmation,
    /// One of these values. `null`, by which a list lets a value be absent, is left out.
    OneOf(Vec<Value>),
}

impl Field {
    /// Returns the field's sentence for a broken rule, if there is one.
    pub fn message(&self, rule: &str) -> Option<&str> {
        let found = self.messages.iter().find(|(key, _)| key == rule);
        found.map(|(_, sentence)| sentence.as_str())
    }

    /// Returns `true` if the field presumably names the ordered number.
    pub(crate) fn seems_ordered_number(&self) -> bool {
        self.name == NUMBER_FIELD
    }

    /// Reads a field from a property of a rule's template; `None` if it has no name.
    pub(super) fn understand(place: &str, property: &Object) -> Option<Field> {
        let name = property.get("name").text()?.to_owned();
        let mut reader = FieldReader {
            place,
            property,
            not_understood: other_keys(property, place, &KNOWN_KEYS),
        };
        let is_required = reader.read_json("required");
        let pattern = reader.read_text("pattern");
        Some(Field {
            name,
            title: reader.read_text("title"),
            description: reader.read_text("description"),
            placeholder: reader.read_text("x-placeholder"),
            kind: reader.read_kind(),
            is_required: is_required.unwrap_or(false),
            min_length: reader.read_json("minLength"),
            max_length: reader.read_json("maxLength"),
            regex: pattern.as_deref().and_then(|text| Regex::new(text).ok()),
            pattern,
            choices: reader.read_choices(),
            examples: reader.read_examples(),
            messages: reader.read_messages(),
            not_understood: reader.not_understood,
        })
    }
}

/// Reader of one field's keys, which notes what it cannot read.
struct FieldReader<'a> {
    place: &'a str,
    property: &'a Object,
    not_understood: Vec<NotUnderstood>,
}

impl FieldReader<'_> {
    fn note_not_understood(&mut self, key: &str, value: &Property<'_>) {
        let piece = as_piece(&format!("{}.{key}", self.place), value);
        self.not_understood.extend(piece);
    }

    fn read_text(&mut self, key: &str) -> Option<String> {
        let value = self.property.get(key);
        let text = value.text().map(str::to_owned);
        if text.is_none() {
            self.note_not_understood(key, &value);
        }
        text
    }

    /// Reads the value of a key of the field that is no text.
    fn read_json<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.property.get(key);
        let read = value
            .json()
            .and_then(|json| serde_json::from_str(json).ok());
        if read.is_none() {
            self.note_not_understood(key, &value);
        }
        read
    }

    fn read_kind(&mut self) -> FieldKind {
        let value = self.property.get("type");
        match value.text() {
            Some("string") => FieldKind::Text,
            Some("boolean") => FieldKind::Flag,
            _ => {
                self.note_not_understood("type", &value);
                FieldKind::Any
            }
        }
    }

    fn read_choices(&mut self) -> Option<Choices> {
        let all: Vec<Value> = self.read_json("enum")?;
        let set: Vec<Value> = all.iter().filter(|v| !v.is_null()).cloned().collect();
        if set == [Value::Bool(true)] && set.len() < all.len() {
            Some(Choices::Confirmation)
        } else if set.is_empty() {
            None
        } else {
            Some(Choices::OneOf(set))
        }
    }

    fn read_examples(&mut self) -> Vec<String> {
        let value = self.property.get("examples");
        let Some(all) = elements(&value) else {
            self.note_not_understood("examples", &value);
            return Vec::new();
        };
        let texts = all.iter().filter_map(|example| match example {
            Property::Text(text) => Some(text.to_string()),
            Property::Other(json) => Some(json.to_string()),
            Property::Absent | Property::Garbled(_) => None,
        });
        texts.collect()
    }

    /// Reads the sentences that Sinch gives for the field's broken rules, each with the name of its rule. A sentence
    /// that is not a text is left out: the rule itself says as much.
    fn read_messages(&mut self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for key in ["message", "messages"] {
            let value = self.property.get(key);
            let Some(object) = value.json().and_then(|j| Object::read(j.as_bytes()).ok()) else {
                self.note_not_understood(key, &value);
                continue;
            };
            let sentence = |rule: String| Some((object.get(&rule).text()?.to_owned(), rule));
            let sentences = keys(&object).into_iter().filter_map(sentence);
            all.extend(sentences.map(|(sentence, rule)| (rule, sentence)));
        }
        all
    }
}
