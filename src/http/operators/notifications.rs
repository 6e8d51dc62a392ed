//! Notifications: what targets were told, and what they did not take.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{JsonBody, Object, Property, read_body, unusable};
use super::pretty_json::PrettyJson;
use super::query::{Kind, LIMIT, Param, Params, Query, SORT, period, since, until};
use super::targets::{event_type, event_types, must_be_known};
use super::{Context, Page, Shared, row_id};
use crate::clock;
use crate::http::problem::Problem;
use crate::store::{NOTIFICATION_PHASES, NotificationFilter, NotificationRow};
use notifications::EventType;
use number_order::Time;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(redrive))
}

/// Parameters by which notifications can be listed.
struct NotificationList;

impl Params for NotificationList {
    const PARAMS: &'static [Param] = &[
        Param::new("target", Kind::Text, "of this target"),
        Param::new(
            "phase",
            Kind::Words(|| NOTIFICATION_PHASES.to_vec()),
            "in this phase",
        ),
        Param::new("type", Kind::Words(event_types), "of events of this type"),
        since("of events of this time or later"),
        until("of events before this time"),
        SORT,
        LIMIT,
        Param::after("^n[0-9a-f]{16}$"),
    ];
}

/// Lists notifications: which target is told which event, and what became of it.
#[utoipa::path(
    get,
    path = "/api/v1/notifications",
    tag = "notifications",
    params(Query<NotificationList>),
    responses(
        (status = 200, description = "A page of notifications", body = Page<NotificationRow>),
        (status = 404, description = "The target is not known"),
    )
)]
async fn list_notifications(
    State(context): Shared,
    query: Query<NotificationList>,
) -> Result<PrettyJson<Page<NotificationRow>>, Problem> {
    let [since, until] = query.period()?;
    let filter = NotificationFilter {
        id: None,
        target: query.text("target").map(str::to_owned),
        phase: query.word("phase")?,
        event_type: query.word("type")?,
        since,
        until,
        newest_first: query.newest_first()?,
        after: query.after(),
        limit: query.limit()?,
    };
    if let Some(target) = &filter.target {
        must_be_known(&context, target).await?;
    }
    Ok(PrettyJson(
        context.store.notifications(&filter).await?.into(),
    ))
}

/// Body of a request to send notifications again. What several properties ask for must all hold.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RedriveRequest {
    /// Id of the notification.
    #[serde(default, deserialize_with = "row_id::read_if_any")]
    #[schema(minimum = 1)]
    id: Option<i64>,
    /// Name of the target.
    target: Option<String>,
    /// Phase of the notifications; unless written, `parked`.
    phase: Option<Phase>,
    /// Type of their events.
    #[serde(rename = "type")]
    #[schema(schema_with = event_type_if_any)]
    event_type: Option<EventType>,
    /// Earliest time of their events.
    since: Option<Time>,
    /// Time before which their events are.
    until: Option<Time>,
    /// `true`: all that are parked, where nothing else chooses.
    #[serde(default)]
    all: bool,
    /// `true`: count them only.
    #[serde(default)]
    dry_run: bool,
}

/// Phase of a notification that can be sent again. One that waits will be sent anyhow.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RedrivePhase)]
enum Phase {
    Delivered,
    Parked,
}

fn event_type_if_any() -> openapi::Schema {
    let null = openapi::Object::builder().schema_type(openapi::Type::Null);
    let one_of = openapi::schema::OneOf::builder();
    one_of.item(null).item(event_type()).into()
}

impl Object for RedriveRequest {
    const PROPERTIES: &'static [Property] = &[
        optional("id", "the number of a notification"),
        optional("target", "the name of a target"),
        optional("phase", "\"parked\", which is usual, or \"delivered\""),
        optional("type", "a type of events, such as \"order.completed\""),
        optional("since", "a time, as 2026-01-31T12:00:00Z"),
        optional("until", "a time, as 2026-01-31T12:00:00Z"),
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
    let [since, until] = period(request.since, request.until).map_err(unusable)?;
    let filter = NotificationFilter {
        id: request.id,
        target: request.target,
        phase: request.phase.map_or(usual, |phase| match phase {
            Phase::Delivered => Some("delivered"),
            Phase::Parked => Some("parked"),
        }),
        event_type: request.event_type.map(EventType::name),
        since,
        until,
        ..NotificationFilter::default()
    };
    let chooses = filter.id.is_some()
        || filter.target.is_some()
        || filter.event_type.is_some()
        || filter.since.is_some()
        || filter.until.is_some();
    if chooses || request.all {
        return Ok(filter);
    }
    Err(unusable(
        "say which: by id, target, type, since or until; or all of them, by \"all\": true",
    ))
}

/// Result of a request to send notifications again.
#[derive(Serialize, ToSchema)]
struct Redriven {
    /// Number of notifications that wait again, or would.
    notifications: u64,
    dry_run: bool,
}

/// Sends notifications again, with all their attempts, or counts them only.
#[utoipa::path(
    post,
    path = "/api/v1/notifications/redrive",
    tag = "notifications",
    request_body = RedriveRequest,
    responses(
        (status = 200, description = "How many are sent again, or would be", body = Redriven),
        (status = 404, description = "The target is not known"),
    )
)]
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
            refused::<RedriveRequest, _>(body, |request| {
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
            (r#"{"until": "2026-01-31T12:00:00Z"}"#, None),
            (
                r#"{"since": "2026-01-31T12:00:00Z", "until": "2026-01-31T12:00:00.000001Z"}"#,
                None,
            ),
            (
                r#"{"since": "2026-01-31T12:00:00Z", "until": "2026-01-31T11:00:00Z"}"#,
                Some("since: 2026-01-31T12:00:00Z is not before until, 2026-01-31T11:00:00Z"),
            ),
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
