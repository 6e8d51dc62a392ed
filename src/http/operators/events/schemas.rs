//! JSON Schemas of the types of events, for who receives them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use strum::VariantArray;

use crate::http::operators::pretty_json::PrettyJson;
use crate::http::operators::{Context, Page, path_params};
use crate::http::problem::Problem;
use crate::store::Listing;
use notifications::{EventType, SCHEMA_VERSION, schema};

/// Media type of a JSON Schema.
const MEDIA_TYPE: &str = "application/schema+json";

/// Path of the list; each schema has its type behind it.
const PATH: &str = "/api/v1/events/schemas";

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route(PATH, get(list_schemas))
        .route("/api/v1/events/schemas/{type}", get(show_schema))
}

/// A type of events in the list.
#[derive(Serialize)]
struct ListedSchema {
    #[serde(rename = "type")]
    event_type: &'static str,
    /// Version of the schema.
    version: &'static str,
    /// Path of the schema.
    path: String,
}

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

/// Returns the schema of one type as it is published, byte for byte.
async fn show_schema(path: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let name = path_params(path, unknown_type)?;
    let event_type: EventType = name.parse().map_err(|_| unknown_type())?;
    let headers = [(header::CONTENT_TYPE, MEDIA_TYPE)];
    Ok((headers, schema(event_type)).into_response())
}

fn unknown_type() -> Problem {
    let detail = format!("no such type of events; {PATH} lists them");
    Problem::with_detail(StatusCode::NOT_FOUND, detail)
}
