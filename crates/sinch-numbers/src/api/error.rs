//! Errors of a fetch, sorted by what the fetcher does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use number_order::{Endpoint, Flaw, Id, NoAnswer, Time};

/// Maximum `Retry-After` that is passed on.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Maximum length of a cause; more of it does not help an operator.
const CAUSE_MAX_CHARS: usize = 160;

/// Error of a fetch without a usable answer. No body, address, key or token is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// Reason why there is no usable answer.
    pub reason: NoAnswer,
    /// Time for which Sinch asks for no more requests: an hour at most.
    pub retry_after: Option<Duration>,
}

impl std::error::Error for FetchError {}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl From<NoAnswer> for FetchError {
    fn from(reason: NoAnswer) -> FetchError {
        FetchError {
            reason,
            retry_after: None,
        }
    }
}

/// Party at fault, as it seems, for a missing answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The order: only its own next attempt waits.
    Order,
    /// The provider, or the access key: fetches of other orders are expected to fail as well, until one succeeds.
    Provider,
}

impl FetchError {
    /// Returns the party that seems to be at fault.
    pub fn whose(&self) -> Fault {
        match &self.reason {
            // The answer to a fetch of another order may be usable.
            NoAnswer::UnusableAnswer {
                endpoint: Endpoint::Orders,
                ..
            } => Fault::Order,
            NoAnswer::UnusableAnswer { .. }
            | NoAnswer::KeyRefused { .. }
            | NoAnswer::Unreachable { .. }
            | NoAnswer::TimedOut { .. }
            | NoAnswer::BrokenOff { .. }
            | NoAnswer::NotNow { .. }
            | NoAnswer::NoneKnown { .. } => Fault::Provider,
        }
    }

    /// Returns `true` if the access key was refused, whatever it was used for. A fetch may be refused for its order
    /// alone; if it is not, only an operator can mend it.
    pub fn is_refused(&self) -> bool {
        matches!(self.reason, NoAnswer::KeyRefused { .. })
    }

    /// Returns the endpoint whose answer it is, or would have been.
    pub fn endpoint(&self) -> Endpoint {
        match self.reason {
            NoAnswer::KeyRefused { endpoint, .. }
            | NoAnswer::Unreachable { endpoint, .. }
            | NoAnswer::TimedOut { endpoint }
            | NoAnswer::BrokenOff { endpoint, .. }
            | NoAnswer::NotNow { endpoint, .. }
            | NoAnswer::UnusableAnswer { endpoint, .. } => endpoint,
            NoAnswer::NoneKnown { .. } => Endpoint::Orders,
        }
    }

    /// Returns the HTTP status of the answer, if there was one: the API's or the token endpoint's.
    pub fn status(&self) -> Option<u16> {
        match self.reason {
            NoAnswer::KeyRefused { status, .. }
            | NoAnswer::NotNow { status, .. }
            | NoAnswer::UnusableAnswer { status, .. } => Some(status),
            NoAnswer::NoneKnown { .. } => Some(404),
            NoAnswer::Unreachable { .. }
            | NoAnswer::TimedOut { .. }
            | NoAnswer::BrokenOff { .. } => None,
        }
    }

    /// Returns the error for a request without a complete answer.
    pub(super) fn from_transport(endpoint: Endpoint, error: &reqwest::Error) -> FetchError {
        let reason = if error.is_timeout() {
            NoAnswer::TimedOut { endpoint }
        } else if error.is_connect() {
            let cause = cause(error);
            NoAnswer::Unreachable { endpoint, cause }
        } else {
            let cause = cause(error);
            NoAnswer::BrokenOff { endpoint, cause }
        };
        reason.into()
    }

    /// Returns the error for an answer whose status is not the expected one.
    pub(super) fn from_status(endpoint: Endpoint, response: &Response, project: &Id) -> FetchError {
        let status = response.status().as_u16();
        let flaw = match (endpoint, status) {
            // RFC 6749, section 5.2: a wrong key may be a 400.
            (_, 401 | 403) | (Endpoint::Token, 400) => {
                let project = project.clone();
                return FetchError::from(NoAnswer::KeyRefused {
                    endpoint,
                    status,
                    project,
                });
            }
            // Sinch documents 500 as an answer to a fetch, so one order's may be lasting.
            (Endpoint::Orders, 500) => Flaw::ServerFailed,
            // 407 comes from a proxy of ours.
            (_, 407 | 408 | 429 | 500..) => {
                return FetchError {
                    reason: NoAnswer::NotNow { endpoint, status },
                    retry_after: retry_after(response.headers()),
                };
            }
            (_, 300..400) => Flaw::Redirect,
            (_, 400..) => Flaw::RequestNotAccepted,
            (_, ..300) => Flaw::OtherStatus,
        };
        FetchError::unusable(endpoint, status, flaw)
    }

    /// Returns the error for an answer that came and cannot be used.
    pub(super) fn unusable(endpoint: Endpoint, status: u16, flaw: Flaw) -> FetchError {
        FetchError::from(NoAnswer::UnusableAnswer {
            endpoint,
            status,
            flaw,
        })
    }
}

/// Returns the innermost cause, which names the trouble; the outer ones name the request, with its address.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "for no known cause".to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // A certificate's names are text from outside.
    cause
        .to_string()
        .chars()
        .filter(|char| !char.is_control())
        .take(CAUSE_MAX_CHARS)
        .collect()
}

/// Returns `Retry-After`: seconds, or a date. A date is compared with the same answer's `Date`, so that our clock does
/// not matter. RFC 9110, section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let wait = date(text)?.duration_since(date(self::text(headers, DATE)?)?);
        // Below zero: the date is past, and there is no wait.
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Returns the time at which an answer was sent, by the sender's clock: its `Date`.
pub(super) fn sent_at(headers: &HeaderMap) -> Option<Time> {
    date(text(headers, DATE)?).map(Time::from)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Reads a date in the form that RFC 9110 requires of senders; the two that it calls obsolete are not read.
fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    const DATE_NOW: &str = "Tue, 03 Feb 2026 04:05:06 GMT";

    fn wait(value: &str, now: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).expect("a value"));
        if let Some(now) = now {
            headers.insert(DATE, HeaderValue::from_str(now).expect("a value"));
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_up_to_an_hour() {
        assert_eq!(wait("0", None), Some(0));
        assert_eq!(wait(" 17 ", None), Some(17));
        assert_eq!(wait("3601", None), Some(3600));
        assert_eq!(wait("99999999999999999999999", None), Some(3600));
    }

    #[test]
    fn a_date_counts_from_the_answers_own() {
        let at = |time: &str| format!("Tue, 03 Feb 2026 {time} GMT");
        assert_eq!(wait(&at("04:06:06"), Some(DATE_NOW)), Some(60));
        assert_eq!(wait(&at("23:00:00"), Some(DATE_NOW)), Some(3600));
        assert_eq!(wait(&at("04:00:00"), Some(DATE_NOW)), Some(0));
        assert_eq!(wait(&at("04:06:06"), None), None);
        assert_eq!(wait(&at("04:06:06"), Some("today")), None);
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "-5", "1.5", "+5", "soon", "5 s", "1e3"] {
            assert_eq!(wait(value, Some(DATE_NOW)), None, "{value}");
        }
    }
}
