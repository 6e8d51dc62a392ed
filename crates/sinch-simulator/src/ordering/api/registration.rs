//! Registrations: put, get.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;

use super::super::wire;
use super::{Api, Call, Done, Model, Request, read};

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/numberOrders/{order}/registration";
    Router::new().route(path, on_get(get).put(put))
}

async fn put(
    State(api): State<Arc<Api>>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::PutRegistration,
        project: &project,
        headers: &headers,
    };
    let act = |model: &mut Model, now| {
        model.register(&order, &read(&body)?, now)?;
        let order = model.known(&order)?;
        Ok(Done::Json(wire::registration(
            order,
            &model.script.readings,
        )))
    };
    request.play(act).await
}

async fn get(
    State(api): State<Arc<Api>>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::GetRegistration,
        project: &project,
        headers: &headers,
    };
    let act = |model: &mut Model, _| {
        let order = model.known(&order)?;
        Ok(Done::Json(wire::registration(
            order,
            &model.script.readings,
        )))
    };
    request.play(act).await
}
