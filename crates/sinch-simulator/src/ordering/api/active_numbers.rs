//! Calls about active numbers: list, get, update, release.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::active_number::ActiveNumber;
use super::super::new_order::not_a_value;
use super::super::refusal::{Refusal, Resource};
use super::super::wire;
use super::query::{Query, check_type};
use super::{Answer, Api, Call, Done, Model, Request, read_json};
use crate::wire::active_number;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/v1/projects/{project}/activeNumbers", on_get(list_numbers))
        .route(
            "/v1/projects/{project}/activeNumbers/{number}",
            on_get(get_number).patch(update_number).post(release_number),
        )
}

async fn list_numbers(request: Request, uri: Uri) -> Response {
    let query = Query::of(&uri);
    request
        .play_call(Call::ListActiveNumbers, |model, _| {
            page_of_numbers(model, &query, request.project())
        })
        .await
}

/// Makes the page of active numbers that a query wants. The token of a page is the last number of the page before.
fn page_of_numbers(model: &Model, query: &Query, project: &str) -> Answer {
    let readings = &model.script.readings;
    let filter = query.filter("capability", readings.pattern_alone)?;
    let (region, number_type) = (query.one("regionCode"), query.one("type"));
    if let Some(word) = number_type {
        check_type("type", word)?;
    }
    let wanted = |active: &&ActiveNumber| {
        let product = active.product;
        region.is_none_or(|region| region == product.region)
            && number_type.is_none_or(|word| word == product.number_type)
            && filter.allows(&active.number, product.capabilities)
    };
    let mut numbers: Vec<&ActiveNumber> = model.numbers.values().filter(wanted).collect();
    match query.one("orderBy") {
        Some("displayName") => numbers.sort_by_key(|active| &active.display_name),
        Some("phoneNumber") | None => {}
        Some(word) => return Err(not_a_value("orderBy", word)),
    }
    let from = match query.one("pageToken") {
        None => 0,
        Some(token) => {
            let last = numbers.iter().position(|active| active.number == token);
            1 + last.ok_or_else(|| not_a_value("pageToken", token))?
        }
    };
    // A list without a size was seen to have all numbers.
    let size = query.size("pageSize")?.unwrap_or(numbers.len());
    let shown: Vec<Value> = numbers
        .iter()
        .skip(from)
        .take(size)
        .map(|active| wire::active(active, project, readings))
        .collect();
    let to = from + shown.len();
    let next = if to < numbers.len() {
        numbers.get(to.saturating_sub(1))
    } else {
        None
    };
    Ok(Done::Json(json!({
        "activeNumbers": shown,
        "nextPageToken": next.map_or("", |active| &active.number),
        "totalSize": numbers.len(),
    })))
}

async fn get_number(request: Request) -> Response {
    let number = request.param("number");
    let is_of_world = request.api.ordering.is_of_world(number);
    let act = |model: &mut Model, _| {
        if is_of_world {
            return Ok(Done::Json(active_number(number, request.project())));
        }
        let active = model.active(number)?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::active(
            active,
            request.project(),
            readings,
        )))
    };
    request.play_call(Call::GetActiveNumber, act).await
}

async fn update_number(request: Request, body: Bytes) -> Response {
    let act = |model: &mut Model, now| {
        model.update(request.param("number"), &read_json(&body)?, now)?;
        let active = model.active(request.param("number"))?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::active(
            active,
            request.project(),
            readings,
        )))
    };
    request.play_call(Call::UpdateActiveNumber, act).await
}

async fn release_number(request: Request) -> Response {
    let act = |model: &mut Model, _| {
        // The verb is part of the path's last segment.
        let named = request.param("number");
        let number = named
            .strip_suffix(":release")
            .ok_or_else(|| Refusal::missing(Resource::ActiveNumber, named))?;
        model.release(number)?;
        let active = model.active(number)?;
        let readings = &model.script.readings;
        Ok(Done::Json(wire::active(
            active,
            request.project(),
            readings,
        )))
    };
    request.play_call(Call::ReleaseActiveNumber, act).await
}
