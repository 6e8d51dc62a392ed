//! Queries of calls that search or list numbers.

use axum::http::Uri;
use url::form_urlencoded;

use super::super::new_order::{NUMBER_TYPES, not_a_value, pattern_of};
use super::super::readings::PatternAlone;
use super::super::refusal::Refusal;
use super::super::stock::Filter;

/// Parameters of a query. A key may come several times; `+` means a space, so the plus of a number must be sent as
/// `%2B`.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Query {
        let query = uri.query().unwrap_or_default().as_bytes();
        Query(form_urlencoded::parse(query).into_owned().collect())
    }

    /// Returns the value of a query's parameter, unless it is absent or empty.
    pub fn one(&self, key: &str) -> Option<&str> {
        let pair = self.0.iter().find(|(known, _)| known == key)?;
        Some(pair.1.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns the values of a query's parameter that may be repeated.
    pub fn all(&self, key: &str) -> Vec<String> {
        let of_key = self.0.iter().filter(|(known, _)| known == key);
        of_key.map(|(_, value)| value.clone()).collect()
    }

    /// Returns the value of a parameter that the query must have.
    pub fn required(&self, key: &str) -> Result<&str, Refusal> {
        self.one(key)
            .ok_or_else(|| Refusal::of_field(key, "is required"))
    }

    /// Returns the value of a query's parameter that is a number, 1 or more.
    pub fn size(&self, key: &str) -> Result<Option<usize>, Refusal> {
        let read = |word: &str| {
            let size = word.parse().ok().filter(|size: &usize| *size > 0);
            size.ok_or_else(|| not_a_value(key, word))
        };
        self.one(key).map(read).transpose()
    }

    /// Returns the conditions of a query that numbers must fulfil. The parameter for capabilities has a name of its own
    /// in each call.
    pub fn filter(&self, capabilities: &str, alone: PatternAlone) -> Result<Filter, Refusal> {
        let part = self.one("numberPattern.pattern");
        let place = self.one("numberPattern.searchPattern");
        Ok(Filter {
            capabilities: self.all(capabilities),
            pattern: pattern_of(part, place, alone)?,
        })
    }
}

/// Refuses a word that is no type of numbers.
pub(super) fn check_type(key: &str, word: &str) -> Result<(), Refusal> {
    if NUMBER_TYPES.contains(&word) {
        Ok(())
    } else {
        Err(not_a_value(key, word))
    }
}
