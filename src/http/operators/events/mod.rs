//! The feed of events, for consumers that ask: page by page, with a wait where there is nothing, or as a stream.

mod query;
mod reader;
mod schemas;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use self::query::{FeedQuery, STREAM_PARAMS, stream_choice};
use self::reader::{Batch, Reader};
use self::stream::EventStream;
use super::query::QueryParams;
use super::{Context, Shared};
use crate::http::problem::Problem;
use crate::store::FeedEvent;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/api/v1/events", get(list_events))
        .route("/api/v1/events/stream", get(stream_events))
        .merge(schemas::routes())
}

/// Page of the feed.
#[derive(Serialize)]
struct FeedPage<'a> {
    /// Id of the feed: a database that is restored from a backup has another one.
    feed: &'a str,
    /// Events as they are stored, and as targets get them.
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

async fn list_events(State(context): Shared, query: RawQuery) -> Result<Response, Problem> {
    let query = FeedQuery::read(query)?;
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
async fn stream_events(
    State(context): Shared,
    headers: HeaderMap,
    query: RawQuery,
) -> Result<Response, Problem> {
    let params = QueryParams::read(query, &STREAM_PARAMS)?;
    let choice = stream_choice(&params, &headers)?;
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
