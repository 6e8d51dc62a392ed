//! Reasons for which an operator should see to a target, as codes.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::explain::{Coded, code_schema};
use crate::store::TargetRow;
use number_order::{Time, counted};

/// Reason for which an operator should see to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, IntoStaticStr, VariantNames)]
#[serde(tag = "code", content = "fields", rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub(in crate::http::operators) enum Attention {
    /// The target answered that it wants no more, and is told nothing until an operator resumes it.
    SwitchedOff {
        /// Time of that answer.
        since: Time,
    },
    /// Attempts in a row have failed through the target.
    Failing {
        /// Time of the first of them.
        since: Time,
        /// Number of them.
        failures: u32,
    },
    /// The attempts of some notifications are used up.
    Parked {
        /// Number of these notifications.
        notifications: u64,
    },
    /// The target is not configured any more, and notifications wait for it.
    NotConfigured {
        /// Number of these notifications.
        waiting: u64,
    },
}

/// A reason with its sentence.
#[derive(Debug, Serialize)]
pub(in crate::http::operators) struct InWords {
    #[serde(flatten)]
    reason: Attention,
    text: String,
}

impl Coded for Attention {
    const NAME: &'static str = "Attention";

    fn codes() -> Vec<&'static str> {
        Attention::VARIANTS.to_vec()
    }
}

impl PartialSchema for InWords {
    fn schema() -> RefOr<Schema> {
        code_schema::<Attention>().into()
    }
}

impl ToSchema for InWords {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(Attention::NAME)
    }
}

impl Attention {
    /// Returns the reasons for which an operator should see to a target.
    pub fn of_target(target: &TargetRow) -> Vec<Attention> {
        let off = target.switched_off_at;
        let switched_off = off.map(|since| Attention::SwitchedOff { since });
        let failing = target.failing_since.map(|since| Attention::Failing {
            since,
            failures: target.failures,
        });
        let parked = (target.parked > 0).then_some(Attention::Parked {
            notifications: target.parked,
        });
        let is_forgotten = !target.active && target.waiting > 0;
        let not_configured = is_forgotten.then_some(Attention::NotConfigured {
            waiting: target.waiting,
        });
        [switched_off, failing, parked, not_configured]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Returns the reason as the operators' API has it.
    pub fn in_words(self) -> InWords {
        let text = self.to_string();
        InWords { reason: self, text }
    }

    /// Returns the code of the reason.
    pub fn code(&self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attention::SwitchedOff { since } => write!(
                f,
                "the target answered 410 at {since}: it is told nothing until it is resumed"
            ),
            Attention::Failing { since, failures } => write!(
                f,
                "{} failed since {since}",
                counted((*failures).into(), "attempt has", "attempts in a row have")
            ),
            Attention::Parked { notifications } => write!(
                f,
                "{} in any attempt",
                counted(
                    *notifications,
                    "notification is parked: the target did not take it",
                    "notifications are parked: the target did not take them"
                )
            ),
            Attention::NotConfigured { waiting } => write!(
                f,
                "{} for a target that is not configured any more",
                counted(*waiting, "notification waits", "notifications wait")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_every_reason_and_no_other() {
        let document = include_str!("../../../../docs/codes.md");
        let section = document.split("## Targets that need attention\n").nth(1);
        let section = section.expect("a section with this heading");
        let section = section.split("\n## ").next().unwrap_or_default();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, Attention::VARIANTS);
    }

    #[test]
    fn what_needs_attention_is_said_with_its_fields_and_in_words() {
        let since = Time(0);
        for (reason, json, words) in [
            (
                Attention::SwitchedOff { since },
                r#"{"code":"switched-off","fields":{"since":"1970-01-01T00:00:00Z"}}"#,
                "answered 410",
            ),
            (
                Attention::Failing { since, failures: 7 },
                r#"{"code":"failing","fields":{"since":"1970-01-01T00:00:00Z","failures":7}}"#,
                "7 attempts in a row",
            ),
            (
                Attention::Parked { notifications: 2 },
                r#"{"code":"parked","fields":{"notifications":2}}"#,
                "2 notifications are parked",
            ),
            (
                Attention::NotConfigured { waiting: 3 },
                r#"{"code":"not-configured","fields":{"waiting":3}}"#,
                "not configured any more",
            ),
            (
                Attention::Parked { notifications: 1 },
                r#"{"code":"parked","fields":{"notifications":1}}"#,
                "1 notification is parked: the target did not take it in any attempt",
            ),
        ] {
            assert_eq!(serde_json::to_string(&reason).expect("JSON"), json);
            assert!(reason.to_string().contains(words), "{reason}");
            assert!(json.contains(&format!("{:?}", reason.code())));
        }
    }
}
