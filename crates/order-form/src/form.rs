//! A form of an order that was filled in.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use sinch_numbers::api::{NewOrder, NumberType, Ordered, RegistrationData};

use crate::place::Place;

/// Form that was filled in: an order, its registration and its documents.
///
/// `Debug` shows the reference alone.
#[derive(Clone)]
pub struct Form {
    pub(crate) reference: String,
    /// The number order, as yet without a callback URL.
    pub(crate) order: NewOrder,
    /// Parts of the registration, in the order of their numbers, from 1; a number that is left out has no entries.
    pub(crate) parts: Vec<PartData>,
    pub(crate) documents: Vec<FormDocument>,
    /// Line of each key that the form holds, by its place.
    pub(crate) lines: BTreeMap<Place, usize>,
}

/// Data of one part of the registration, as a form has it.
#[derive(Clone, Default)]
pub(crate) struct PartData {
    /// `true` for `[[registration.1]]`: the part is a list, even of one entry.
    pub is_list: bool,
    pub entries: Vec<Map<String, Value>>,
}

/// Document of a form.
///
/// `Debug` does not show the file, whose name can be a person's.
#[derive(Clone, PartialEq, Eq)]
pub struct FormDocument {
    /// Id of the document, from the requirements.
    pub id: String,
    /// Path of the file, relative to the form; empty where none is named.
    pub file: String,
    /// Type of the document, if the form gives one: `documentType` of the upload.
    pub document_type: Option<String>,
}

impl Form {
    /// Returns the reference, the name of this one order: 1 to 64 lower-case letters, digits and hyphens.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Returns the region in which the order's numbers lie.
    pub fn region(&self) -> &str {
        &self.order.region_code
    }

    /// Returns the type of the order's numbers.
    pub fn number_type(&self) -> &NumberType {
        &self.order.number_type
    }

    /// Returns the number that is ordered, or how many numbers are.
    pub fn numbers(&self) -> &Ordered {
        &self.order.numbers
    }

    /// Returns the order as it is sent to Sinch, with the given callback URL.
    pub fn new_order(&self, callback_url: Option<String>) -> NewOrder {
        let order = self.order.clone();
        NewOrder {
            callback_url,
            ..order
        }
    }

    /// Returns `true` if the form has a part of a registration, with or without a value in it.
    pub fn has_registration(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Returns the registration as it is sent: a list with the parts at their places. A field with an empty text counts
    /// as left out, since a written form has one for each required field; a part that is left out before another is an
    /// empty object.
    pub fn data(&self) -> RegistrationData {
        let set = |entry: &Map<String, Value>| {
            let set = entry.iter().filter(|(_, value)| is_set(value));
            let set = set.map(|(name, value)| (name.clone(), value.clone()));
            Value::Object(set.collect())
        };
        let part = |part: &PartData| {
            if part.is_list {
                part.entries.iter().map(set).collect()
            } else {
                part.entries.first().map_or_else(|| Map::new().into(), set)
            }
        };
        RegistrationData::new(self.parts.iter().map(part).collect())
    }

    /// Returns the documents that the form names, in its order.
    pub fn documents(&self) -> &[FormDocument] {
        &self.documents
    }

    /// Returns the form's line of the first of the places that it has; 1 if it has none.
    pub(crate) fn line(&self, places: &[&Place]) -> usize {
        let found = places.iter().find_map(|place| self.lines.get(place));
        found.copied().unwrap_or(1)
    }
}

/// Returns `true` for a value of a form that says something: `""` does not.
pub(crate) fn is_set(value: &Value) -> bool {
    value.as_str() != Some("")
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form")
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FormDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormDocument")
            .field("id", &self.id)
            .field("document_type", &self.document_type)
            .finish_non_exhaustive()
    }
}
