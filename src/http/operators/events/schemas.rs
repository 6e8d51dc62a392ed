//! JSON Schemas of the types of events, for who receives them.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::operators::pretty_json::PrettyJson;
use crate::http::operators::{Context, Page, path_params};
use crate::http::problem::Problem;
use crate::store::Listing;
use notifications::{EventType, SCHEMA_VERSION, schema};

/// Media type of a JSON Schema.
const MEDIA_TYPE: &str = "application/schema+json";

/// Path of the list; each schema has its type behind it.
const PATH: &str = "/api/v1/events/schemas";

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_schemas))
        .routes(routes!(show_schema))
}

/// A type of events in the list.
#[derive(Serialize, ToSchema)]
struct ListedSchema {
    /// Type of the events.
    #[serde(rename = "type")]
    event_type: &'static str,
    /// Version of the schema.
    version: &'static str,
    /// Path of the schema.
    path: String,
}

/// Lists the types of events, each with the path of its JSON Schema.
#[utoipa::path(
    get,
    path = "/api/v1/events/schemas",
    tag = "events",
    responses((status = 200, description = "All types of events", body = Page<ListedSchema>))
)]
async fn list_schemas() -> PrettyJson<Page<ListedSchema>> {
    let types = EventType::VARIANTS.iter().map(|event_type| ListedSchema {
        event_type: event_type.name(),
        version: SCHEMA_VERSION,
        path: format!("{PATH}/{}", event_type.name()),
    });
    let listing = Listing {
        items: types.collect(),
        unreadable: Vec::new(),
        next: None,
    };
    PrettyJson(listing.into())
}

/// Parameter of a path that names a type of events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TypePath {
    /// Type of events.
    #[serde(rename = "type")]
    name: String,
}

/// Returns the schema of one type as it is published, byte for byte.
#[utoipa::path(
    get,
    path = "/api/v1/events/schemas/{type}",
    tag = "events",
    params(TypePath),
    responses(
        (status = 200, description = "The JSON Schema", body = Object, content_type = "application/schema+json"),
        (status = 404, description = "There is no such type of events"),
    )
)]
async fn show_schema(path: Result<Path<TypePath>, PathRejection>) -> Result<Response, Problem> {
    let TypePath { name } = path_params(path, unknown_type)?;
    let event_type: EventType = name.parse().map_err(|_| unknown_type())?;
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE)];
    Ok((headers, schema(event_type)).into_response())
}

fn unknown_type() -> Problem {
    let detail = format!("no such type of events; {PATH} lists them");
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}
