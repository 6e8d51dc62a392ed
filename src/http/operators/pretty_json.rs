//! JSON that people can read as well as programs.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::http::problem::Problem;

/// Response with JSON that has one value per line, as a person with `curl` wants it.
pub(super) struct PrettyJson<T>(pub T);

impl<T: Serialize> IntoResponse for PrettyJson<T> {
    fn into_response(self) -> Response {
        let Ok(mut text) = serde_json::to_vec_pretty(&self.0) else {
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        };
        text.push(b'\n');
        ([(header::CONTENT_TYPE, "application/json")], text).into_response()
    }
}
