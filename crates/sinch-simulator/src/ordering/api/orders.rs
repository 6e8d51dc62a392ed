//! Orders: create, get, submit.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get as on_get, post};
use bytes::Bytes;

use super::super::new_order;
use super::super::readings::{CreatedStatus, Readings};
use super::super::wire;
use super::{Api, Call, Done, Model, Request, read};
use crate::api::get_order;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(
            "/v1/projects/{project}/numberOrders:createNumberOrder",
            post(create),
        )
        .route("/v1/projects/{project}/numberOrders/{order}", on_get(get))
        .route(
            "/v1/projects/{project}/numberOrders/{order}/submit",
            post(submit),
        )
}

async fn create(
    State(api): State<Arc<Api>>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::CreateOrder,
        project: &project,
        headers: &headers,
    };
    let act = |model: &mut Model, now| {
        let readings: Readings = model.script.readings.clone();
        let new = new_order::read(&read(&body)?, readings.pattern_alone)?;
        let order = model.create(new, now)?;
        let status = match readings.created_status {
            CreatedStatus::Ok => StatusCode::OK,
            CreatedStatus::Created => StatusCode::CREATED,
        };
        let body = wire::order(order, &project, &readings);
        Ok(Done::WithStatus(status, body))
    };
    request.play(act).await
}

/// Answers a fetch of an order, a client's or the world's.
async fn get(
    State(api): State<Arc<Api>>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    api.handler.note_fetch(&order);
    if !api.ordering.has(&order) {
        return get_order(&api.handler, &project, &order, &headers).await;
    }
    let request = Request {
        api: &api,
        call: Call::GetOrder,
        project: &project,
        headers: &headers,
    };
    let act = |model: &mut Model, _| {
        let order = model.known(&order)?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::order(order, &project, readings)))
    };
    request.play(act).await
}

async fn submit(
    State(api): State<Arc<Api>>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let request = Request {
        api: &api,
        call: Call::SubmitOrder,
        project: &project,
        headers: &headers,
    };
    let act = |model: &mut Model, now| {
        model.submit(&order, now)?;
        let order = model.known(&order)?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::order(order, &project, readings)))
    };
    request.play(act).await
}
