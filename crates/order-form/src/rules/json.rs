//! Pieces of the answer of a lookup, each as it arrived.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sinch_numbers::Property;
use sinch_numbers::api::Object;

/// Piece of the rules that this program does not recognise, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// Path to the piece in the lookup's answer.
    pub place: String,
    /// The piece of the answer as it arrived: JSON.
    pub json: String,
}

/// Returns a property of the answer as a piece to show; `None` if it is absent.
pub(super) fn as_piece(place: &str, property: &Property<'_>) -> Option<NotUnderstood> {
    let json = match property {
        Property::Absent => return None,
        Property::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
        Property::Garbled(json) | Property::Other(json) => json.to_string(),
    };
    let place = place.to_owned();
    Some(NotUnderstood { place, json })
}

/// Returns the properties of an object that have none of the given names.
pub(super) fn other_keys(object: &Object, place: &str, known: &[&str]) -> Vec<NotUnderstood> {
    let dot = if place.is_empty() { "" } else { "." };
    keys(object)
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()))
        .filter_map(|name| as_piece(&format!("{place}{dot}{name}"), &object.get(&name)))
        .collect()
}

/// Returns the pieces of a property that cannot be read as a list of objects: all of it if it is no list, else each
/// element that is no object.
pub(super) fn other_elements(place: &str, list: &Property<'_>) -> Vec<NotUnderstood> {
    let Some(all) = elements(list) else {
        return Vec::from_iter(as_piece(place, list));
    };
    let odd = all.iter().enumerate();
    let odd = odd.filter(|(_, element)| object(element).is_none());
    odd.filter_map(|(n, element)| as_piece(&format!("{place}[{n}]"), element))
        .collect()
}

/// Returns the object that a property holds.
pub(super) fn object(property: &Property<'_>) -> Option<Object> {
    Object::read(property.json()?.as_bytes()).ok()
}

/// Returns the names of an object's properties.
pub(super) fn keys(object: &Object) -> Vec<String> {
    let all: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(object.json()).ok();
    all.unwrap_or_default().into_keys().collect()
}

/// Returns the elements of a list; `None` if the property is no list. Elements that are unset keep their place.
pub(super) fn elements<'a>(property: &'a Property<'_>) -> Option<Vec<Property<'a>>> {
    let list: Vec<&RawValue> = serde_json::from_str(property.json()?).ok()?;
    Some(
        list.into_iter()
            .map(|element| Property::of(element.get()))
            .collect(),
    )
}
