//! Fetch attempts as they are recorded: the outcome of the answer, or the reason why there was none.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use super::{Id, Outcome};

/// Outcome of a fetch attempt. Its two kinds share no code, so that a code alone tells which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FetchOutcome {
    /// Sinch answered, and the answer was applied to the order.
    Answer(Outcome),
    /// There was no answer to the fetch, or none that could be used.
    NoAnswer(NoAnswer),
}

impl FetchOutcome {
    /// Returns the code of the attempt's outcome.
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
        /// Endpoint of Sinch that refuses the access key.
        endpoint: Endpoint,
        /// HTTP status of the refusal: 401 or 403, or 400 from the token endpoint.
        status: u16,
        /// The project to which the key belongs.
        project: Id,
    },
    /// No connection to Sinch's endpoint came about.
    Unreachable {
        /// Endpoint of Sinch that cannot be reached.
        endpoint: Endpoint,
        /// Cause of the failed connection, as the system or the TLS library names it.
        cause: String,
    },
    /// A time-out expired: the one for connecting, or the one for the whole request.
    TimedOut {
        /// Endpoint of Sinch that did not answer in time.
        endpoint: Endpoint,
    },
    /// The connection broke before the answer was complete.
    BrokenOff {
        /// Endpoint of Sinch that broke off its answer.
        endpoint: Endpoint,
        /// Cause of the broken connection, as the system or the TLS library names it.
        cause: String,
    },
    /// The status of Sinch's answer says "not now".
    NotNow {
        /// Endpoint of Sinch that answered "not now".
        endpoint: Endpoint,
        /// HTTP status of the answer.
        status: u16,
    },
    /// Sinch's answer came and cannot be used.
    UnusableAnswer {
        /// Endpoint of Sinch that answered.
        endpoint: Endpoint,
        /// HTTP status of the answer that cannot be used.
        status: u16,
        /// Flaw by which the answer cannot be used.
        flaw: Flaw,
    },
    /// Sinch answered 404, and has never shown any order of this project.
    NoneKnown {
        /// Number of orders that were fetched, none of which Sinch knows.
        orders: usize,
    },
}

impl NoAnswer {
    /// Returns the code of the reason why there was no usable answer.
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
    /// The Number Order API, from which orders are fetched.
    Orders,
    /// The Active Number API.
    Numbers,
    /// The callback configuration, which has the secret of callbacks.
    CallbackConfiguration,
    /// The token endpoint, which exchanges access keys for tokens.
    Token,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::Orders => "the Number Order API",
            Endpoint::Numbers => "the Active Number API",
            Endpoint::CallbackConfiguration => "the callback configuration",
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
    /// The answer's body is no JSON object.
    NotAnObject,
    /// The answer lacks the order's id.
    NoOrderId,
    /// The answer shows another order than was requested.
    OtherOrder,
    /// The answer lacks the telephone number.
    NoPhoneNumber,
    /// The answer shows another telephone number than was requested.
    OtherPhoneNumber,
    /// The answer lacks the id of the project.
    NoProject,
    /// The answer shows another project than was requested.
    OtherProject,
    /// The answer lacks the order's state.
    NoState,
    /// The answer's word for the state is longer than any state's.
    StateTooLong,
    /// The answer lacks the time of the order's last update.
    NoUpdateTime,
    /// The time of the order's last update cannot be read.
    UpdateTimeUnreadable,
    /// The order's last update lies before its creation.
    UpdatedBeforeCreated,
    /// The answer's body is larger than that of any order or number.
    TooLarge,
    /// The answer's body is compressed, which was not requested.
    Compressed,
    /// The answer's body is HTML.
    Html,
    /// The answer's body begins with a byte order mark.
    ByteOrderMark,
    /// The answer's media type is not JSON.
    NotJson,
    /// The answer is a 404 that is not the API's own.
    ForeignNotFound,
    /// Sinch failed over the order or number (500).
    ServerFailed,
    /// The answer is a redirect, which is not followed.
    Redirect,
    /// The answer's status says that Sinch does not accept the request.
    RequestNotAccepted,
    /// The answer's status is neither 200 nor one that says why there is no answer.
    OtherStatus,
    /// The token endpoint's answer has no usable token.
    NoToken,
}

impl Flaw {
    /// Returns the code of the answer's flaw.
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
            Flaw::NoPhoneNumber => "it has no phoneNumber",
            Flaw::OtherPhoneNumber => "its phoneNumber is not the number that was requested",
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
            Flaw::ServerFailed => "Sinch failed over it",
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
