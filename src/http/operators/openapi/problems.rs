//! Refusals in the document: those that any request can meet, and the body that all have.

use std::borrow::Cow;

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::http::problem::{MEDIA_TYPE, Problem};

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        let text = || Object::builder().schema_type(Type::String);
        let number = || Object::builder().schema_type(Type::Integer);
        Object::builder()
            .schema_type(Type::Object)
            .description(Some("A refusal, as RFC 9457 has it."))
            .property("type", text())
            .required("type")
            .property("title", text())
            .required("title")
            .property("status", number())
            .required("status")
            .property(
                "detail",
                text().description(Some("What is wrong, and what to do, for people.")),
            )
            .property(
                "after",
                number().description(Some("Where the feed can be read from.")),
            )
            .property(
                "newest",
                number().description(Some("Number of the newest event.")),
            )
            .into()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Problem")
    }
}

/// Adds the refusals that any request to the guarded part can meet, by what it has.
pub(super) fn add_common(operation: &mut Operation) {
    let params = operation.parameters.iter().flatten();
    let mut params = params.filter_map(|param| match param {
        RefOr::T(param) => Some(&param.parameter_in),
        RefOr::Ref(_) => None,
    });
    let has_query = params.any(|place| *place == ParameterIn::Query);
    let has_body = operation.request_body.is_some();
    let all = [
        (401, "The token is missing or wrong", true),
        (
            403,
            "The token may not act, or a web page asks and no token is set",
            true,
        ),
        (503, "The database does not answer; try again later", true),
        (
            400,
            "A parameter is unknown, or has no such value",
            has_query,
        ),
        (400, "The body broke off", has_body),
        (
            400,
            "A parameter is unknown, or a header is there twice",
            true,
        ),
        (408, "The body did not arrive in time", has_body),
        (413, "The body is too large", has_body),
        (
            422,
            "The body is not of this form; the detail says what to write",
            has_body,
        ),
    ];
    for (status, what, applies) in all {
        if applies {
            let responses = &mut operation.responses.responses;
            let response = || RefOr::T(Response::new(what));
            responses.entry(status.to_string()).or_insert_with(response);
        }
    }
}

/// Gives each refusal of an operation its body.
pub(super) fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let status = status.parse::<StatusCode>();
        let is_refusal = status.is_ok_and(|it| it.is_client_error() || it.is_server_error());
        if let RefOr::T(response) = response
            && is_refusal
        {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            response
                .content
                .insert(MEDIA_TYPE.to_owned(), content.into());
        }
    }
}
