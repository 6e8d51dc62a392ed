//! Codes of failed provisioning: `errorCodes` of a number, and `failureCode` of a callback, share one list. Pure.
//!
//! The codes and their meaning are Sinch's. The advice is Sinch's for the first two and for `INTERNAL_ERROR`; the rest
//! is this project's. Sinch can add codes.

use std::fmt;

use serde::Serialize;

/// Page on which Sinch lists its codes, also those that are not here.
const PAGE: &str =
    "https://developers.sinch.com/docs/numbers/api-reference/error-codes/provisioning-errors";

/// Use of trying again: of linking the number to the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Again {
    /// Linking again may help as it is.
    #[serde(rename = "yes")]
    Helps,
    /// Linking again helps once something has passed or has been changed, which the advice names.
    #[serde(rename = "afterwards")]
    HelpsAfterwards,
    /// Linking again does not help.
    #[serde(rename = "no")]
    DoesNotHelp,
    /// Sinch does not say, or the code is not known here.
    #[serde(rename = "unknown")]
    Unknown,
}

/// The answer to the question if linking again helps.
impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Again::Helps => "yes",
            Again::HelpsAfterwards => "afterwards",
            Again::DoesNotHelp => "no",
            Again::Unknown => "unknown",
        })
    }
}

/// Code whose meaning is known.
struct Known {
    code: &'static str,
    /// What has happened.
    meaning: &'static str,
    again: Again,
    /// What to do.
    advice: &'static str,
}

const fn row(
    code: &'static str,
    meaning: &'static str,
    again: Again,
    advice: &'static str,
) -> Known {
    Known {
        code,
        meaning,
        again,
        advice,
    }
}

/// Every code whose meaning is known.
const KNOWN: &[Known] = &[
    row(
        "CAMPAIGN_NOT_AVAILABLE",
        "the registry does not offer the campaign",
        Again::HelpsAfterwards,
        "check the campaign's id; Sinch must be chosen as its direct connection aggregator and have accepted it",
    ),
    row(
        "EXCEEDED_10DLC_LIMIT",
        "the campaign has too many numbers",
        Again::HelpsAfterwards,
        "unlink some numbers, use another campaign, or have Sinch's support make it a number pool; mostly 50 numbers \
         are allowed, and 1 for a sole proprietor",
    ),
    row(
        "NUMBER_PROVISIONING_FAILED",
        "the number could not be provisioned",
        Again::Helps,
        "link it again; if that fails too, ask Sinch's support",
    ),
    row(
        "PARTNER_SERVICE_UNAVAILABLE",
        "the service of a third party is unavailable",
        Again::HelpsAfterwards,
        "link it again later",
    ),
    row(
        "CAMPAIGN_PENDING_ACCEPTANCE",
        "the campaign is not accepted yet",
        Again::HelpsAfterwards,
        "wait until it is accepted, then link again",
    ),
    row(
        "MNO_SHARING_ERROR",
        "sharing with the mobile operators failed",
        Again::Unknown,
        "ask Sinch's support",
    ),
    row(
        "CAMPAIGN_PROVISIONING_FAILED",
        "the campaign could not be provisioned",
        Again::Helps,
        "link it again; if that fails too, ask Sinch's support",
    ),
    row(
        "CAMPAIGN_EXPIRED",
        "the campaign has expired",
        Again::HelpsAfterwards,
        "renew the campaign, or use another",
    ),
    row(
        "CAMPAIGN_MNO_REJECTED",
        "a mobile operator has rejected the campaign",
        Again::HelpsAfterwards,
        "see the campaign for the reason",
    ),
    row(
        "CAMPAIGN_MNO_SUSPENDED",
        "a mobile operator has suspended the campaign",
        Again::HelpsAfterwards,
        "see the campaign for the reason",
    ),
    row(
        "CAMPAIGN_MNO_REVIEW",
        "a mobile operator reviews the campaign",
        Again::HelpsAfterwards,
        "wait for the end of the review, then link again",
    ),
    row(
        "INSUFFICIENT_BALANCE",
        "the account has not enough credit",
        Again::HelpsAfterwards,
        "top the account up, then link again",
    ),
    row(
        "MOCK_CAMPAIGN_NOT_ALLOWED",
        "a mock campaign cannot be provisioned",
        Again::DoesNotHelp,
        "use a real campaign",
    ),
    row(
        "TFN_NOT_ALLOWED",
        "toll-free numbers are not allowed here",
        Again::DoesNotHelp,
        "a toll-free number has a verification of its own, and no campaign",
    ),
    row(
        "INVALID_NNID",
        "the network number id is invalid",
        Again::Unknown,
        "check it with Sinch's support",
    ),
    row(
        "PROVISIONING_TO_VOICE_PLATFORM_FAILED",
        "the number could not be provisioned for calls",
        Again::HelpsAfterwards,
        "check the id of the application, trunk or service, then link again",
    ),
    row(
        "INTERNAL_ERROR",
        "Sinch has an internal error, or could not check the account or its balance",
        Again::Unknown,
        "ask Sinch's support",
    ),
    row(
        "SMS_PROVISIONING_FAILED",
        "the number could not be provisioned for text messages",
        Again::HelpsAfterwards,
        "check the id of the service plan, then link again",
    ),
    row(
        "ERROR_CODE_UNSPECIFIED",
        "Sinch does not say why",
        Again::Unknown,
        "link it again; if that fails too, ask Sinch's support",
    ),
];

