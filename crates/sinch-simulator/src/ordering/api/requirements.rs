//! Call that looks up requirements: `POST /numberOrders:lookupNumberRequirements`.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;

use super::super::new_order::region_and_type;
use super::super::requirements;
use super::super::stock::Product;
use super::{Api, Call, Done, Model, Request, read_json};

pub(super) fn routes() -> Router<Arc<Api>> {
    let path = "/v1/projects/{project}/numberOrders:lookupNumberRequirements";
    Router::new().route(path, post(look_up_requirements))
}

async fn look_up_requirements(request: Request, body: Bytes) -> Response {
    let act = |model: &mut Model, _| {
        let body = read_json(&body)?;
        let (region, number_type) = region_and_type(&body)?;
        // A region without numbers answers as one without requirements.
        let product = Product::find(region, number_type);
        let has_form = product.is_some_and(|product| product.has_form);
        requirements::lookup(has_form, &model.script.readings).map(Done::Json)
    };
    request.play_call(Call::LookUpRequirements, act).await
}
