//! Requests of the commands about events to the running service.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::commands::command_error::CommandError;
use crate::commands::operators::{self, ServiceError};
use crate::commands::{file, shown};
use crate::config::Operators;

/// Maximum time for one request, beside the time for which it asks the service to wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The running service.
pub(super) struct Service(Operators);

impl Service {
    /// Returns the service to which the configuration leads.
    pub fn of_configuration(config: Option<&Path>) -> Result<Service, CommandError> {
        let operators = Operators::load(file(config).as_deref(), std::env::vars_os())?;
        Ok(Service(operators))
    }

    /// Asks for something, and returns the text of the answer.
    pub async fn get(&self, path: &str) -> Result<String, ServiceError> {
        self.get_within(path, TIMEOUT).await
    }

    /// Asks for something, for which the service may wait for a while.
    pub async fn get_waiting(&self, path: &str, wait: Duration) -> Result<String, ServiceError> {
        self.get_within(path, wait + TIMEOUT).await
    }

    async fn get_within(&self, path: &str, timeout: Duration) -> Result<String, ServiceError> {
        operators::send(&self.0, Method::GET, path, Vec::new(), timeout).await
    }

    /// Requests something with a body, and returns the text of the answer.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<String, ServiceError> {
        let body = body.map(|body| body.to_string().into_bytes());
        let body = body.unwrap_or_default();
        operators::send(&self.0, Method::POST, path, body, TIMEOUT).await
    }
}

/// Returns a path with a query of those parameters that have a value.
pub(super) fn path_with(path: &str, params: &[(&str, Option<&str>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in params {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Returns the path of what can be requested of a target.
pub(super) fn target_path(name: &str, request: &str) -> String {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    format!("/api/v1/targets/{name}/{request}")
}

/// Reads an answer.
pub(super) fn read<'a, T: serde::Deserialize<'a>>(answer: &'a str) -> Result<T, CommandError> {
    let unreadable =
        |_| CommandError::failure("the service's answer cannot be read; is it this program?");
    serde_json::from_str(answer).map_err(unreadable)
}

/// Prints an answer as it is.
pub(super) fn print_json(answer: &str) {
    crate::commands::output::print_line(shown::json(answer.trim_end()));
}

/// Returns a text of an answer, or nothing where it has none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Returns a number of an answer as text.
pub(super) fn number(value: &Value, key: &str) -> String {
    value[key]
        .as_u64()
        .map(|number| number.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_the_parameters_that_have_a_value() {
        let params = [
            ("after", Some("7")),
            ("types", Some("order.*,number.ready")),
            ("limit", None),
        ];
        assert_eq!(
            path_with("/events", &params),
            "/events?after=7&types=order.*%2Cnumber.ready"
        );
        assert_eq!(path_with("/events", &[("after", None)]), "/events");
        assert_eq!(
            target_path("a/b?", "resume"),
            "/api/v1/targets/a%2Fb%3F/resume"
        );
    }
}
