//! Requests of the operators' commands to the running service, and what they have in common.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::command_error::CommandError;
use super::operators::{self, ServiceError};
use super::output::print_line;
use super::{file, shown};
use crate::config::Operators;
use number_order::Time;

/// Maximum time for one request, beside the time for which it asks the service to wait.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Options of every command that shows what the running service has.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Print JSON, as the service has it, for programs; a failure is JSON too.
    #[arg(long)]
    pub json: bool,
}

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

    /// Asks for something, and returns the text of the answer; `None` if there is no such thing.
    pub async fn find(&self, path: &str) -> Result<Option<String>, ServiceError> {
        operators::find(&self.0, path, TIMEOUT).await
    }

    /// Removes what is at a path.
    pub async fn delete(&self, path: &str) -> Result<(), ServiceError> {
        let removed = operators::send(&self.0, Method::DELETE, path, Vec::new(), TIMEOUT);
        removed.await.map(drop)
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
    print_line(shown::json(answer.trim_end()));
}

/// Returns a list of an answer, or nothing where it has none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns a time of an answer.
pub(super) fn time(value: &Value, key: &str) -> Option<Time> {
    serde_json::from_value(value[key].clone()).ok()
}

/// Returns a time of an answer to the second, for tables, or nothing where it has none.
pub(super) fn second(value: &Value, key: &str) -> String {
    let text = text(value, key);
    match text.split_once('.') {
        Some((second, _)) => format!("{second}Z"),
        None => text.to_owned(),
    }
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
    fn times_are_shown_to_the_second() {
        let answer = serde_json::json!({
            "fine": "2026-01-31T12:00:00.123456Z", "round": "2026-01-31T12:00:00Z", "none": null,
        });
        assert_eq!(second(&answer, "fine"), "2026-01-31T12:00:00Z");
        assert_eq!(second(&answer, "round"), "2026-01-31T12:00:00Z");
        assert_eq!(second(&answer, "none"), "");
        assert!(time(&answer, "fine") > time(&answer, "round"));
        assert_eq!(time(&answer, "none"), None);
    }

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
