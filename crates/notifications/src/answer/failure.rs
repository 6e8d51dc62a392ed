//! Reasons for which an attempt to deliver an event failed.

use core::net::IpAddr;
use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::AddressClass;

/// Reason for which an attempt to deliver an event failed. It quotes no body, header or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum DeliveryFailure {
    /// The name of the target has no address.
    NameNotResolved {
        /// Cause, as the system names it.
        cause: String,
    },
    /// The address of the target is not public, and is not allowed by name. Nothing was sent.
    AddressNotAllowed {
        /// The address.
        address: IpAddr,
        /// Class of the address.
        class: AddressClass,
    },
    /// No connection to the target came about.
    Unreachable {
        /// Cause, as the system names it.
        cause: String,
    },
    /// The target did not show that it is the one, or could not agree on how to encrypt.
    Tls {
        /// Cause, as the TLS library names it.
        cause: String,
    },
    /// A time-out expired.
    TimedOut {
        /// What did not come in time.
        awaited: Awaited,
    },
    /// The connection broke before the answer was complete.
    BrokenOff {
        /// Cause, as the system or a library names it.
        cause: String,
    },
    /// The answer is not HTTP.
    NotHttp {
        /// Cause, as the library names it.
        cause: String,
    },
    /// The answer has more headers, or longer ones, than are read.
    TooLongAnswer,
    /// The answer is a redirect, which is not followed.
    Redirected {
        /// HTTP status of the answer.
        status: u16,
    },
    /// The status of the answer says that the target has not taken the event.
    Refused {
        /// HTTP status of the answer.
        status: u16,
    },
    /// The command could not be started.
    CouldNotStart {
        /// Cause, as the system names it.
        cause: String,
    },
    /// The command exited with another code than 0.
    Exit {
        /// Exit code of the command.
        code: i32,
    },
    /// A signal that the program did not send ended the command.
    Killed {
        /// Number of the signal, where the system names it.
        signal: Option<i32>,
    },
}

/// What a time-out is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// A connection to the target, with its TLS.
    Connection,
    /// The target's answer.
    Answer,
    /// The end of the command, which was killed.
    Command,
}

impl DeliveryFailure {
    /// Returns the code of the reason for which the attempt failed.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns `true` if the failure speaks against the target, `false` if only the one event may explain it: the target
    /// is there, and refused what it was told.
    pub fn is_targets_own(&self) -> bool {
        match self {
            DeliveryFailure::Refused { status } => {
                matches!(status, 401 | 403 | 404 | 405 | 408 | 429 | 500..)
            }
            DeliveryFailure::Exit { .. } => false,
            DeliveryFailure::NameNotResolved { .. }
            | DeliveryFailure::AddressNotAllowed { .. }
            | DeliveryFailure::Unreachable { .. }
            | DeliveryFailure::Tls { .. }
            | DeliveryFailure::TimedOut { .. }
            | DeliveryFailure::BrokenOff { .. }
            | DeliveryFailure::NotHttp { .. }
            | DeliveryFailure::TooLongAnswer
            | DeliveryFailure::Redirected { .. }
            | DeliveryFailure::CouldNotStart { .. }
            | DeliveryFailure::Killed { .. } => true,
        }
    }
}

impl fmt::Display for DeliveryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeliveryFailure::NameNotResolved { cause } => {
                write!(f, "the target's name has no address: {cause}")
            }
            DeliveryFailure::AddressNotAllowed { address, class } => write!(
                f,
                "the target's address {address} is {class}: allow it by name if it is meant"
            ),
            DeliveryFailure::Unreachable { cause } => {
                write!(f, "the target cannot be reached: {cause}")
            }
            DeliveryFailure::Tls { cause } => write!(f, "TLS with the target failed: {cause}"),
            DeliveryFailure::TimedOut { awaited } => f.write_str(match awaited {
                Awaited::Connection => "no connection to the target came about in time",
                Awaited::Answer => "the target did not answer in time",
                Awaited::Command => "the command did not end in time, and was killed",
            }),
            DeliveryFailure::BrokenOff { cause } => write!(f, "the target broke off: {cause}"),
            DeliveryFailure::NotHttp { cause } => {
                write!(f, "the target's answer is not HTTP: {cause}")
            }
            DeliveryFailure::TooLongAnswer => {
                f.write_str("the target's answer has more or longer headers than are read")
            }
            DeliveryFailure::Redirected { status } => write!(
                f,
                "the target answered {status}, and redirects are not followed: configure the URL that is meant"
            ),
            DeliveryFailure::Refused { status } => write!(f, "the target answered {status}"),
            DeliveryFailure::CouldNotStart { cause } => {
                write!(f, "the command could not be started: {cause}")
            }
            DeliveryFailure::Exit { code } => write!(f, "the command exited with {code}"),
            DeliveryFailure::Killed {
                signal: Some(signal),
            } => write!(f, "signal {signal} ended the command"),
            DeliveryFailure::Killed { signal: None } => f.write_str("a signal ended the command"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause() -> String {
        "for some reason".to_owned()
    }

    fn all() -> Vec<DeliveryFailure> {
        vec![
            DeliveryFailure::NameNotResolved { cause: cause() },
            DeliveryFailure::AddressNotAllowed {
                address: [10, 0, 0, 1].into(),
                class: AddressClass::Private,
            },
            DeliveryFailure::Unreachable { cause: cause() },
            DeliveryFailure::Tls { cause: cause() },
            DeliveryFailure::TimedOut {
                awaited: Awaited::Answer,
            },
            DeliveryFailure::BrokenOff { cause: cause() },
            DeliveryFailure::NotHttp { cause: cause() },
            DeliveryFailure::TooLongAnswer,
            DeliveryFailure::Redirected { status: 308 },
            DeliveryFailure::Refused { status: 503 },
            DeliveryFailure::CouldNotStart { cause: cause() },
            DeliveryFailure::Exit { code: 1 },
            DeliveryFailure::Killed { signal: Some(9) },
        ]
    }

    #[test]
    fn failures_are_stored_as_codes_with_fields() {
        let codes: Vec<&str> = all().iter().map(DeliveryFailure::code).collect();
        assert_eq!(codes, DeliveryFailure::VARIANTS);
        for failure in all() {
            let stored = serde_json::to_value(&failure).unwrap();
            assert_eq!(stored["code"], failure.code());
            assert_eq!(serde_json::from_value(stored).ok(), Some(failure));
        }
        let stored = serde_json::to_string(&all()[1]).unwrap();
        assert_eq!(
            stored,
            r#"{"code":"address-not-allowed","fields":{"address":"10.0.0.1","class":"private"}}"#
        );
    }

    #[test]
    fn failures_are_told_in_words() {
        let words: Vec<String> = all().iter().map(ToString::to_string).collect();
        assert_eq!(
            words[1],
            "the target's address 10.0.0.1 is an address of a private network: allow it by name if it is meant"
        );
        assert!(words.iter().all(|text| text.contains("the ")));
    }
}
