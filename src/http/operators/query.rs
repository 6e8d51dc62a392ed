//! Parameters of a URL's query, name by name.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use jiff::Timestamp;
use url::form_urlencoded;

use crate::http::problem::Problem;
use number_order::{Id, Time};

/// Values of a query's parameters, each under its name.
pub(super) struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    /// Reads a query that may have parameters of the given names, each at most once.
    pub(super) fn read(query: RawQuery, names: &[&str]) -> Result<QueryParams, Problem> {
        let query = query.0.unwrap_or_default();
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if !names.contains(&name.as_str()) {
                let known = names.join(", ");
                return Err(bad_parameter(format!(
                    "{name:.40}: no such parameter; write one of {known}"
                )));
            }
            if params.iter().any(|(known, _)| *known == name) {
                return Err(bad_parameter(format!(
                    "{name}: written twice; write it once"
                )));
            }
            params.push((name, value));
        }
        Ok(QueryParams(params))
    }

    /// Returns the value of a parameter, if the query has it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter that must be a number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Problem> {
        let read = |text: &str| {
            let fault = || {
                bad_parameter(format!(
                    "{name}: {text:.40?} is no number that can stand here; write digits"
                ))
            };
            text.parse().map_err(|_| fault())
        };
        self.text(name).map(read).transpose()
    }

    /// Returns the value of a parameter that must be one of the given words.
    pub(super) fn word(
        &self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let word = words.iter().copied().find(|word| *word == text);
        let fault = || bad_parameter(format!("{name}: write one of {}", words.join(", ")));
        word.map(Some).ok_or_else(fault)
    }

    /// Returns the value of a parameter that must be a point in time.
    pub(super) fn time(&self, name: &str) -> Result<Option<Time>, Problem> {
        let read = |text: &str| {
            let fault = || {
                bad_parameter(format!(
                    "{name}: {text:.40?} is no time; write it as 2026-01-31T12:00:00Z"
                ))
            };
            let at: Timestamp = text.parse().map_err(|_| fault())?;
            Ok(Time::from(at))
        };
        self.text(name).map(read).transpose()
    }

    /// Returns the value of a parameter that must be an id.
    pub(super) fn id(&self, name: &str) -> Result<Option<Id>, Problem> {
        let fault = || bad_parameter(format!("{name}: not the id of one at Sinch"));
        let read = |text: &str| Id::new(text).ok_or_else(fault);
        self.text(name).map(read).transpose()
    }

    /// Returns `true` if the query asks for the newest items first.
    pub(super) fn newest_first(&self) -> Result<bool, Problem> {
        Ok(self.word("sort", &["oldest", "newest"])? == Some("newest"))
    }

    /// Returns the value of a parameter that must be `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some("false") => Ok(Some(false)),
            Some("true") => Ok(Some(true)),
            Some(other) => Err(bad_parameter(format!(
                "{name}: {other:.40?} is neither true nor false"
            ))),
        }
    }
}

fn bad_parameter(detail: String) -> Problem {
    Problem::with_detail(StatusCode::BAD_REQUEST, detail)
}
