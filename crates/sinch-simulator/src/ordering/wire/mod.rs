//! Bodies of the ordering side, in the forms that the readings choose.

mod callback;
mod error;
mod numbers;
mod orders;

pub(super) use callback::{body as callback, event_id};
pub(super) use error::{
    ErrorBody, failure, forbidden, refusal, throttled, too_large_page, unauthorized,
};
pub(super) use numbers::{active, available, regions};
pub(super) use orders::{order, registration};

use serde_json::{Map, Value, json};

use super::readings::{Fractions, Readings, Unset};
use super::stock::Product;
use crate::wire::zulu;
use number_order::Time;

/// Builder of a JSON object. The name of a property decides where a reading is mixed, so that a property always has the
/// same form.
struct Body<'a> {
    readings: &'a Readings,
    properties: Map<String, Value>,
}

impl<'a> Body<'a> {
    fn new(readings: &'a Readings) -> Body<'a> {
        Body {
            readings,
            properties: Map::new(),
        }
    }

    fn set(mut self, key: &str, value: impl Into<Value>) -> Body<'a> {
        self.properties.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a property that is a text; an empty text is not set.
    fn text(self, key: &str, text: &str) -> Body<'a> {
        if text.is_empty() {
            self.leave_unset(key, || "".into())
        } else {
            self.set(key, text)
        }
    }

    fn time(self, key: &str, at: Option<Time>) -> Body<'a> {
        let digits = match self.readings.fractions {
            Fractions::None => 0,
            Fractions::Three => 3,
            Fractions::Six => 6,
            Fractions::Nine => 9,
            Fractions::Mixed => [0, 3, 6, 9][mix(key) % 4],
        };
        match at {
            Some(at) => self.set(key, zulu(at, digits)),
            None => self.leave_unset(key, || "".into()),
        }
    }

    /// Sets a property that is an object, or leaves it unset; `empty` is its form without content.
    fn object(self, key: &str, object: Option<Value>, empty: impl FnOnce() -> Value) -> Body<'a> {
        match object {
            Some(object) => self.set(key, object),
            None => self.leave_unset(key, empty),
        }
    }

    fn leave_unset(self, key: &str, empty: impl FnOnce() -> Value) -> Body<'a> {
        let form = match (self.readings.unset, mix(key) % 3) {
            (Unset::Mixed, 0) => Unset::Absent,
            (Unset::Mixed, 1) => Unset::Null,
            (Unset::Mixed, _) => Unset::Empty,
            (form, _) => form,
        };
        match form {
            Unset::Absent | Unset::Mixed => self,
            Unset::Null => self.set(key, Value::Null),
            Unset::Empty => self.set(key, empty()),
        }
    }

    fn done(self) -> Value {
        Value::Object(self.properties)
    }
}

/// Returns a number by which the properties of an object differ: always the same for the same name.
fn mix(key: &str) -> usize {
    key.bytes().map(usize::from).sum()
}

fn money(product: &Product, amount: &str) -> Value {
    json!({"currencyCode": product.currency, "amount": amount})
}
