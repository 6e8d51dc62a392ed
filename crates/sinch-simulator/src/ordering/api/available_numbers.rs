//! Calls that search numbers: `GET /availableNumbers` and `GET /availableNumbers/{phoneNumber}`.

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::super::readings::SearchWithoutType;
use super::super::refusal::{Refusal, Resource};
use super::super::stock::Product;
use super::super::wire;
use super::query::{Query, check_type};
use super::{Answer, Api, Call, Done, Model, Request};

/// Number of results of a search that does not say how many. Invented: Sinch publishes no default.
const USUAL_SIZE: usize = 10;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route(
            "/v1/projects/{project}/availableNumbers",
            get(search_numbers),
        )
        .route(
            "/v1/projects/{project}/availableNumbers/{number}",
            get(get_number),
        )
}

async fn search_numbers(request: Request, uri: Uri) -> Response {
    let query = Query::of(&uri);
    request
        .play_call(Call::SearchAvailableNumbers, |model, _| {
            find_numbers(model, &query)
        })
        .await
}

fn find_numbers(model: &mut Model, query: &Query) -> Answer {
    let readings = &model.script.readings;
    let region = query.required("regionCode")?;
    let number_type = match (query.one("type"), readings.search_without_type) {
        (None, SearchWithoutType::Mobile) => "MOBILE",
        _ => query.required("type")?,
    };
    check_type("type", number_type)?;
    let filter = query.filter("capabilities", readings.pattern_alone)?;
    let size = query.size("size")?.unwrap_or(USUAL_SIZE);
    let found: Vec<Value> = match Product::find(region, number_type) {
        Some(product) => {
            let numbers = model.stock.sample(product, &filter, size, &mut model.rng);
            let numbers = numbers.iter();
            numbers
                .map(|number| wire::available(number, product))
                .collect()
        }
        None => Vec::new(),
    };
    Ok(Done::Json(json!({ "availableNumbers": found })))
}

async fn get_number(request: Request) -> Response {
    let act = |model: &mut Model, _| {
        let number = request.param("number");
        let product = Product::of_number(number).filter(|_| model.stock.has(number));
        match product {
            Some(product) => Ok(Done::Json(wire::available(number, product))),
            None => Err(Refusal::missing(Resource::AvailableNumber, number)),
        }
    };
    request.play_call(Call::GetAvailableNumber, act).await
}
