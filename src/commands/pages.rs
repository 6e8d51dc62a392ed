//! Lists of the running service, page by page.

use serde_json::Value;

use super::command_error::CommandError;
use super::service::{Service, list, path_with, read};

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

    /// Reads the rest of the list.
    pub async fn all(mut self) -> Result<Vec<Value>, CommandError> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend_from_slice(list(&page, "items"));
        }
        Ok(items)
    }
}

/// Reads a page of this length. The service looks through a limited number of rows for one answer; it is asked again until the
/// page is full or the list ends.
pub(super) async fn full_page(
    service: &Service,
    path: &'static str,
    params: &[(&'static str, Option<&str>)],
    limit: usize,
) -> Result<Value, CommandError> {
    let mut whole: Option<Value> = None;
    loop {
        let so_far = whole
            .as_ref()
            .map_or(0, |page: &Value| list(page, "items").len());
        let left = (limit - so_far).to_string();
        let after = whole.as_ref().and_then(|page| page["next"].as_str());
        let mut asked = params.to_vec();
        if after.is_some() {
            asked.retain(|(name, _)| *name != "after");
            asked.push(("after", after));
        }
        asked.push(("limit", Some(&left)));
        let answer = service.get(&path_with(path, &asked)).await;
        let answer =
            answer.map_err(|error| CommandError::service(format!("not listed: {error}")))?;
        let page = with_rows_before(read(&answer)?, whole.as_ref());
        if list(&page, "items").len() >= limit || page["next"].is_null() {
            return Ok(page);
        }
        whole = Some(page);
    }
}

/// Returns a page with the rows of those before it.
fn with_rows_before(mut page: Value, before: Option<&Value>) -> Value {
    for rows in ["items", "unreadable"] {
        let mut all = before.map_or(&[][..], |page| list(page, rows)).to_vec();
        all.extend_from_slice(list(&page, rows));
        if rows == "items" || !all.is_empty() {
            page[rows] = all.into();
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_the_rows_of_those_before_it() {
        let before = json!({"items": [1], "next": "a", "unreadable": [2]});
        let page = json!({"items": [3], "next": null});
        assert_eq!(
            with_rows_before(page.clone(), Some(&before)),
            json!({"items": [1, 3], "next": null, "unreadable": [2]})
        );
        assert_eq!(with_rows_before(page.clone(), None), page);
    }
}
