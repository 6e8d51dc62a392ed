//! Requests about all orders or deliveries that a filter chooses. Each one is a write of its own, so that nothing holds up
//! callbacks for long, and a request works for a while only: the next one goes on.

mod deliveries;
mod orders;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::Context;
use super::query::{Kind, Param, Params, Query, bad_parameter};
use crate::http::problem::Problem;
use crate::store::{Cursor, Kept, Listing, StoreError};

/// Time for which one request works.
const WORK_FOR: Duration = Duration::from_secs(2);

/// Number of writes that are handed over together, and so share commits.
const TOGETHER: u32 = 64;

pub(super) fn routes() -> OpenApiRouter<Arc<Context>> {
    orders::routes().merge(deliveries::routes())
}

const ALL: Param = Param::new(
    "all",
    Kind::Flag,
    "`true`: all of them, where no other parameter chooses",
);
const DRY_RUN: Param = Param::needed(
    "dry_run",
    Kind::Flag,
    "write `true` to count them only, or `false`",
);

/// What came of a request about all that fits.
#[derive(Default, Serialize, ToSchema)]
struct BulkDone {
    /// Number of those to which it was done, or would be.
    count: u64,
    /// `true`: they were counted only.
    dry_run: bool,
    /// What is kept about the orders that are forgotten, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
    /// Those to which it was not done.
    refused: Vec<Refused>,
    /// Value of the parameter `after` with which the same request goes on; `null`: it is done.
    #[schema(value_type = Option<String>)]
    next: Option<Cursor>,
}

/// One to which it was not done.
#[derive(Serialize, ToSchema)]
struct Refused {
    /// Sinch's order id, or the id of the delivery.
    name: String,
    /// Reason, in words.
    text: String,
}

/// Result of what is done to one: what was kept of it, where that is counted.
type Done = Result<Option<Kept>, Problem>;

/// Does something to each item of a list, page by page, until its end or until the time is over. Where the database does not
/// answer, it ends with that.
async fn each<T, L, F>(
    dry_run: bool,
    mut after: Option<Cursor>,
    list: impl Fn(Option<Cursor>) -> L,
    act: impl Fn(T) -> Option<F>,
) -> Result<Json<BulkDone>, Problem>
where
    L: Future<Output = Result<Listing<T>, StoreError>>,
    F: Future<Output = (String, Done)> + Send + 'static,
{
    let began = Instant::now();
    let mut all = BulkDone {
        dry_run,
        ..BulkDone::default()
    };
    loop {
        let page = list(after).await?;
        let mut together = JoinSet::new();
        for action in page.items.into_iter().filter_map(&act) {
            together.spawn(action);
        }
        while let Some(ended) = together.join_next().await {
            let ended = ended.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR))?;
            all.add(ended)?;
        }
        after = page.next;
        if after.is_none() || began.elapsed() >= WORK_FOR {
            all.next = after;
            return Ok(Json(all));
        }
    }
}

impl BulkDone {
    fn add(&mut self, (name, done): (String, Done)) -> Result<(), Problem> {
        match done {
            Ok(kept) => {
                self.count += 1;
                if let Some(kept) = kept {
                    *self.kept.get_or_insert_default() += kept;
                }
            }
            Err(problem) if problem.status().is_server_error() => return Err(problem),
            Err(problem) => self.refused.push(Refused {
                name,
                text: problem.detail().unwrap_or_default().to_owned(),
            }),
        }
        Ok(())
    }
}

/// Returns `true` if the query asks for a dry run.
///
/// # Errors
///
/// Returns the refusal of a query that chooses nothing, so that nobody means all by mistake.
fn dry_run<P: Params>(query: &Query<P>) -> Result<bool, Problem> {
    let all = query.flag(ALL.name)? == Some(true);
    if query.chooses() || all {
        return Ok(query.flag(DRY_RUN.name)? == Some(true));
    }
    let detail = "say which, by a filter; or all of them, by all=true";
    Err(bad_parameter(detail.to_owned()))
}
