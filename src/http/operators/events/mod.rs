//! The feed of events, for consumers that ask: page by page, with a wait where there is nothing, or as a stream.

mod query;
mod reader;
mod schemas;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::query::{FeedList, FeedQuery, StreamList, stream_choice};
use self::reader::{Batch, Reader};
use self::stream::EventStream;
use super::query::Query;
use super::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::FeedEvent;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::new()
        .routes(routes!(list_events))
        .routes(routes!(stream_events))
        .merge(schemas::routes())
}

/// Page of the feed.
#[derive(Serialize, ToSchema)]
struct FeedPage<'a> {
    /// Id of the feed: a database that is restored from a backup has another one.
    feed: &'a str,
    /// Events as they are stored, and as targets get them.
    #[schema(value_type = Vec<Object>)]
    events: Vec<&'a RawValue>,
    /// Value of the parameter `after` with which the next page is requested.
    next: i64,
}

impl<'a> FeedPage<'a> {
    /// Returns a page with the given events.
    ///
    /// # Errors
    ///
    /// Returns the refusal of a page that has an event which another program has spoilt.
    fn new(feed: &'a str, batch: &'a Batch) -> Result<FeedPage<'a>, Problem> {
        let body = |event: &'a FeedEvent| {
            serde_json::from_str(&event.body).map_err(|_| unreadable(event.sequence))
        };
        Ok(FeedPage {
            feed,
            events: batch.events.iter().map(body).collect::<Result<_, _>>()?,
            next: batch.next,
        })
    }
}

fn unreadable(sequence: i64) -> Problem {
    let detail = format!("the body of event {sequence} is no JSON: another program has changed it");
    Problem::with_detail(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// Returns events after a number: what other systems are told. Waits for some, if the query says so.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(Query<FeedList>),
    responses(
        (status = 200, description = "Events after the number, the oldest first", body = FeedPage),
        (status = 409, description = "The number is of another feed, or of no event yet; `newest` is the newest one"),
        (status = 410, description = "Later events are not kept any more; `after` is where to go on"),
        (status = 500, description = "Another program has changed an event"),
    )
)]
async fn list_events(State(context): Shared, query: Query<FeedList>) -> Result<Response, Problem> {
    let query = FeedQuery::of(&query)?;
    let mut reader = Reader::open(context.store.clone(), query.choice).await?;
    let batch = match query.wait {
        None => reader.read(query.limit).await?,
        Some(wait) => {
            let _permit = reader_permit(&context)?;
            wait_for_events(&context, &mut reader, query.limit, wait).await?
        }
    };
    Ok(Json(FeedPage::new(reader.feed(), &batch)?).into_response())
}

/// Reads until there is something, the time is over, or the service stops.
async fn wait_for_events(
    context: &Context,
    reader: &mut Reader,
    limit: usize,
    wait: Duration,
) -> Result<Batch, Problem> {
    let until = Instant::now() + wait;
    let mut was_told = false;
    loop {
        let told = context.store.told().notified();
        let batch = reader.read(limit).await?;
        if !batch.events.is_empty() || context.stop.is_cancelled() || Instant::now() >= until {
            return Ok(batch);
        }
        if batch.at_end {
            reader::rest(told, until, &context.stop).await;
            if was_told {
                reader::pause(&context.stop).await;
            }
            was_told = true;
        }
    }
}

/// Streams events as they are recorded, until the reader leaves or the service stops.
///
/// `id` is an event's number, `event` its type, and `data` its body.
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    tag = "events",
    params(
        Query<StreamList>,
        ("Last-Event-ID" = Option<String>, Header, description = "Number of the last event that the reader saw; it comes before `after`"),
    ),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        (status = 409, description = "The number is of another feed, or of no event yet; `newest` is the newest one"),
        (status = 410, description = "Later events are not kept any more; `after` is where to go on"),
    )
)]
async fn stream_events(
    State(context): Shared,
    headers: HeaderMap,
    query: Query<StreamList>,
) -> Result<Response, Problem> {
    let choice = stream_choice(&query, &headers)?;
    let permit = reader_permit(&context)?;
    let reader = Reader::open(context.store.clone(), choice).await?;
    let body = EventStream::new(reader, context.stop.clone(), permit);
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        // A reverse proxy would hold events back until it has a block of them.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, axum::body::Body::new(body)).into_response())
}

/// Returns the permit of a reader that waits.
///
/// # Errors
///
/// Returns the refusal of a reader beyond the maximum number.
fn reader_permit(context: &Context) -> Result<OwnedSemaphorePermit, Problem> {
    let permit = context.feed_readers.clone().try_acquire_owned();
    permit.map_err(|_| {
        let max = context.settings.feed_readers_max;
        Problem::unavailable().detailed(format!(
            "{max} readers wait for events already, which is the maximum: ask without `wait`, or later"
        ))
    })
}
