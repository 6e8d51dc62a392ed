//! Refusals as `application/problem+json` (RFC 9457): short, and of no help to an attacker.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal with a sentence for whoever reads it, where there is one to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal that says nothing but its status.
    pub fn new(status: StatusCode) -> Problem {
        Problem {
            status,
            detail: None,
            header: None,
        }
    }

    /// A refusal that says what to do.
    pub fn with_detail(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            detail: Some(detail.into()),
            ..Problem::new(status)
        }
    }

    /// The same, with a header that tells the caller what to do.
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Problem {
        let header = Some((name, value));
        Problem { header, ..self }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
        });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into();
        }
        let mut response = (self.status, Json(body)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
