//! Refusals as `application/problem+json` (RFC 9457): short, and of no help to an attacker.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal with a sentence for whoever reads it, where there is one to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: Option<String>,
    retry_after_secs: Option<u32>,
}

impl Problem {
    /// A refusal that says nothing but its status.
    pub fn new(status: StatusCode) -> Problem {
        Problem {
            status,
            detail: None,
            retry_after_secs: None,
        }
    }

    /// A refusal that says what to do.
    pub fn with_detail(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            detail: Some(detail.into()),
            ..Problem::new(status)
        }
    }

    /// 503, with the time after which it may go better.
    pub fn unavailable(retry_after_secs: u32) -> Problem {
        Problem {
            retry_after_secs: Some(retry_after_secs),
            ..Problem::new(StatusCode::SERVICE_UNAVAILABLE)
        }
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
        if let Some(secs) = self.retry_after_secs {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, secs.into());
        }
        response
    }
}
