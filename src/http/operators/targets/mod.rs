//! Targets of notifications, and operators' requests about them.

mod attention;
mod figures;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::{IntoParams, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::attention::{Attention, InWords};
pub(super) use self::figures::{TARGET_FIGURES, TargetView};
use super::body::{JsonBody, Object, Property, read_body};
use super::pretty_json::PrettyJson;
use super::{Context, Page, Shared, path_params};
use crate::clock;
use crate::explain::word;
use crate::http::problem::Problem;
use crate::store::{Listing, TargetRow, TestEvent};
use notifications::EventType;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_targets))
        .routes(routes!(resume_target))
        .routes(routes!(send_test))
}

/// A target in the list, with the reasons for which an operator should see to it.
#[derive(Serialize, ToSchema)]
struct ListedTarget {
    #[serde(flatten)]
    row: TargetRow,
    attention: Vec<InWords>,
}

/// Returns the reasons for which an operator should see to a target, as the operators' API has them.
pub(super) fn attention(target: &TargetRow) -> Vec<InWords> {
    let reasons = Attention::of_target(target).into_iter();
    reasons.map(Attention::in_words).collect()
}

/// Lists all targets, also those that are not configured any more and have notifications.
#[utoipa::path(
    get,
    path = "/api/v1/targets",
    tag = "targets",
    responses((status = 200, description = "All targets", body = Page<ListedTarget>))
)]
async fn list_targets(State(context): Shared) -> Result<PrettyJson<Page<ListedTarget>>, Problem> {
    let targets = context.store.targets().await?.into_iter();
    let listing = Listing {
        items: targets
            .map(|row| ListedTarget {
                attention: attention(&row),
                row,
            })
            .collect(),
        unreadable: Vec::new(),
        next: None,
    };
    Ok(PrettyJson(listing.into()))
}

/// Refuses a mistyped target, to distinguish it from one that has nothing to list. A target that is no longer configured
/// may have something.
pub(super) async fn must_be_known(context: &Context, name: &str) -> Result<(), Problem> {
    let targets = context.store.targets().await?;
    let is_known = targets.iter().any(|target| target.name == name);
    is_known.then_some(()).ok_or_else(unknown_target)
}

fn unknown_target() -> Problem {
    Problem::with_detail(StatusCode::NOT_FOUND, "no such target is configured")
}

/// Parameter of a path that names a target.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct TargetPath {
    /// Name of the target.
    target: String,
}

/// Closes a target's circuit, and switches the target on again, because an operator has removed the cause.
#[utoipa::path(
    post,
    path = "/api/v1/targets/{target}/resume",
    tag = "targets",
    params(TargetPath),
    responses(
        (status = 202, description = "What waits for the target is due now"),
        (status = 404, description = "There is no such target"),
    )
)]
async fn resume_target(
    State(context): Shared,
    path: Result<Path<TargetPath>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let TargetPath { target: name } = path_params(path, unknown_target)?;
    if !context
        .store
        .resume_target(name.clone(), clock::now())
        .await?
    {
        return Err(unknown_target());
    }
    tracing::info!(name, "resumed a target");
    Ok(StatusCode::ACCEPTED)
}

/// Body of a request for an event that tries a target.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TestRequest {
    /// Type of the event.
    #[serde(rename = "type")]
    #[schema(schema_with = event_type)]
    event_type: EventType,
}

/// Returns the schema of a type of events.
pub(super) fn event_type() -> openapi::Object {
    word(&event_types())
}

/// Returns the types of events.
pub(super) fn event_types() -> Vec<&'static str> {
    EventType::VARIANTS.iter().map(|one| one.name()).collect()
}

impl Object for TestRequest {
    const PROPERTIES: &'static [Property] = &[Property {
        name: "type",
        is_needed: true,
        values: "a type of events, such as \"order.completed\"",
    }];
}

/// An event that tries a target, as it was recorded.
#[derive(Serialize, ToSchema)]
struct TestSent {
    /// Number of the event.
    sequence: i64,
}

/// Records an event that tries a target, which the target is told as any other.
#[utoipa::path(
    post,
    path = "/api/v1/targets/{target}/test",
    tag = "targets",
    params(TargetPath),
    request_body = TestRequest,
    responses(
        (status = 202, description = "The event is recorded", body = TestSent),
        (status = 404, description = "There is no such target"),
    )
)]
async fn send_test(
    State(context): Shared,
    path: Result<Path<TargetPath>, PathRejection>,
    body: JsonBody,
) -> Result<(StatusCode, Json<TestSent>), Problem> {
    let test = TestEvent {
        target: path_params(path, unknown_target)?.target,
        event_type: read_body::<TestRequest>(body)?.event_type,
        now: clock::now(),
    };
    let sequence = context.store.send_test(test).await?;
    let sequence = sequence.ok_or_else(unknown_target)?;
    Ok((StatusCode::ACCEPTED, Json(TestSent { sequence })))
}
