//! Fetch attempts as they are recorded: the outcome of the answer, or the reason why there was none.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Id, Outcome};

/// Outcome of a fetch attempt. The codes of the two lists differ, so that a code alone tells which it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FetchOutcome {
    /// Sinch answered.
    Answer(Outcome),
    /// There was no answer, or none that could be used.
    NoAnswer(NoAnswer),
}

impl FetchOutcome {
    /// Returns the outcome's code.
    pub fn code(&self) -> &'static str {
        match self {
            FetchOutcome::Answer(outcome) => outcome.code(),
            FetchOutcome::NoAnswer(reason) => reason.code(),
        }
    }

    /// Returns `true` if an operator should learn of the outcome because it ought not to happen.
    pub fn is_anomaly(&self) -> bool {
        match self {
            FetchOutcome::Answer(outcome) => outcome.is_anomaly(),
            FetchOutcome::NoAnswer(_) => false,
        }
    }
}

impl fmt::Display for FetchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FetchOutcome::Answer(outcome) => outcome.fmt(f),
            FetchOutcome::NoAnswer(reason) => write!(f, "no answer: {reason}"),
        }
    }
}

/// Reason why a fetch brought no usable answer. It quotes no body, address, key or token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum NoAnswer {
    /// The access key is not accepted, or may not read this project's orders.
    KeyRefused {
        /// The endpoint that refuses.
        endpoint: Endpoint,
        /// HTTP status: 401 or 403, or 400 from the token endpoint.
        status: u16,
        /// The project to which the key belongs.
        project: Id,
    },
    /// There was no connection.
    Unreachable {
        /// The endpoint that cannot be reached.
        endpoint: Endpoint,
        /// The cause, as the system or the TLS library names it.
        cause: String,
    },
    /// A time-out expired: the one for connecting, or the one for the whole request.
    TimedOut {
        /// The endpoint that did not answer in time.
        endpoint: Endpoint,
    },
    /// The connection broke before the answer was complete.
    BrokenOff {
        /// The endpoint that broke off.
        endpoint: Endpoint,
        /// The cause, as the system or the TLS library names it.
        cause: String,
    },
    /// The answer's status says "not now".
    NotNow {
        /// The endpoint that answered.
        endpoint: Endpoint,
        /// HTTP status.
        status: u16,
    },
    /// The answer came and cannot be used.
    UnusableAnswer {
        /// The endpoint that answered.
        endpoint: Endpoint,
        /// HTTP status.
        status: u16,
        /// Flaw of the answer.
        flaw: Flaw,
    },
    /// Sinch answered 404, and has never shown any order of this project.
    NoneKnown {
        /// Number of orders that were fetched.
        orders: usize,
    },
}

impl NoAnswer {
    /// Returns the reason's code.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::KeyRefused {
                endpoint,
                status,
                project,
            } => write!(
                f,
                "{endpoint} answered {status}: check key_id and key_secret of project {project}"
            ),
            NoAnswer::Unreachable { endpoint, cause } => {
                write!(f, "{endpoint} cannot be reached: {cause}")
            }
            NoAnswer::TimedOut { endpoint } => write!(f, "{endpoint} did not answer in time"),
            NoAnswer::BrokenOff { endpoint, cause } => write!(f, "{endpoint} broke off: {cause}"),
            NoAnswer::NotNow { endpoint, status } => write!(f, "{endpoint} answered {status}"),
            NoAnswer::NoneKnown { orders } => write!(
                f,
                "none of {orders} orders fetched is known at this api_url and project (404): check sinch.api_url and \
                 the project's id"
            ),
            NoAnswer::UnusableAnswer {
                endpoint: Endpoint::Orders,
                status,
                flaw,
            } => write!(f, "the answer ({status}) is not usable: {flaw}"),
            NoAnswer::UnusableAnswer {
                endpoint,
                status,
                flaw,
            } => write!(
                f,
                "{endpoint} gave an answer ({status}) that is not usable: {flaw}"
            ),
        }
    }
}

/// Endpoint of Sinch to which a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// The Number Order API.
    Orders,
    /// The token endpoint, which exchanges access keys for tokens.
    Token,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Orders => "the Number Order API",
            Endpoint::Token => "the token endpoint",
        })
    }
}

/// Flaw by which an answer cannot be used.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Flaw {
    /// The body is no JSON object.
    NotAnObject,
    /// The order's id is missing.
    NoOrderId,
    /// The order is another one than was requested.
    OtherOrder,
    /// The project is missing.
    NoProject,
    /// The project is another one than was requested.
    OtherProject,
    /// The state is missing.
    NoState,
    /// The state is longer than any word for a state.
    StateTooLong,
    /// The time of the last update is missing.
    NoUpdateTime,
    /// The time of the last update cannot be read.
    UpdateTimeUnreadable,
    /// The last update lies before the creation.
    UpdatedBeforeCreated,
    /// The body is larger than that of any order.
    TooLarge,
    /// The body is compressed, which was not requested.
    Compressed,
    /// The body is HTML.
    Html,
    /// The body begins with a byte order mark.
    ByteOrderMark,
    /// The media type is not JSON.
    NotJson,
    /// A 404 that is not the API's own.
    ForeignNotFound,
    /// Sinch failed over this order (500).
    ServerFailed,
    /// A redirect, which is not followed.
    Redirect,
    /// The request is not accepted.
    RequestNotAccepted,
    /// A status that stands for no answer.
    OtherStatus,
    /// The token endpoint's answer has no usable token.
    NoToken,
}

impl Flaw {
    /// Returns the flaw's code.
    pub fn code(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::NotAnObject => "it is not a JSON object",
            Flaw::NoOrderId => "it has no idNumberOrder",
            Flaw::OtherOrder => "its idNumberOrder is not the order that was requested",
            Flaw::NoProject => "it has no projectId",
            Flaw::OtherProject => "its projectId is not the project that was requested",
            Flaw::NoState => "it has no state",
            Flaw::StateTooLong => "its state is too long to be one",
            Flaw::NoUpdateTime => "it has no updateTime",
            Flaw::UpdateTimeUnreadable => "its updateTime is not a time",
            Flaw::UpdatedBeforeCreated => "its updateTime lies before its createTime",
            Flaw::TooLarge => "it is far too large",
            Flaw::Compressed => {
                "it is compressed (Content-Encoding), which was not requested; check api_url and what stands between"
            }
            Flaw::Html => "it is HTML, not the API's JSON; check api_url and what stands between",
            Flaw::ByteOrderMark => {
                "it begins with a byte order mark; check api_url and what stands between"
            }
            Flaw::NotJson => {
                "its Content-Type is not JSON; check api_url and what stands between"
            }
            Flaw::ForeignNotFound => {
                "it is not the API's own 404; check api_url and what stands between"
            }
            Flaw::ServerFailed => "Sinch failed over this order",
            Flaw::Redirect => {
                "it is a redirect, which is not followed; check api_url and token_url"
            }
            Flaw::RequestNotAccepted => {
                "the request is not accepted; check api_url and token_url"
            }
            Flaw::OtherStatus => "only 200 is an answer",
            Flaw::NoToken => "it has no token that can be used",
        })
    }
}
