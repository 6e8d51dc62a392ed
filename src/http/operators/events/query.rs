//! What a reader of the feed asks for.

use std::time::Duration;

use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode};
use strum::VariantArray;

use super::reader::{Choice, Start};
use crate::http::operators::page_size;
use crate::http::operators::query::QueryParams;
use crate::http::problem::Problem;
use notifications::{EventType, TypePattern};

/// Maximum time for which a request waits for events.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Word for the beginning of what is kept, in place of a number.
const OLDEST: &str = "oldest";

/// Header with which a reader of the stream resumes.
const LAST_EVENT_ID: &str = "last-event-id";

/// Query parameters of a page of the feed.
const PAGE_PARAMS: [&str; 6] = ["after", "feed", "types", "provisional", "limit", "wait"];

/// Query parameters of the stream.
pub(super) const STREAM_PARAMS: [&str; 4] = ["after", "feed", "types", "provisional"];

/// Request for a page of the feed.
pub(super) struct FeedQuery {
    pub choice: Choice,
    /// Maximum number of events.
    pub limit: usize,
    /// Maximum time for which the request waits; `None`: it does not.
    pub wait: Option<Duration>,
}

impl FeedQuery {
    /// Reads the parameters of a request for a page.
    ///
    /// # Errors
    ///
    /// Returns the refusal of parameters that make no sense.
    pub fn read(query: RawQuery) -> Result<FeedQuery, Problem> {
        let params = QueryParams::read(query, &PAGE_PARAMS)?;
        let wait: Option<u64> = params.number("wait")?;
        if wait.is_some_and(|secs| secs > WAIT_MAX.as_secs()) {
            let detail = format!("wait: write at most {} seconds", WAIT_MAX.as_secs());
            return Err(Problem::with_detail(StatusCode::BAD_REQUEST, detail));
        }
        Ok(FeedQuery {
            choice: choice(&params, start("after", params.text("after"))?)?,
            limit: page_size(params.number("limit")?) as usize,
            wait: wait.filter(|secs| *secs > 0).map(Duration::from_secs),
        })
    }
}

/// Reads the parameters of a request for the stream. What a reader last saw comes before `after`, which a browser repeats as
/// it was at first.
///
/// # Errors
///
/// Returns the refusal of parameters that make no sense.
pub(super) fn stream_choice(params: &QueryParams, headers: &HeaderMap) -> Result<Choice, Problem> {
    let last_seen = headers.get(LAST_EVENT_ID);
    let start = match last_seen.filter(|value| !value.is_empty()) {
        Some(value) => start("Last-Event-ID", Some(value.to_str().unwrap_or("?")))?,
        None => start("after", params.text("after"))?,
    };
    choice(params, start)
}

fn start(name: &str, text: Option<&str>) -> Result<Start, Problem> {
    let Some(text) = text else {
        return Ok(Start::Newest);
    };
    if text == OLDEST {
        return Ok(Start::Oldest);
    }
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.map(Start::After).ok_or_else(|| {
        let detail = format!("{name}: write the number of an event, 0, or {OLDEST}");
        Problem::with_detail(StatusCode::BAD_REQUEST, detail)
    })
}

fn choice(params: &QueryParams, start: Start) -> Result<Choice, Problem> {
    let types = params.text("types").map(types).transpose()?;
    Ok(Choice {
        start,
        feed: params.text("feed").map(str::to_owned),
        types: types.unwrap_or_default(),
        provisional: params.flag("provisional")? == Some(true),
    })
}

/// Returns the types that a list of patterns chooses, each once.
fn types(text: &str) -> Result<Vec<EventType>, Problem> {
    let pattern = |text: &str| {
        TypePattern::new(text.trim()).ok_or_else(|| {
            let detail = format!(
                "types: {text:.40?} matches no event; write some of {}",
                TypePattern::all().join(", ")
            );
            Problem::with_detail(StatusCode::BAD_REQUEST, detail)
        })
    };
    let patterns: Vec<TypePattern> = text.split(',').map(pattern).collect::<Result<_, _>>()?;
    let types = EventType::VARIANTS.iter().copied();
    let chosen = types.filter(|one| patterns.iter().any(|pattern| pattern.matches(*one)));
    Ok(chosen.collect())
}
