//! Errors of the simulated API: a status and a body in one of three forms, or a page of an intermediary.

use serde_json::{Value, json};

use super::super::readings::{FailureBody, Readings, RefusalBody};
use super::super::refusal::{Refusal, Violation};
use crate::wire;

/// Status and body of an error; `is_page`: the body is the page of an intermediary.
pub(in super::super) struct ErrorBody {
    pub status: u16,
    pub text: String,
    pub is_page: bool,
}

fn json_of(status: u16, body: &Value) -> ErrorBody {
    ErrorBody {
        status,
        text: body.to_string(),
        is_page: false,
    }
}

fn error_page(status: u16, title: &str) -> ErrorBody {
    ErrorBody {
        status,
        text: format!("<html><head><title>{title}</title></head><body>{title}</body></html>"),
        is_page: true,
    }
}

/// Makes the error with which a refused call is answered.
pub(in super::super) fn refusal(refusal: &Refusal) -> ErrorBody {
    match refusal {
        Refusal::Invalid {
            message,
            violations,
        } => {
            let details = match violations.as_slice() {
                [] => json!([]),
                some => json!([{"type": "BadRequest", "fieldViolations": violation_list(some)}]),
            };
            api_error(400, message, "INVALID_ARGUMENT", &details)
        }
        Refusal::Unreadable => json_of(400, &json!({"error": "request body cannot be read"})),
        Refusal::NothingRequired => {
            let message = "Number requirements not found";
            let details = resource_detail("NumberProduct", "numberRequirements", message);
            api_error(404, message, "NOT_FOUND", &details)
        }
        Refusal::Missing {
            resource: kind,
            name,
            message,
        } => {
            let details = resource_detail(kind.as_str(), name, message);
            api_error(404, message, "NOT_FOUND", &details)
        }
        Refusal::TooLarge => {
            let message = "File is too large";
            let details = json!([{"type": "", "resourceName": "", "description": message}]);
            api_error(413, message, "CONTENT_TOO_LARGE", &details)
        }
    }
}

fn violation_list(violations: &[Violation]) -> Vec<Value> {
    violations
        .iter()
        .map(|violation| json!({"field": violation.field, "description": violation.description}))
        .collect()
}

fn resource_detail(kind: &str, name: &str, message: &str) -> Value {
    json!([{
        "type": "ResourceInfo",
        "resourceType": kind,
        "resourceName": name,
        "owner": "",
        "description": message,
    }])
}

fn api_error(code: u16, message: &str, status: &str, details: &Value) -> ErrorBody {
    let error = json!({"code": code, "message": message, "status": status, "details": details});
    json_of(code, &json!({ "error": error }))
}

/// Makes the page that a proxy puts in place of a 413.
pub(in super::super) fn too_large_page() -> ErrorBody {
    error_page(413, "413 Request Entity Too Large")
}

/// Makes the error of a call to which the key has no right. The message is empty, as another API of Sinch was seen to
/// answer.
pub(in super::super) fn forbidden() -> ErrorBody {
    api_error(403, "", "PERMISSION_DENIED", &json!([]))
}

/// Makes the error of a call with a token, or key, that is not accepted.
pub(in super::super) fn unauthorized(readings: &Readings) -> ErrorBody {
    early_refusal(401, "access-token-expired", "Token expired", readings)
}

/// Makes the error of a call that comes too soon.
pub(in super::super) fn throttled(readings: &Readings) -> ErrorBody {
    early_refusal(429, "too-many-requests", "Too Many Requests", readings)
}

fn early_refusal(status: u16, entry: &str, title: &str, readings: &Readings) -> ErrorBody {
    match readings.refusal_body {
        RefusalBody::Api => ErrorBody {
            status,
            text: wire::error(status, title, None),
            is_page: false,
        },
        RefusalBody::Gateway => json_of(status, &json!({ "error": title })),
        RefusalBody::Registry => {
            let address = format!("https://developers.sinch.com/docs/errors/registry/{entry}");
            json_of(
                status,
                &json!({"type": address, "title": title, "detail": title}),
            )
        }
    }
}

/// Makes the error of a call that fails on Sinch's side.
pub(in super::super) fn failure(status: u16, readings: &Readings) -> ErrorBody {
    match readings.failure_body {
        FailureBody::Json => ErrorBody {
            status,
            text: wire::error(status, "", None),
            is_page: false,
        },
        FailureBody::Html => error_page(status, "The server has failed"),
    }
}
