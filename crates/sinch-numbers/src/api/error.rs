//! Failures of a request to Sinch, told apart by what happened.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::body_fault::BodyFault;

/// Maximum length of a failure's cause, in characters; more of it does not help an operator.
const CAUSE_MAX_CHARS: usize = 160;

/// Failure of a request to Sinch. No body, address, key or token is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// Endpoint that failed. A call needs a token first, so it may fail at the token endpoint.
    pub endpoint: Endpoint,
    /// Kind of the request's failure.
    pub failure: Failure,
}

/// Endpoint of Sinch to which a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The Number Order API.
    Api,
    /// The token endpoint, which exchanges access keys for tokens.
    Token,
}

/// Kind of a request's failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection to the endpoint came about.
    Unreachable {
        /// Cause of the failed connection, as the system or the TLS library names it.
        cause: String,
    },
    /// A time-out expired: the one for connecting, or the one for the whole request.
    TimedOut,
    /// The connection broke before the answer was complete.
    BrokenOff {
        /// Cause of the broken connection, as the system or the TLS library names it.
        cause: String,
    },
    /// The API answered that it does not know what the path names: 404, with an error of the documented form.
    NotFound,
    /// The answer has another status than the call's success.
    Status {
        /// HTTP status of the answer.
        status: u16,
        /// Time for which Sinch asks that no more requests be sent: `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The answer's body cannot be read as the kind of body that was expected.
    Unreadable {
        /// HTTP status of the answer.
        status: u16,
        /// Fault for which the body cannot be read.
        fault: BodyFault,
    },
}

impl RequestError {
    /// Returns the error for a request without a complete answer.
    pub(super) fn from_transport(endpoint: Endpoint, error: &reqwest::Error) -> RequestError {
        let failure = if error.is_timeout() {
            Failure::TimedOut
        } else if error.is_connect() {
            let cause = innermost_cause(error);
            Failure::Unreachable { cause }
        } else {
            let cause = innermost_cause(error);
            Failure::BrokenOff { cause }
        };
        RequestError { endpoint, failure }
    }

    /// Returns the error for an answer whose body cannot be read.
    pub(super) fn unreadable(endpoint: Endpoint, status: u16, fault: BodyFault) -> RequestError {
        let failure = Failure::Unreadable { status, fault };
        RequestError { endpoint, failure }
    }
}

/// Returns the innermost cause of an error, which names what went wrong. The outer causes name the request, with its
/// address.
fn innermost_cause(error: &reqwest::Error) -> String {
    let Some(mut cause) = error.source() else {
        return "for no known cause".to_owned();
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // The names in a certificate are text from outside, so they are escaped.
    cause
        .to_string()
        .chars()
        .filter(|char| !char.is_control())
        .take(CAUSE_MAX_CHARS)
        .collect()
}

impl Error for RequestError {}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint;
        match &self.failure {
            Failure::Unreachable { cause } => write!(f, "{endpoint} cannot be reached: {cause}"),
            Failure::TimedOut => write!(f, "{endpoint} did not answer in time"),
            Failure::BrokenOff { cause } => write!(f, "{endpoint} broke off: {cause}"),
            Failure::NotFound => write!(f, "{endpoint} does not know it (404)"),
            Failure::Status { status, .. } => write!(f, "{endpoint} answered {status}"),
            Failure::Unreadable { status, fault } => {
                write!(
                    f,
                    "{endpoint} gave an answer ({status}) that cannot be read: {fault}"
                )
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Api => "the Number Order API",
            Endpoint::Token => "the token endpoint",
        })
    }
}
