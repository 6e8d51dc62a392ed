//! Refusals as `application/problem+json` (RFC 9457): short, and without information that helps an attacker.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Media type of the body of every refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a caller may try again when the service cannot accept a request.
const RETRY_AFTER_SECS: u32 = 5;

/// A refusal of a request, with a sentence for its reader if there is anything to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    /// Number for programs. A box, since refusals are passed on by value, and seldom have one.
    number: Option<Box<(&'static str, i64)>>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Returns a refusal that contains nothing but its status.
    pub fn new(status: StatusCode) -> Problem {
        Problem {
            status,
            detail: None,
            number: None,
            header: None,
        }
    }

    /// Returns a refusal with a sentence that says what to do.
    pub fn with_detail(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem::new(status).detailed(detail)
    }

    /// Returns a refusal of a request that could be accepted soon: the caller is asked to try again after five seconds.
    pub fn unavailable() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, RETRY_AFTER_SECS.into())
    }

    /// Returns the same refusal, with a sentence that says what to do.
    #[must_use]
    pub fn detailed(self, detail: impl Into<String>) -> Problem {
        let detail = Some(detail.into());
        Problem { detail, ..self }
    }

    /// Returns the same refusal, with a number for programs beside the sentence.
    #[must_use]
    pub fn with_number(self, name: &'static str, number: i64) -> Problem {
        let number = Some(Box::new((name, number)));
        Problem { number, ..self }
    }

    /// Returns the same refusal, with a header that tells the caller what to do.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Problem {
        let header = Some((name, value));
        Problem { header, ..self }
    }

    /// Returns the sentence that says what to do, if there is one.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the HTTP status of the refusal.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the bytes of the last response on a connection, to a peer whose request is not read.
    pub fn last_response(&self) -> Vec<u8> {
        let body = self.body().to_string();
        let (code, title) = (self.status.as_u16(), self.title());
        let mut head = format!(
            "HTTP/1.1 {code} {title}\r\nconnection: close\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n",
            body.len()
        )
        .into_bytes();
        if let Some((name, value)) = &self.header {
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
            head.extend(line.concat());
        }
        [
            &head,
            b"x-content-type-options: nosniff\r\n\r\n".as_slice(),
            body.as_bytes(),
        ]
        .concat()
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or_default()
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "type": "about:blank",
            "title": self.title(),
            "status": self.status.as_u16(),
        });
        if let Some(detail) = &self.detail {
            body["detail"] = detail.as_str().into();
        }
        if let Some(number) = &self.number {
            body[number.0] = number.1.into();
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let kind = HeaderValue::from_static(MEDIA_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
