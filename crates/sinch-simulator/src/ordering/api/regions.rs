//! `GET /availableRegions`

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;

use super::super::wire;
use super::query::{Query, check_type};
use super::{Api, Call, Done, Request};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/v1/projects/{project}/availableRegions", get(list))
}

async fn list(
    State(api): State<Arc<Api>>,
    Path(project): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::ListRegions,
        project: &project,
        headers: &headers,
    };
    let act = |_: &mut _, _| {
        let types = Query::of(&uri).all("types");
        for word in &types {
            check_type("types", word)?;
        }
        Ok(Done::Json(wire::regions(&types)))
    };
    request.play(act).await
}
