//! The document that describes the operators' API (OpenAPI 3.1), made from the attributes beside the handlers.
//!
//! Each route is a line `.routes(routes!(handler))`, so that no route is without its description. What holds of every
//! request is added here: the refusals, and the token.

mod problems;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Info, OpenApi, PathItem, Ref, RefOr, Schema, SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Context;
use crate::explain;
use crate::explain::Coded;
use crate::http::problem::Problem;
use crate::metrics::Failing;
use crate::store::{AnyAlert, StayReason};
use number_order::{CallbackKey, Id, State};

/// Name of the way in which a caller shows who it is.
const TOKEN: &str = "token";

/// The document as it is served, and as `docs/openapi.json` has it.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let text = document().to_pretty_json().unwrap_or_default();
    text + "\n"
});

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new().routes(routes!(show_document))
}

/// Returns this document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "service",
    responses((status = 200, description = "This document", body = Object))
)]
async fn show_document() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, DOCUMENT.as_str()).into_response()
}

/// Returns the text of the document that describes the operators' API.
pub fn document_text() -> &'static str {
    &DOCUMENT
}

/// Returns the document that describes the operators' API.
fn document() -> OpenApi {
    let open = super::open_routes().into_openapi();
    let mut guarded = super::guarded_routes().into_openapi();
    guarded.info = info();
    for operation in operations(&mut guarded) {
        let token = SecurityRequirement::new::<_, [String; 0], String>(TOKEN, []);
        operation.security = Some(vec![token]);
        problems::add_common(operation);
    }
    guarded.merge(open);
    for operation in operations(&mut guarded) {
        problems::describe(operation);
        operation.summary = operation.summary.as_deref().map(one_line);
        operation.description = operation.description.as_deref().map(one_line);
    }
    let components = guarded.components.get_or_insert_with(Components::new);
    add_components(components);
    refer_to_items(components);
    guarded
}

fn info() -> Info {
    let mut info = Info::new("sinch-callbacks", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "The operators' API: the state of number orders, what other systems are told of them, and what operators do. \
         Times are UTC. A value that says what was decided, or why, is a code with its fields and a sentence; \
         docs/codes.md lists the codes."
            .to_owned(),
    );
    info
}

fn add_components(components: &mut Components) {
    let codes = explain::schemas().into_iter();
    let codes = codes.map(|(name, schema)| (name.to_owned(), RefOr::T(schema)));
    components.schemas.extend(codes);
    for (name, schema) in [
        named::<Problem>(),
        named::<Id>(),
        named::<State>(),
        named::<CallbackKey>(),
        named::<Failing>(),
    ] {
        components.schemas.insert(name, schema);
    }
    for (name, schema) in [coded::<AnyAlert>(), coded::<StayReason>()] {
        components.schemas.insert(name, schema);
    }
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(TOKEN, bearer);
}

/// Refers from each page to the schema of its items, which the derive writes out.
fn refer_to_items(components: &mut Components) {
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for name in names {
        let Some(item) = name.strip_prefix("Page_").map(str::to_owned) else {
            continue;
        };
        if let Some(RefOr::T(Schema::Object(page))) = components.schemas.get_mut(&name)
            && let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items")
        {
            items.items = ArrayItems::RefOrSchema(Box::new(Ref::from_schema_name(item).into()));
        }
    }
}

/// Returns the schema of a list of codes of the store's, with its name.
fn coded<T: Coded>() -> (String, RefOr<Schema>) {
    (T::NAME.to_owned(), explain::code_schema::<T>().into())
}

fn named<T: ToSchema>() -> (String, RefOr<Schema>) {
    (T::name().into_owned(), <T as PartialSchema>::schema())
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let paths = document.paths.paths.values_mut();
    paths.flat_map(|path| {
        let PathItem {
            get,
            put,
            post,
            delete,
            patch,
            ..
        } = path;
        [get, put, post, delete, patch].into_iter().flatten()
    })
}

/// Returns text of a comment as one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