/// Code of a failed link, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailureCode {
    /// Sinch's word.
    pub code: String,
    /// Meaning of the code; `None` if it is not known here.
    pub meaning: Option<&'static str>,
    /// Use of trying again.
    pub try_again: Again,
    /// Advice on what to do; `None` if the code is not known here.
    pub advice: Option<&'static str>,
}

impl FailureCode {
    /// Returns a code with what is known of it.
    pub fn new(code: impl Into<String>) -> FailureCode {
        let code = code.into();
        let known = KNOWN.iter().find(|known| known.code == code);
        FailureCode {
            code,
            meaning: known.map(|known| known.meaning),
            try_again: known.map_or(Again::Unknown, |known| known.again),
            advice: known.map(|known| known.advice),
        }
    }

    /// Returns every code whose meaning is known.
    pub fn known() -> impl Iterator<Item = FailureCode> {
        KNOWN.iter().map(|known| FailureCode::new(known.code))
    }
}

/// The code with its meaning, the use of trying again, and what to do.
impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, again) = (&self.code, self.try_again);
        match (self.meaning, self.advice) {
            (Some(meaning), Some(advice)) => write!(
                f,
                "{code}: {meaning}. Does trying again help? {again}: {advice}"
            ),
            (_, _) => write!(
                f,
                "{code}: not known here, so see {PAGE}. Does trying again help? {again}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_known_code_has_a_meaning_of_its_own() {
        let codes: BTreeSet<String> = FailureCode::known().map(|known| known.code).collect();
        assert_eq!(codes.len(), KNOWN.len(), "a code stands twice");
        for known in FailureCode::known() {
            let said = [known.meaning, known.advice];
            assert!(
                said.iter()
                    .all(|text| text.is_some_and(|text| !text.is_empty()))
            );
        }
    }

    #[test]
    fn an_unknown_code_is_shown_with_the_page_of_codes() {
        let unknown = FailureCode::new("CRS0018");
        assert_eq!((unknown.meaning, unknown.try_again), (None, Again::Unknown));
        let shown = unknown.to_string();
        assert!(
            shown.starts_with("CRS0018: ") && shown.contains(PAGE),
            "{shown}"
        );
        assert_eq!(
            FailureCode::new("MOCK_CAMPAIGN_NOT_ALLOWED").to_string(),
            "MOCK_CAMPAIGN_NOT_ALLOWED: a mock campaign cannot be provisioned. Does trying again help? no: use a real \
             campaign"
        );
    }

    #[test]
    fn the_use_of_trying_again_has_one_word_in_text_and_json() {
        for again in [
            Again::Helps,
            Again::HelpsAfterwards,
            Again::DoesNotHelp,
            Again::Unknown,
        ] {
            let json = serde_json::to_value(again).expect("a word");
            assert_eq!(json, serde_json::Value::from(again.to_string()));
        }
    }
}
