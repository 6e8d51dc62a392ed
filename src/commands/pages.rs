//! Lists of the running service, page by page.

use serde_json::Value;

use super::command_error::CommandError;
use super::service::{Service, path_with, read};

/// Number of items of a page where all are wanted.
const PAGE_SIZE: &str = "1000";

/// Parameters of a list, those without a value left out.
pub(super) type Params<'a> = Vec<(&'static str, Option<&'a str>)>;

/// A list that is read to its end.
pub(super) struct Pages<'a> {
    service: &'a Service,
    path: &'static str,
    params: Params<'a>,
    /// Where the next page begins; `None`: the list is at its end.
    next: Option<String>,
    is_first: bool,
}

impl<'a> Pages<'a> {
    /// Returns the list at a path, of which nothing is read yet.
    pub fn new(service: &'a Service, path: &'static str, params: Params<'a>) -> Pages<'a> {
        Pages {
            service,
            path,
            params,
            next: None,
            is_first: true,
        }
    }

    /// Reads the next page; `None`: the list is at its end.
    pub async fn next(&mut self) -> Result<Option<Value>, CommandError> {
        if self.next.is_none() && !self.is_first {
            return Ok(None);
        }
        let mut params = self.params.clone();
        params.push(("limit", Some(PAGE_SIZE)));
        if let Some(next) = &self.next {
            params.push(("after", Some(next)));
        }
        let answer = self.service.get(&path_with(self.path, &params)).await;
        let answer =
            answer.map_err(|error| CommandError::service(format!("not listed: {error}")))?;
        let page: Value = read(&answer)?;
        self.is_first = false;
        self.next = page["next"].as_str().map(str::to_owned);
        Ok(Some(page))
    }
}
