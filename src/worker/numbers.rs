//! Fetches the numbers of one project's completed orders, until they are ready: one after the other, within the
//! project's rate limit, and never while its circuit is open.
//!
//! Orders come first: while any is due, numbers get at most one fetch in sixteen.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::frame::{POLL, Pause, WakeUp, Worker};
use super::logged_id;
use crate::clock;
use crate::redact::redacted;
use crate::sinch::{self, FetchError};
use crate::store::{
    DueNumber, NextNumber, NumberChange, NumberFetchResult, NumberRecorded, Rate, Store, StoreError,
};
use number_order::{Backoff, Endpoint, Failure, Flaw, Id, Link, NoAnswer, Policy, Readiness, Time};
use sinch_numbers::api::{Client, PhoneNumber};

/// Pause after a fetch while orders are due, as a multiple of the time that the rate leaves between two fetches.
const PAUSE_FACTOR: u32 = 15;

/// Maximum pause of any kind. The worker must not seem silent, even if a fetch of [`FETCH_MAX`] follows.
const REST_MAX: Duration = Duration::from_secs(20);

/// Maximum duration of a fetch, whatever the configured time-outs add up to.
const FETCH_MAX: Duration = Duration::from_secs(30);

/// Worker that fetches the numbers of one project.
pub struct NumberWorker {
    /// Project whose numbers are fetched.
    pub project: Id,
    /// Client of the project's API, which the fetcher shares.
    pub client: Arc<Client>,
    /// Store of the due numbers and of the answers.
    pub store: Store,
    /// Policy by which answers are applied.
    pub policy: Policy,
    /// Spacing of failed attempts.
    pub backoff: Backoff,
    /// Maximum rate of the project's fetches, which the numbers share with the orders.
    pub rate: Rate,
    /// Token that is cancelled when the service stops. A fetch in flight is abandoned then, and its number stays due.
    pub stop: CancellationToken,
}

impl Worker for NumberWorker {
    /// Number of fetches in a row that failed through a fault of the provider, not of the number.
    type State = u32;

    fn name(&self) -> Cow<'static, str> {
        format!("numbers {}", self.project).into()
    }

    fn wake_up(&self) -> Option<WakeUp<'_>> {
        Some(WakeUp {
            notify: self.store.due(),
            gather: Duration::ZERO,
        })
    }

    async fn step(&self, failures: &mut u32) -> Result<Pause, StoreError> {
        let now = clock::now();
        let due = self.store.due_number(&self.project, self.rate, now).await?;
        let (number, orders_wait) = match due {
            NextNumber::None => return Ok(Pause::Idle(POLL)),
            NextNumber::NotBefore(until) => return Ok(Pause::Rest(until.since(now).min(POLL))),
            NextNumber::One {
                number,
                orders_wait,
            } => (number, orders_wait),
        };
        let sent_at = clock::now();
        let fetching = self.stop.run_until_cancelled(self.fetch(&number));
        let Some(result) = fetching.await else {
            return Ok(Pause::Rest(Duration::ZERO));
        };
        let is_of_provider = result.as_ref().is_err_and(|error| !error.is_of_order());
        self.record(number, sent_at, result).await?;
        *failures = if is_of_provider { *failures + 1 } else { 0 };
        Ok(Pause::Rest(self.rest(*failures, orders_wait)))
    }
}

impl NumberWorker {
    async fn fetch(&self, number: &DueNumber) -> Result<Option<Vec<Link>>, FetchError> {
        let Ok(number) = PhoneNumber::new(number.phone_number.as_str()) else {
            // No such number is followed, unless another program has written it.
            return Err(unsendable());
        };
        let fetching = sinch::fetch_number(&self.client, &number);
        let fetched = tokio::time::timeout(FETCH_MAX, fetching).await;
        fetched.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Returns the pause after a fetch. It grows while the provider fails, and it is long while orders are due, to
    /// leave the project's rate to them.
    fn rest(&self, failures: u32, orders_wait: bool) -> Duration {
        let for_orders = if orders_wait {
            self.rate.interval * PAUSE_FACTOR
        } else {
            Duration::ZERO
        };
        let for_provider = match failures {
            0 => Duration::ZERO,
            failures => POLL * (1 << failures.min(5)),
        };
        for_orders.max(for_provider).min(REST_MAX)
    }

    async fn record(
        &self,
        number: DueNumber,
        sent_at: Time,
        result: Result<Option<Vec<Link>>, FetchError>,
    ) -> Result<(), StoreError> {
        let failure = |error: FetchError| Failure {
            wait_min: error.retry_after.unwrap_or_default(),
            reason: error.reason,
        };
        let recorded = self.store.record_number(NumberFetchResult {
            number,
            sent_at,
            result: result.map_err(failure),
            now: clock::now(),
            jitter: fastrand::f64(),
            policy: self.policy.clone(),
            backoff: self.backoff.clone(),
        });
        if let NumberRecorded::Done(change) = recorded.await? {
            log(&change);
        }
        Ok(())
    }
}

fn unsendable() -> FetchError {
    let reason = NoAnswer::UnusableAnswer {
        endpoint: Endpoint::Numbers,
        status: 400,
        flaw: Flaw::RequestNotAccepted,
    };
    reason.into()
}

fn timed_out() -> FetchError {
    let endpoint = Endpoint::Numbers;
    NoAnswer::TimedOut { endpoint }.into()
}

/// Reports what has changed about a number. The number itself stays out of the log.
fn log(NumberChange { key, before, after }: &NumberChange) {
    let (project, order) = (&key.project, logged_id(key));
    if let (None, Some(failure)) = (&before.failure, &after.failure) {
        let text = failure.to_string();
        let (text, reason) = (redacted(&text), failure.code());
        tracing::warn!(%project, %order, reason, %text, "a number of an order could not be fetched");
    }
    if let Some(readiness) = &after.readiness
        && before.readiness != after.readiness
    {
        let text = readiness.to_string();
        let (text, code) = (redacted(&text), readiness.code());
        if matches!(readiness, Readiness::Failed { .. }) {
            tracing::warn!(%project, %order, readiness = code, %text, "a number of an order is not ready");
        } else {
            tracing::info!(%project, %order, readiness = code, %text, "a number of an order");
        }
    }
    if after.is_late() && !before.is_late() {
        tracing::warn!(%project, %order, "a number of an order has not been ready for days; it is fetched once a day now");
    }
}
