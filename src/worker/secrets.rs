//! Compares the secret with which Sinch signs one project's callbacks with those that are configured: at the start, at an
//! interval, and soon after a callback that tells of a change. The secret is held for the comparison alone.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::frame::{POLL, Pause, Worker};
use crate::clock;
use crate::metrics::Metrics;
use crate::redact::redacted;
use crate::sinch::{self, FetchError};
use crate::store::StoreError;
use notifications::SecretDrift;
use number_order::{Endpoint, Id, NoAnswer, Time};
use sinch_numbers::api::Client;

/// Maximum duration of a request, whatever the configured time-outs add up to.
const FETCH_MAX: Duration = Duration::from_secs(30);

/// Wait after the first attempt that fails. It doubles with each further one, up to the interval.
const RETRY: Duration = Duration::from_secs(60);

/// Number of comparisons at most that callbacks cause in one interval. A peer that may call can cause any number.
const EXTRA_MAX: u32 = 60;

/// Worker that compares the secrets of one project.
pub struct SecretWorker {
    /// Project whose secrets are compared.
    pub project: Id,
    /// Client of the project's API, which the fetcher shares.
    pub client: Arc<Client>,
    /// Secrets that are configured, in the order in which they are counted. There is at least one.
    pub secrets: Vec<SecretString>,
    /// Interval between two comparisons.
    pub interval: Duration,
    /// Metrics of the callbacks, which get the result.
    pub metrics: Arc<Metrics>,
    /// Token that is cancelled when the service stops. A request in flight is abandoned then.
    pub stop: CancellationToken,
}

/// The last attempt to compare.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// Time at which the attempt began.
    at: Time,
    /// Number of attempts in a row that failed, with this one.
    failures: u32,
    /// Time for which Sinch asks for no more requests.
    asked_for: Duration,
}

impl Worker for SecretWorker {
    type State = Option<Attempt>;

    fn name(&self) -> Cow<'static, str> {
        format!("secrets {}", self.project).into()
    }

    async fn step(&self, last: &mut Option<Attempt>) -> Result<Pause, StoreError> {
        let at = clock::now();
        if self.is_paused(at) || due_at(*last, self.sign_at(), self.interval) > at {
            return Ok(Pause::Idle(POLL));
        }
        let fetching = tokio::time::timeout(FETCH_MAX, sinch::fetch_secret(&self.client));
        let Some(fetched) = self.stop.run_until_cancelled(fetching).await else {
            return Ok(Pause::Rest(Duration::ZERO));
        };
        let fetched = fetched.unwrap_or_else(|_| Err(timed_out()));
        let failures = last.map_or(0, |last| last.failures);
        *last = Some(match fetched {
            Ok(secret) => {
                let found = self.compare(secret.as_ref());
                let secrets = self.metrics.secrets();
                secrets.compared(&self.project, found, clock::now());
                Attempt {
                    at,
                    failures: 0,
                    asked_for: Duration::ZERO,
                }
            }
            Err(error) => {
                self.report(&error, failures);
                let asked_for = error.retry_after.unwrap_or_default();
                let secrets = self.metrics.secrets();
                secrets.not_compared(&self.project, error.reason);
                Attempt {
                    at,
                    failures: failures.saturating_add(1),
                    asked_for,
                }
            }
        });
        Ok(Pause::Idle(POLL))
    }
}

impl SecretWorker {
    fn compare(&self, secret: Option<&SecretString>) -> Result<usize, SecretDrift> {
        let secret = secret.ok_or(SecretDrift::NoSecret)?;
        sinch::compare_secrets(&self.secrets, secret).ok_or(SecretDrift::OtherSecret)
    }

    /// Returns `true` while the project's circuit is open: the provider is in trouble, or refuses the key.
    fn is_paused(&self, now: Time) -> bool {
        let views = self.metrics.api_views();
        let view = views.get(self.project.as_str());
        view.and_then(|view| view.paused_until)
            .is_some_and(|until| until > now)
    }

    /// Returns the time of the last callback that speaks against the last result: while there is drift, one that a secret
    /// verified, else one with a wrong signature.
    fn sign_at(&self) -> Option<Time> {
        let secrets = self.metrics.secrets();
        let drifts = secrets.has_drift(&self.project);
        if !drifts {
            return self.metrics.signature_refused_at(&self.project);
        }
        let counts = secrets.counts_of(&self.project).unwrap_or_default();
        counts.iter().filter_map(|count| count.last_at).max()
    }

    /// Reports the first of several failures.
    fn report(&self, error: &FetchError, failures_before: u32) {
        if failures_before == 0 {
            let (project, text) = (&self.project, error.to_string());
            let (reason, text) = (error.reason.code(), redacted(&text));
            tracing::warn!(%project, reason, %text, "the secret of callbacks could not be compared with Sinch's");
        }
    }
}

fn timed_out() -> FetchError {
    let endpoint = Endpoint::CallbackConfiguration;
    NoAnswer::TimedOut { endpoint }.into()
}

/// Returns the time of the next comparison. `sign_at` is the time of a callback that speaks against the last result.
fn due_at(last: Option<Attempt>, sign_at: Option<Time>, interval: Duration) -> Time {
    let Some(last) = last else {
        return Time(i64::MIN);
    };
    let wait = match last.failures {
        0 => interval,
        failures => {
            let retry = RETRY.saturating_mul(1 << (failures - 1).min(20));
            retry.min(interval).max(last.asked_for)
        }
    };
    let usual = last.at.plus(wait);
    let extra = last.at.plus((interval / EXTRA_MAX).max(last.asked_for));
    let sign_at = sign_at.filter(|at| *at > last.at);
    sign_at.map_or(usual, |at| usual.min(extra.max(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Time {
        Time(secs * 1_000_000)
    }

    fn attempt(failures: u32, asked_for: u64) -> Option<Attempt> {
        Some(Attempt {
            at: at(1000),
            failures,
            asked_for: Duration::from_secs(asked_for),
        })
    }

    #[test]
    fn the_next_comparison_comes_at_its_interval_or_soon_after_a_sign() {
        let hour = Duration::from_secs(3600);
        for (last, sign_at, due) in [
            (attempt(0, 0), None, 4600),
            // A sign from before the last comparison is known already.
            (attempt(0, 0), Some(999), 4600),
            (attempt(0, 0), Some(1001), 1060),
            (attempt(0, 0), Some(2000), 2000),
            (attempt(1, 0), None, 1060),
            (attempt(2, 0), None, 1120),
            (attempt(6, 0), None, 2920),
            (attempt(7, 0), None, 4600),
            (attempt(u32::MAX, 0), None, 4600),
            // Sinch asks for a longer wait.
            (attempt(1, 300), None, 1300),
            (attempt(1, 300), Some(1001), 1300),
            (attempt(3, 0), Some(1001), 1060),
        ] {
            let sign = sign_at.map(at);
            assert_eq!(due_at(last, sign, hour), at(due), "{last:?} {sign_at:?}");
        }
        assert!(due_at(None, None, hour) < at(0), "at the start");
    }
}
