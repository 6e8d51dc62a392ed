//! What a stored event says, whatever its version.

use serde_json::Value;

/// A stored event, read for those who make words of it. What it lacks is absent.
pub(super) struct Stored(Value);

impl Stored {
    pub(super) fn new(event: &str) -> Stored {
        Stored(serde_json::from_str(event).unwrap_or_default())
    }

    /// Returns the type of the event. `CloudEvents` requires one, so an event without has a type that says so.
    pub(super) fn event_type(&self) -> &str {
        let name = self.0["type"].as_str().filter(|name| !name.is_empty());
        name.unwrap_or("unknown")
    }

    pub(super) fn timestamp(&self) -> Option<&str> {
        self.0["timestamp"].as_str()
    }

    pub(super) fn sequence(&self) -> Option<i64> {
        self.0["sequence"].as_i64()
    }

    pub(super) fn is_test(&self) -> bool {
        self.0["test"] == true
    }

    /// Returns the data of the event.
    pub(super) fn data(&self) -> &Value {
        &self.0["data"]
    }

    /// Returns a text of the data.
    pub(super) fn data_text(&self, name: &str) -> Option<&str> {
        self.data()[name].as_str()
    }

    /// Returns the sentence of a code of the data.
    pub(super) fn sentence(&self, name: &str) -> Option<&str> {
        self.data()[name]["text"].as_str()
    }

    /// Returns the telephone numbers of the order.
    pub(super) fn phone_numbers(&self) -> Vec<&str> {
        let numbers = self.data()["details"]["numbers"].as_array();
        let numbers = numbers.into_iter().flatten();
        numbers
            .filter_map(|number| number["phone_number"].as_str())
            .collect()
    }
}
