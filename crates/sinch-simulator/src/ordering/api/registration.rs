//! Calls about the registration of an order: put, get.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;

use super::super::wire;
use super::{Api, Call, Done, Model, Request, read_json};

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/numberOrders/{order}/registration";
    Router::new().route(path, on_get(get_registration).put(put_registration))
}

async fn put_registration(request: Request, body: Bytes) -> Response {
    let act = |model: &mut Model, now| {
        model.register(request.param("order"), &read_json(&body)?, now)?;
        let order = model.known(request.param("order"))?;
        Ok(Done::Json(wire::registration(
            order,
            &model.script.readings,
        )))
    };
    request.play_call(Call::PutRegistration, act).await
}

async fn get_registration(request: Request) -> Response {
    let act = |model: &mut Model, _| {
        let order = model.known(request.param("order"))?;
        Ok(Done::Json(wire::registration(
            order,
            &model.script.readings,
        )))
    };
    request.play_call(Call::GetRegistration, act).await
}
