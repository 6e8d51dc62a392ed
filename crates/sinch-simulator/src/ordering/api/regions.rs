//! Call that lists the regions of numbers: `GET /availableRegions`.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;

use super::super::wire;
use super::query::{Query, check_type};
use super::{Api, Call, Done, Request};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/v1/projects/{project}/availableRegions", get(list_regions))
}

async fn list_regions(request: Request, uri: Uri) -> Response {
    let act = |_: &mut _, _| {
        let types = Query::of(&uri).all("types");
        for word in &types {
            check_type("types", word)?;
        }
        Ok(Done::Json(wire::regions(&types)))
    };
    request.play_call(Call::ListRegions, act).await
}
