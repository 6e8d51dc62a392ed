//! Notifications: what targets were told, and what they did not take.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::body::{JsonBody, Object, Property, read_body, unusable};
use super::pretty_json::PrettyJson;
use super::query::QueryParams;
use super::targets::must_be_known;
use super::{Context, Page, Shared, page_size};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{Cursor, NotificationFilter, NotificationRow};
use notifications::EventType;
use number_order::Time;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/api/v1/notifications", get(list_notifications))
        .route("/api/v1/notifications/redrive", post(redrive))
}

/// Query parameters by which notifications can be listed.
const LIST_PARAMS: [&str; 8] = [
    "target", "phase", "type", "since", "before", "sort", "limit", "after",
];

/// Phases of a notification.
const PHASES: [&str; 3] = ["waiting", "delivered", "parked"];

async fn list_notifications(
    State(context): Shared,
    query: RawQuery,
) -> Result<PrettyJson<Page<NotificationRow>>, Problem> {
    let params = QueryParams::read(query, &LIST_PARAMS)?;
    let types: Vec<&str> = EventType::VARIANTS.iter().map(|one| one.name()).collect();
    let filter = NotificationFilter {
        id: None,
        target: params.text("target").map(str::to_owned),
        phase: params.word("phase", &PHASES)?,
        event_type: params.word("type", &types)?,
        since: params.time("since")?,
        before: params.time("before")?,
        newest_first: params.newest_first()?,
        after: params.text("after").map(Cursor::from_caller),
        limit: page_size(params.number("limit")?),
    };
    if let Some(target) = &filter.target {
        must_be_known(&context, target).await?;
    }
    Ok(PrettyJson(
        context.store.notifications(&filter).await?.into(),
    ))
}

/// Body of a request to send notifications again. What several properties ask for must all hold.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RedriveRequest {
    id: Option<i64>,
    target: Option<String>,
    phase: Option<Phase>,
    #[serde(rename = "type")]
    event_type: Option<EventType>,
    since: Option<Time>,
    before: Option<Time>,
    all: bool,
    dry_run: bool,
}

/// Phase of a notification that can be sent again. One that waits will be sent anyhow.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Delivered,
    Parked,
}

impl Object for RedriveRequest {
    const PROPERTIES: &'static [Property] = &[
        optional("id", "the number of a notification"),
        optional("target", "the name of a target"),
        optional("phase", "\"parked\", which is usual, or \"delivered\""),
        optional("type", "a type of events, such as \"order.completed\""),
        optional("since", "a time, as 2026-01-31T12:00:00Z"),
        optional("before", "a time, as 2026-01-31T12:00:00Z"),
        optional("all", "true to send all that are parked"),
        optional("dry_run", "true to count them only"),
    ];
}

const fn optional(name: &'static str, values: &'static str) -> Property {
    Property {
        name,
        is_needed: false,
        values,
    }
}

/// Returns the filter of a request, which must choose something, so that nobody sends everything again by mistake.
///
/// Those that are parked are meant. One that is named by its id is meant, whichever its phase is.
fn redrive_filter(request: RedriveRequest) -> Result<NotificationFilter, Problem> {
    let usual = request.id.is_none().then_some("parked");
    let filter = NotificationFilter {
        id: request.id,
        target: request.target,
        phase: request.phase.map_or(usual, |phase| match phase {
            Phase::Delivered => Some("delivered"),
            Phase::Parked => Some("parked"),
        }),
        event_type: request.event_type.map(EventType::name),
        since: request.since,
        before: request.before,
        ..NotificationFilter::default()
    };
    let chooses = filter.id.is_some()
        || filter.target.is_some()
        || filter.event_type.is_some()
        || filter.since.is_some()
        || filter.before.is_some();
    if chooses || request.all {
        return Ok(filter);
    }
    Err(unusable(
        "say which: by id, target, type, since or before; or all of them, by \"all\": true",
    ))
}

/// Result of a request to send notifications again.
#[derive(Serialize)]
struct Redriven {
    /// Number of notifications that wait again, or would.
    notifications: u64,
    dry_run: bool,
}

/// Sends notifications again, with all their attempts, or counts them only.
async fn redrive(State(context): Shared, body: JsonBody) -> Result<Json<Redriven>, Problem> {
    let request: RedriveRequest = read_body(body)?;
    let dry_run = request.dry_run;
    let filter = redrive_filter(request)?;
    if let Some(target) = &filter.target {
        must_be_known(&context, target).await?;
    }
    let notifications = if dry_run {
        context.store.count_notifications(&filter).await?
    } else {
        let notifications = context.store.redrive(filter, clock::now()).await?;
        tracing::info!(notifications, "made notifications wait again");
        notifications
    };
    Ok(Json(Redriven {
        notifications,
        dry_run,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::operators::body::tests::refused;

    #[test]
    fn nothing_is_sent_again_that_nobody_has_chosen() {
        let refusal = |body| {
            refused::<RedriveRequest>(body, |request| {
                redrive_filter(request).map(|_| RedriveRequest::default())
            })
        };
        for (body, expected) in [
            ("{}", Some("say which")),
            (r#"{"dry_run": true}"#, Some("say which")),
            (r#"{"phase": "delivered"}"#, Some("say which")),
            (r#"{"phase": "waiting", "all": true}"#, Some("phase: write")),
            (r#"{"type": "order.gone"}"#, Some("type: write a type")),
            (r#"{"since": "yesterday"}"#, Some("since: write a time")),
            (r#"{"targets": "crm"}"#, Some("no such property")),
            (r#"{"all": true}"#, None),
            (r#"{"id": 7}"#, None),
            (r#"{"target": "crm"}"#, None),
            (r#"{"type": "order.blocked", "phase": "delivered"}"#, None),
            (r#"{"before": "2026-01-31T12:00:00Z"}"#, None),
        ] {
            match (refusal(body), expected) {
                (None, None) => {}
                (Some(said), Some(expected)) => assert!(said.contains(expected), "{body}: {said}"),
                (said, _) => panic!("{body}: {said:?}"),
            }
        }
    }

    #[test]
    fn parked_ones_are_meant_unless_one_is_named() {
        let filter = |request| redrive_filter(request).expect("a filter");
        let of_target = RedriveRequest {
            target: Some("crm".to_owned()),
            ..RedriveRequest::default()
        };
        assert_eq!(filter(of_target).phase, Some("parked"));
        let one = RedriveRequest {
            id: Some(7),
            ..RedriveRequest::default()
        };
        assert_eq!(filter(one).phase, None);
        let delivered = RedriveRequest {
            all: true,
            phase: Some(Phase::Delivered),
            ..RedriveRequest::default()
        };
        assert_eq!(filter(delivered).phase, Some("delivered"));
    }
}
