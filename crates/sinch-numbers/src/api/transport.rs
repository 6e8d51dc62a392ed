//! Answers of Sinch as they arrive: status, body, and the headers that contain times.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::body_fault::{self, BodyFault};
use super::error::{Endpoint, Failure, RequestError};
use super::object::Object;
use super::refusal::Refusal;
use crate::property::{self, Property};

/// An answer of the API that says success.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// Time at which Sinch sent the answer, by its own clock: the answer's `Date`, in whole seconds. `None` if the
    /// answer had none.
    pub sent_at: Option<Timestamp>,
    /// Body of the answer as it arrived, including properties that `content` has no field for.
    pub body: Vec<u8>,
    /// Content of the answer's body, as it was read.
    pub content: T,
}

/// Shows nothing of the answer's body, which can hold telephone numbers, names and secrets.
impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("sent_at", &self.sent_at)
            .field("content", &self.content)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Receives the answer of the API to a request, and reads its body with `read`.
///
/// # Errors
///
/// Fails if the answer breaks off, has another status than 200, or `read` returns `None`.
pub(super) async fn receive<T>(
    response: Response,
    max_bytes: usize,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Answer<T>, RequestError> {
    let status = response.status();
    if status != StatusCode::OK && status != StatusCode::NOT_FOUND {
        return Err(refused(Endpoint::Api, &response));
    }
    let headers = response.headers().clone();
    let body = body(response, Endpoint::Api, max_bytes).await?;
    if status == StatusCode::NOT_FOUND {
        return Err(not_found(&headers, &body));
    }
    read_answer(status, &headers, body, read)
}

/// Receives the answer of the API to a request, and reads its body with `read`. Any status of success will do: Sinch
/// names 200 and 201 without saying which call has which.
///
/// # Errors
///
/// Fails if the answer breaks off, does not say success, or `read` returns `None`. The body of a refusal comes with the
/// error if it arrived whole and is an object. Without it the status alone tells, but not for a 404, whose body says if
/// it is the API's.
pub(super) async fn receive_or_refusal<T>(
    response: Response,
    max_bytes: usize,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Answer<T>, (RequestError, Option<Box<Refusal>>)> {
    let status = response.status();
    let headers = response.headers().clone();
    if status.is_success() {
        let body = body(response, Endpoint::Api, max_bytes).await;
        let body = body.map_err(|error| (error, None))?;
        return read_answer(status, &headers, body, read).map_err(|error| (error, None));
    }
    let refused = refused(Endpoint::Api, &response);
    let body = body(response, Endpoint::Api, max_bytes).await;
    let error = match &body {
        Ok(body) if status == StatusCode::NOT_FOUND => not_found(&headers, body),
        Err(error) if status == StatusCode::NOT_FOUND => error.clone(),
        Ok(_) | Err(_) => refused,
    };
    let object = body.ok().and_then(|body| Object::read(&body).ok());
    Err((error, object.map(|object| Box::new(object.into()))))
}

/// Returns the answer of the API, if its body can be read.
fn read_answer<T>(
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Answer<T>, RequestError> {
    match read(&body) {
        Some(content) => Ok(Answer {
            sent_at: header_text(headers, DATE).and_then(read_date),
            body,
            content,
        }),
        None => Err(unreadable_error(
            status,
            headers,
            &body,
            BodyFault::NotAnObject,
        )),
    }
}

/// Returns the error for a 404: the API's own, or that of another server.
fn not_found(headers: &HeaderMap, body: &[u8]) -> RequestError {
    if is_api_error(body) {
        RequestError {
            endpoint: Endpoint::Api,
            failure: Failure::NotFound,
        }
    } else {
        unreadable_error(StatusCode::NOT_FOUND, headers, body, BodyFault::NotAnError)
    }
}

/// Returns the error for an answer of the API whose body cannot be read: its fault, or `otherwise` if nothing tells.
fn unreadable_error(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    otherwise: BodyFault,
) -> RequestError {
    let fault = body_fault::fault_of(headers, body).unwrap_or(otherwise);
    RequestError::unreadable(Endpoint::Api, status.as_u16(), fault)
}

/// Returns the failure of an answer whose status is not 200. Its body is not read.
pub(super) fn refused(endpoint: Endpoint, response: &Response) -> RequestError {
    let failure = Failure::Status {
        status: response.status().as_u16(),
        retry_after: retry_after(response.headers()),
    };
    RequestError { endpoint, failure }
}

/// Reads the body of an answer, and fails as soon as the body is too large.
pub(super) async fn body(
    mut response: Response,
    from: Endpoint,
    max_bytes: usize,
) -> Result<Vec<u8>, RequestError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| RequestError::from_transport(from, &error))?
    {
        if body.len() + chunk.len() > max_bytes {
            return Err(RequestError::unreadable(from, status, BodyFault::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Returns `true` if the body of a refusal is the API's. A proxy or a wrong address answers 404 too.
///
/// Sinch documents `error` as an object. Many other servers answer with a string there, as one of Sinch's gateways has
/// done with a 400.
fn is_api_error(body: &[u8]) -> bool {
    match property::read(body, &["error"]) {
        Ok([Property::Other(raw)]) => raw.starts_with('{'),
        Ok([Property::Absent | Property::Text(_) | Property::Garbled(_)]) | Err(_) => false,
    }
}

/// Returns the wait that `Retry-After` asks for: seconds, or a date. A date is compared with the same answer's `Date`,
/// so that the clock of this machine does not matter. RFC 9110, section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = header_text(headers, RETRY_AFTER)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number with more digits than fit means a long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let wait = read_date(text)?.duration_since(read_date(header_text(headers, DATE)?)?);
    // A date in the past gives a negative wait, which counts as none.
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Reads the date of a header in the form that RFC 9110 requires of senders; the two that it calls obsolete are not
/// read.
fn read_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const DATE_NOW: &str = "Tue, 03 Feb 2026 04:05:06 GMT";

    fn wait(value: &str, now: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).expect("a value"));
        if let Some(now) = now {
            headers.insert(DATE, HeaderValue::from_str(now).expect("a value"));
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(wait("0", None), Some(0));
        assert_eq!(wait(" 17 ", None), Some(17));
        assert_eq!(wait("86400", None), Some(86_400));
        assert_eq!(wait("99999999999999999999999", None), Some(u64::MAX));
    }

    #[test]
    fn a_date_counts_from_the_answers_own() {
        let at = |time: &str| format!("Tue, 03 Feb 2026 {time} GMT");
        assert_eq!(wait(&at("04:06:06"), Some(DATE_NOW)), Some(60));
        assert_eq!(wait(&at("23:05:06"), Some(DATE_NOW)), Some(19 * 3600));
        assert_eq!(wait(&at("04:00:00"), Some(DATE_NOW)), Some(0));
        assert_eq!(wait(&at("04:06:06"), None), None);
        assert_eq!(wait(&at("04:06:06"), Some("today")), None);
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "-5", "1.5", "+5", "soon", "5 s", "1e3"] {
            assert_eq!(wait(value, Some(DATE_NOW)), None, "{value}");
        }
    }

    #[test]
    fn a_404_of_the_api_has_an_error() {
        let body = r#"{"error":{"code":404,"message":"","status":"NOT_FOUND"}}"#;
        assert!(is_api_error(body.as_bytes()));
        for body in [
            "",
            "<h1>404</h1>",
            "{}",
            r#"{"error":null}"#,
            r#"{"error":"Not Found"}"#,
            r#"{"error":404}"#,
            r#""error""#,
            r#"{"message":"no route"}"#,
        ] {
            assert!(!is_api_error(body.as_bytes()), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(word in "\\PC{0,300}") {
            is_api_error(word.as_bytes());
        }
    }
}
