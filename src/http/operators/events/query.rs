//! What a reader of the feed asks for.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use strum::VariantArray;

use super::reader::{Choice, Start};
use crate::http::operators::query::{Kind, LIMIT, Param, Params, Query};
use crate::http::problem::Problem;
use notifications::{EventType, TypePattern};

/// Maximum time for which a request waits for events.
const WAIT_MAX_SECS: u32 = 60;

/// Word for the beginning of what is kept, in place of a number.
const OLDEST: &str = "oldest";

/// Header with which a reader of the stream resumes.
const LAST_EVENT_ID: &str = "last-event-id";

const AFTER: Param = Param::new(
    "after",
    Kind::Pattern("^([0-9]{1,18}|oldest)$"),
    "the events after the one with this number; `oldest`: from the oldest that is kept. Without it there are none: `next` is where to begin",
);
const SINCE: Param = Param::new(
    "since",
    Kind::Time,
    "where there is no `after`: the events from the first one of this time or later",
);
const FEED: Param = Param::new(
    "feed",
    Kind::Text,
    "the number is one of this feed: what an earlier page had as its `feed`",
);
const TYPES: Param = Param::new(
    "types",
    Kind::WordList(TypePattern::all),
    "only these types, with commas: `order.*,number.ready`",
);
const PROVISIONAL: Param = Param::new(
    "provisional",
    Kind::Flag,
    "`true`: also what Sinch has not confirmed, and what becomes of it",
);

const ORDER: Param = Param::new("order", Kind::Id, "only about the order with this id");

/// Parameters of a page of the feed.
pub(super) struct FeedList;

impl Params for FeedList {
    const PARAMS: &'static [Param] = &[
        AFTER,
        SINCE,
        FEED,
        TYPES,
        PROVISIONAL,
        ORDER,
        LIMIT,
        Param::new(
            "wait",
            Kind::Number(0, WAIT_MAX_SECS),
            "where there is nothing, wait for this number of seconds",
        ),
    ];
}

/// Parameters of the stream.
pub(super) struct StreamList;

impl Params for StreamList {
    const PARAMS: &'static [Param] = &[AFTER, SINCE, FEED, TYPES, PROVISIONAL, ORDER];
}

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
    pub fn of(query: &Query<FeedList>) -> Result<FeedQuery, Problem> {
        let wait = query.number("wait")?.filter(|secs| *secs > 0);
        Ok(FeedQuery {
            choice: choice(query, start("after", query.text("after"))?)?,
            limit: query.limit()? as usize,
            wait: wait.map(|secs| Duration::from_secs(secs.into())),
        })
    }
}

/// Reads the parameters of a request for the stream. What a reader last saw comes before `after`, which a browser repeats as
/// it was at first.
///
/// # Errors
///
/// Returns the refusal of parameters that make no sense.
pub(super) fn stream_choice(
    params: &Query<StreamList>,
    headers: &HeaderMap,
) -> Result<Choice, Problem> {
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

fn choice<P: Params>(params: &Query<P>, start: Start) -> Result<Choice, Problem> {
    let types = params.text("types").map(types).transpose()?;
    let since = params.time("since")?;
    let start = match (start, since) {
        (Start::Newest, Some(since)) => Start::Since(since),
        (start, _) => start,
    };
    Ok(Choice {
        start,
        feed: params.text("feed").map(str::to_owned),
        types: types.unwrap_or_default(),
        provisional: params.flag("provisional")? == Some(true),
        order: params.id("order")?,
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
