//! Errors of a fetch, sorted by what the fetcher does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use number_order::{Id, Time};

/// Maximum `Retry-After` that is passed on.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Maximum length of a cause; more of it does not help an operator.
const CAUSE_MAX_CHARS: usize = 160;

/// Error of a fetch without a usable answer, in words fit for an operator: no body, address, key or token is quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The access key is not accepted, or may not read this project's orders. Another fetch helps only after an
    /// operator has acted.
    #[error("{by} answered {status}: check key_id and key_secret of project {project}")]
    Refused {
        /// The endpoint that refuses.
        by: Endpoint,
        /// HTTP status: 401 or 403, or 400 from the token endpoint.
        status: u16,
        /// The project to which the key belongs.
        project: Id,
    },
    /// No order can be fetched from Sinch now.
    #[error("{at} {trouble}")]
    Provider {
        /// The endpoint that has the trouble.
        at: Endpoint,
        /// Kind of trouble.
        trouble: Trouble,
        /// Time for which Sinch asks for no more requests.
        retry_after: Option<Duration>,
    },
    /// This answer is not usable; the answer to a fetch of another order may be.
    #[error("the answer ({status}) is not usable: {why}")]
    Order {
        /// The HTTP status.
        status: u16,
        /// Reason why the answer is not usable.
        why: &'static str,
    },
}

/// Endpoint to which a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The Number Order API.
    Orders,
    /// The token endpoint, which exchanges access keys for tokens.
    Token,
}

/// Reason why no order can be fetched from Sinch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There was no connection: the cause, as the system or the TLS library names it.
    Unreachable(String),
    /// A time-out expired: that for connecting, or that for the whole request.
    TimedOut,
    /// The connection broke before the answer was complete: the cause, named likewise.
    Broken(String),
    /// The answer's status says "not now".
    Status(u16),
    /// The token endpoint's answer is not usable.
    Unusable {
        /// The HTTP status.
        status: u16,
        /// Reason why the answer is not usable.
        why: &'static str,
    },
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
        match self {
            FetchError::Refused { .. } | FetchError::Provider { .. } => Fault::Provider,
            FetchError::Order { .. } => Fault::Order,
        }
    }

    /// Returns `true` if the access key was refused, whatever it was used for. A fetch may be refused for its order
    /// alone; if it is not, only an operator can mend it.
    pub fn is_refused(&self) -> bool {
        matches!(self, FetchError::Refused { .. })
    }

    /// Returns the endpoint whose answer it is, or would have been.
    pub fn at(&self) -> Endpoint {
        match self {
            FetchError::Refused { by, .. } => *by,
            FetchError::Provider { at, .. } => *at,
            FetchError::Order { .. } => Endpoint::Orders,
        }
    }

    /// Returns the time for which Sinch asks for no more requests: an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchError::Provider { retry_after, .. } => *retry_after,
            FetchError::Refused { .. } | FetchError::Order { .. } => None,
        }
    }

    /// Returns the HTTP status of the answer, if there was one: the API's or the token endpoint's.
    pub fn status(&self) -> Option<u16> {
        match self {
            FetchError::Refused { status, .. } | FetchError::Order { status, .. } => Some(*status),
            FetchError::Provider { trouble, .. } => match trouble {
                Trouble::Status(status) | Trouble::Unusable { status, .. } => Some(*status),
                Trouble::Unreachable(_) | Trouble::TimedOut | Trouble::Broken(_) => None,
            },
        }
    }

    /// Returns the error for a request without a complete answer.
    pub(super) fn from_transport(at: Endpoint, error: &reqwest::Error) -> FetchError {
        let trouble = if error.is_timeout() {
            Trouble::TimedOut
        } else if error.is_connect() {
            Trouble::Unreachable(cause(error))
        } else {
            Trouble::Broken(cause(error))
        };
        FetchError::Provider {
            at,
            trouble,
            retry_after: None,
        }
    }

    /// Returns the error for an answer whose status is not the expected one.
    pub(super) fn from_status(from: Endpoint, response: &Response, project: &Id) -> FetchError {
        let status = response.status().as_u16();
        let why = match (from, status) {
            // RFC 6749, section 5.2: a wrong key may be a 400.
            (_, 401 | 403) | (Endpoint::Token, 400) => {
                return FetchError::Refused {
                    by: from,
                    status,
                    project: project.clone(),
                };
            }
            // Sinch documents 500 as an answer to a fetch, so one order's may be lasting.
            (Endpoint::Orders, 500) => "Sinch failed over this order",
            // 407 comes from a proxy of ours.
            (_, 407 | 408 | 429 | 500..) => {
                return FetchError::Provider {
                    at: from,
                    trouble: Trouble::Status(status),
                    retry_after: retry_after(response.headers()),
                };
            }
            (Endpoint::Orders, 300..400) => {
                "it is a redirect, which is not followed; check api_url"
            }
            (Endpoint::Token, 300..400) => {
                "it is a redirect, which is not followed; check token_url"
            }
            (Endpoint::Orders, 400..) => "the API does not accept the request",
            (Endpoint::Token, 400..) => "it does not accept the request; check token_url",
            (_, ..300) => "only 200 is an answer",
        };
        FetchError::unusable(from, status, why)
    }

    /// Returns the error for an answer that came and cannot be used.
    pub(super) fn unusable(from: Endpoint, status: u16, why: &'static str) -> FetchError {
        match from {
            Endpoint::Orders => FetchError::Order { status, why },
            Endpoint::Token => FetchError::Provider {
                at: from,
                trouble: Trouble::Unusable { status, why },
                retry_after: None,
            },
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Orders => "the Number Order API",
            Endpoint::Token => "the token endpoint",
        })
    }
}

/// Shows what the endpoint did, to be read after its name.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unreachable(cause) => write!(f, "cannot be reached: {cause}"),
            Trouble::TimedOut => f.write_str("did not answer in time"),
            Trouble::Broken(cause) => write!(f, "broke off: {cause}"),
            Trouble::Status(status) => write!(f, "answered {status}"),
            Trouble::Unusable { status, why } => {
                write!(f, "gave an answer ({status}) that is not usable: {why}")
            }
        }
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
