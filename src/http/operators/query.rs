//! What stands behind the question mark, name by name.

use axum::extract::RawQuery;
use axum::http::StatusCode;
use url::form_urlencoded;

use crate::http::problem::Problem;

/// A query's words, each under its name.
pub(super) struct Words(Vec<(String, String)>);

impl Words {
    /// The words of a query that may have these names, each once.
    pub(super) fn read(query: RawQuery, names: &[&str]) -> Result<Words, Problem> {
        let query = query.0.unwrap_or_default();
        let mut words: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if !names.contains(&name.as_str()) {
                let known = names.join(", ");
                return Err(bad(format!(
                    "{name:.40}: no such word; write one of {known}"
                )));
            }
            if words.iter().any(|(known, _)| *known == name) {
                return Err(bad(format!("{name}: written twice; write it once")));
            }
            words.push((name, value));
        }
        Ok(Words(words))
    }

    /// What is written under a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The number that is written under a name.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Problem> {
        let read = |text: &str| {
            let fault = || {
                bad(format!(
                    "{name}: {text:.40?} is no number that can stand here; write digits"
                ))
            };
            text.parse().map_err(|_| fault())
        };
        self.text(name).map(read).transpose()
    }

    /// The `true` or `false` that is written under a name.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some("false") => Ok(Some(false)),
            Some("true") => Ok(Some(true)),
            Some(other) => Err(bad(format!(
                "{name}: {other:.40?} is neither true nor false"
            ))),
        }
    }
}

fn bad(detail: String) -> Problem {
    Problem::with_detail(StatusCode::BAD_REQUEST, detail)
}
