//! Secret of a project's callbacks, compared: the one that Sinch has, and those that are configured.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray, VariantNames};

/// Reason why no configured secret is the one with which Sinch signs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SecretDrift {
    /// Sinch has another secret.
    OtherSecret,
    /// Sinch has no secret.
    NoSecret,
}

/// What a process knows of the secret that Sinch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFinding {
    /// It has not been compared yet.
    NotCompared,
    /// It is one of those that are configured.
    Agrees,
    /// It is none of them.
    Drift(SecretDrift),
}

/// Result of comparing the secret that Sinch has with those that are configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SecretComparison {
    /// Sinch has a configured secret.
    Matches {
        /// Place of the secret in the configuration.
        secret: String,
    },
    /// Sinch has another secret.
    OtherSecret,
    /// Sinch has no secret.
    NoSecret,
}

impl SecretComparison {
    /// Returns the code of the result.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Returns the drift that the result shows; `None`: the secrets agree.
    pub fn drift(&self) -> Option<SecretDrift> {
        match self {
            SecretComparison::Matches { .. } => None,
            SecretComparison::OtherSecret => Some(SecretDrift::OtherSecret),
            SecretComparison::NoSecret => Some(SecretDrift::NoSecret),
        }
    }
}

impl fmt::Display for SecretComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.drift()) {
            (SecretComparison::Matches { secret }, _) => {
                write!(f, "Sinch signs with the secret at {secret}")
            }
            (_, Some(drift)) => drift.fmt(f),
            (_, None) => Ok(()),
        }
    }
}
