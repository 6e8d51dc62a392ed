//! Why a question brought no answer, sorted by what the asker does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::order::{Id, Time};

/// The longest `Retry-After` that is passed on.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// More of a cause than this helps nobody.
const CAUSE_MAX_CHARS: usize = 160;

/// A question without a usable answer, in words fit for an operator: no body, address, key or token is
/// quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The access key is not accepted, or may not read this project's orders. Asking again helps only
    /// after an operator has acted.
    #[error("{by} answered {status}: check key_id and key_secret of project {project}")]
    Refused {
        /// Who refuses.
        by: Endpoint,
        /// 401 or 403, or 400 from the token endpoint.
        status: u16,
        /// Whose key it is.
        project: Id,
    },
    /// Sinch cannot be asked for any order now.
    #[error("{at} {trouble}")]
    Provider {
        /// Where the trouble is.
        at: Endpoint,
        /// What it is.
        trouble: Trouble,
        /// How long Sinch asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// This answer is not usable; that to a question about another order may be.
    #[error("the answer ({status}) is not usable: {why}")]
    Order {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Whom a request was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The Number Order API.
    Orders,
    /// Where access keys are exchanged for tokens.
    Token,
}

/// Why Sinch as a whole cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There was no connection: the cause, as the system or the TLS library names it.
    Unreachable(String),
    /// A time-out ran out: for connecting, or for the whole request.
    TimedOut,
    /// The connection broke before the answer was complete: the cause, likewise.
    Broken(String),
    /// A status that says "not now".
    Status(u16),
    /// The token endpoint's answer is none.
    Unusable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Whose fault it seems to be that there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This order's: only its next try waits.
    Order,
    /// The provider's, or the access key's: questions about other orders would fare no better, unless they do.
    Provider,
}

impl AskError {
    /// Whose fault it seems to be.
    pub fn whose(&self) -> Fault {
        match self {
            AskError::Refused { .. } | AskError::Provider { .. } => Fault::Provider,
            AskError::Order { .. } => Fault::Order,
        }
    }

    /// Whether the access key was refused, whatever it was used for. A question that is refused may be refused for
    /// its order alone; if it is not, only an operator can mend it.
    pub fn is_refused(&self) -> bool {
        matches!(self, AskError::Refused { .. })
    }

    /// Whose answer it is, or would have been.
    pub fn at(&self) -> Endpoint {
        match self {
            AskError::Refused { by, .. } => *by,
            AskError::Provider { at, .. } => *at,
            AskError::Order { .. } => Endpoint::Orders,
        }
    }

    /// How long Sinch asks to be left alone: an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            AskError::Provider { retry_after, .. } => *retry_after,
            AskError::Refused { .. } | AskError::Order { .. } => None,
        }
    }

    /// The HTTP status of the answer, if there was one: the API's or the token endpoint's.
    pub fn status(&self) -> Option<u16> {
        match self {
            AskError::Refused { status, .. } | AskError::Order { status, .. } => Some(*status),
            AskError::Provider { trouble, .. } => match trouble {
                Trouble::Status(status) | Trouble::Unusable { status, .. } => Some(*status),
                Trouble::Unreachable(_) | Trouble::TimedOut | Trouble::Broken(_) => None,
            },
        }
    }

    /// What it means that there is no complete answer.
    pub(super) fn from_transport(at: Endpoint, error: &reqwest::Error) -> AskError {
        let trouble = if error.is_timeout() {
            Trouble::TimedOut
        } else if error.is_connect() {
            Trouble::Unreachable(cause(error))
        } else {
            Trouble::Broken(cause(error))
        };
        AskError::Provider {
            at,
            trouble,
            retry_after: None,
        }
    }

    /// What it means that the status is none that is waited for.
    pub(super) fn from_status(from: Endpoint, response: &Response, project: &Id) -> AskError {
        let status = response.status().as_u16();
        let why = match (from, status) {
            // RFC 6749, section 5.2: a wrong key may be a 400.
            (_, 401 | 403) | (Endpoint::Token, 400) => {
                return AskError::Refused {
                    by: from,
                    status,
                    project: project.clone(),
                };
            }
            // Sinch documents 500 as an answer to a question, so one order's may be lasting.
            (Endpoint::Orders, 500) => "Sinch failed over this order",
            // 407 comes from a proxy of ours.
            (_, 407 | 408 | 429 | 500..) => {
                return AskError::Provider {
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
            (Endpoint::Orders, 400..) => "the API does not accept the question",
            (Endpoint::Token, 400..) => "it does not accept the request; check token_url",
            (_, ..300) => "only 200 is an answer",
        };
        AskError::unusable(from, status, why)
    }

    /// An answer that came and cannot be used.
    pub(super) fn unusable(from: Endpoint, status: u16, why: &'static str) -> AskError {
        match from {
            Endpoint::Orders => AskError::Order { status, why },
            Endpoint::Token => AskError::Provider {
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

/// What the endpoint did, to be read after its name.
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

/// The innermost cause, which names the trouble; the outer ones name the request, with its address.
fn cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "for no known cause".to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // A certificate's names are somebody else's text.
    cause
        .to_string()
        .chars()
        .filter(|char| !char.is_control())
        .take(CAUSE_MAX_CHARS)
        .collect()
}

/// `Retry-After`: seconds, or a date, which is set against the same answer's `Date` so that it does not
/// matter what our clock says. RFC 9110, section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they do not fit mean a long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let wait = date(text)?.duration_since(date(self::text(headers, DATE)?)?);
        // Below zero: the date is past, and nobody need wait.
        Duration::try_from(wait).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// When an answer was sent, by the clock of whoever sent it: its `Date`.
pub(super) fn sent_at(headers: &HeaderMap) -> Option<Time> {
    date(text(headers, DATE)?).map(Time::from)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The form of a date that RFC 9110 has senders use; the two that it calls obsolete are not read.
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
