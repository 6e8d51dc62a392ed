//! Targets of notifications, and operators' requests about them.

mod attention;
mod figures;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

pub(super) use self::attention::{Attention, InWords};
pub(super) use self::figures::{TARGET_FIGURES, TargetView};
use super::body::{JsonBody, Object, Property, read_body};
use super::pretty_json::PrettyJson;
use super::{Context, Page, Shared, path_params};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{Listing, TargetRow, TestEvent};
use notifications::EventType;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/api/v1/targets", get(list_targets))
        .route("/api/v1/targets/{target}/resume", post(resume))
        .route("/api/v1/targets/{target}/test", post(send_test))
}

/// A target in the list, with the reasons for which an operator should see to it.
#[derive(Serialize)]
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

/// Parameters of a request's path that names a target.
type TargetPath = Result<Path<String>, PathRejection>;

/// Closes a target's circuit, and switches the target on again, because an operator has removed the cause.
async fn resume(State(context): Shared, path: TargetPath) -> Result<StatusCode, Problem> {
    let name = path_params(path, unknown_target)?;
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
#[derive(Deserialize)]
struct TestRequest {
    #[serde(rename = "type")]
    event_type: EventType,
}

impl Object for TestRequest {
    const PROPERTIES: &'static [Property] = &[Property {
        name: "type",
        is_needed: true,
        values: "a type of events, such as \"order.completed\"",
    }];
}

/// An event that tries a target, as it was recorded.
#[derive(Serialize)]
struct TestSent {
    /// Number of the event.
    sequence: i64,
}

/// Records an event that tries a target, which the target is told as any other.
async fn send_test(
    State(context): Shared,
    path: TargetPath,
    body: JsonBody,
) -> Result<(StatusCode, Json<TestSent>), Problem> {
    let test = TestEvent {
        target: path_params(path, unknown_target)?,
        event_type: read_body::<TestRequest>(body)?.event_type,
        now: clock::now(),
    };
    let sequence = context.store.send_test(test).await?;
    let sequence = sequence.ok_or_else(unknown_target)?;
    Ok((StatusCode::ACCEPTED, Json(TestSent { sequence })))
}
