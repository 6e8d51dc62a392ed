//! Calls about orders: create, get, submit.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get as on_get, post};
use bytes::Bytes;

use super::super::new_order;
use super::super::readings::{CreatedStatus, Readings};
use super::super::wire;
use super::{Api, Call, Done, Model, Request, read_json};
use crate::api::get_order;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(
            "/v1/projects/{project}/numberOrders:createNumberOrder",
            post(create_order),
        )
        .route(
            "/v1/projects/{project}/numberOrders/{order}",
            on_get(show_order),
        )
        .route(
            "/v1/projects/{project}/numberOrders/{order}/submit",
            post(submit_order),
        )
}

async fn create_order(request: Request, body: Bytes) -> Response {
    let act = |model: &mut Model, now| {
        let readings: Readings = model.script.readings.clone();
        let new = new_order::read(&read_json(&body)?, readings.pattern_alone)?;
        let order = model.create(new, now)?;
        let status = match readings.created_status {
            CreatedStatus::Ok => StatusCode::OK,
            CreatedStatus::Created => StatusCode::CREATED,
        };
        let body = wire::order(order, request.project(), &readings);
        Ok(Done::WithStatus(status, body))
    };
    request.play_call(Call::CreateOrder, act).await
}

/// Answers a fetch of an order, which a client created or the world has.
async fn show_order(request: Request) -> Response {
    let Api { handler, ordering } = &*request.api;
    let order = request.param("order");
    let _in_flight = handler.note_fetch(order);
    if !ordering.has(order) {
        return get_order(handler, request.project(), order, &request.headers).await;
    }
    let act = |model: &mut Model, _| {
        let order = model.known(request.param("order"))?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::order(order, request.project(), readings)))
    };
    request.play_call(Call::GetOrder, act).await
}

async fn submit_order(request: Request) -> Response {
    let act = |model: &mut Model, now| {
        model.submit(request.param("order"), now)?;
        let order = model.known(request.param("order"))?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::order(order, request.project(), readings)))
    };
    request.play_call(Call::SubmitOrder, act).await
}
