//! Codes of failed provisioning: `errorCodes` of a number, and `failureCode` of a callback, share one list. Pure.
//!
//! The codes and their meaning are Sinch's. The advice is Sinch's for the first two and for `INTERNAL_ERROR`; the rest
//! is this project's. Sinch can add codes.

use std::fmt;

use serde::Serialize;

/// Page on which Sinch lists its codes, including those that are missing here.
const CODES_PAGE: &str =
    "https://developers.sinch.com/docs/numbers/api-reference/error-codes/provisioning-errors";

/// Answer to the question whether it helps to link the number to the same target again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TryAgain {
    /// Linking again may help, though nothing has changed.
    #[serde(rename = "yes")]
    Helps,
    /// Linking again helps only after a wait or a change, which the advice names.
    #[serde(rename = "afterwards")]
    HelpsAfterwards,
    /// Linking again does not help.
    #[serde(rename = "no")]
    DoesNotHelp,
    /// Sinch does not say, or the code is not known here.
    #[serde(rename = "unknown")]
    Unknown,
}

/// The answer in one word.
impl fmt::Display for TryAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAgain::Helps => "yes",
            TryAgain::HelpsAfterwards => "afterwards",
            TryAgain::DoesNotHelp => "no",
            TryAgain::Unknown => "unknown",
        })
    }
}

/// Code whose meaning is known.
struct KnownCode {
    code: &'static str,
    /// What has happened.
    meaning: &'static str,
    again: TryAgain,
    /// What to do.
    advice: &'static str,
}

const fn row(
    code: &'static str,
    meaning: &'static str,
    again: TryAgain,
    advice: &'static str,
) -> KnownCode {
    KnownCode {
        code,
        meaning,
        again,
        advice,
    }
}

/// Every code whose meaning is known.
const KNOWN_CODES: &[KnownCode] = &[
    row(
        "CAMPAIGN_NOT_AVAILABLE",
        "the registry does not offer the campaign",
        TryAgain::HelpsAfterwards,
        "check the campaign's id; Sinch must be chosen as its direct connection aggregator and have accepted it",
    ),
    row(
        "EXCEEDED_10DLC_LIMIT",
        "the campaign has too many numbers",
        TryAgain::HelpsAfterwards,
        "unlink some numbers, use another campaign, or have Sinch's support make it a number pool; mostly 50 numbers \
         are allowed, and 1 for a sole proprietor",
    ),
    row(
        "NUMBER_PROVISIONING_FAILED",
        "the number could not be provisioned",
        TryAgain::Helps,
        "link it again; if that fails too, ask Sinch's support",
    ),
    row(
        "PARTNER_SERVICE_UNAVAILABLE",
        "the service of a third party is unavailable",
        TryAgain::HelpsAfterwards,
        "link it again later",
    ),
    row(
        "CAMPAIGN_PENDING_ACCEPTANCE",
        "the campaign is not accepted yet",
        TryAgain::HelpsAfterwards,
        "wait until it is accepted, then link again",
    ),
    row(
        "MNO_SHARING_ERROR",
        "sharing with the mobile operators failed",
        TryAgain::Unknown,
        "ask Sinch's support",
    ),
    row(
        "CAMPAIGN_PROVISIONING_FAILED",
        "the campaign could not be provisioned",
        TryAgain::Helps,
        "link it again; if that fails too, ask Sinch's support",
    ),
    row(
        "CAMPAIGN_EXPIRED",
        "the campaign has expired",
        TryAgain::HelpsAfterwards,
        "renew the campaign, or use another",
    ),
    row(
        "CAMPAIGN_MNO_REJECTED",
        "a mobile operator has rejected the campaign",
        TryAgain::HelpsAfterwards,
        "see the campaign for the reason",
    ),
    row(
        "CAMPAIGN_MNO_SUSPENDED",
        "a mobile operator has suspended the campaign",
        TryAgain::HelpsAfterwards,
        "see the campaign for the reason",
    ),
    row(
        "CAMPAIGN_MNO_REVIEW",
        "a mobile operator reviews the campaign",
        TryAgain::HelpsAfterwards,
        "wait for the end of the review, then link again",
    ),
    row(
        "INSUFFICIENT_BALANCE",
        "the account has not enough credit",
        TryAgain::HelpsAfterwards,
        "top the account up, then link again",
    ),
    row(
        "MOCK_CAMPAIGN_NOT_ALLOWED",
        "a mock campaign cannot be provisioned",
        TryAgain::DoesNotHelp,
        "use a real campaign",
    ),
    row(
        "TFN_NOT_ALLOWED",
        "toll-free numbers are not allowed here",
        TryAgain::DoesNotHelp,
        "a toll-free number has a verification of its own, and no campaign",
    ),
    row(
        "INVALID_NNID",
        "the network number id is invalid",
        TryAgain::Unknown,
        "check it with Sinch's support",
    ),
    row(
        "PROVISIONING_TO_VOICE_PLATFORM_FAILED",
        "the number could not be provisioned for calls",
        TryAgain::HelpsAfterwards,
        "check the id of the application, trunk or service, then link again",
    ),
    row(
        "INTERNAL_ERROR",
        "Sinch has an internal error, or could not check the account or its balance",
        TryAgain::Unknown,
        "ask Sinch's support",
    ),
    row(
        "SMS_PROVISIONING_FAILED",
        "the number could not be provisioned for text messages",
        TryAgain::HelpsAfterwards,
        "check the id of the service plan, then link again",
    ),
    row(
        "ERROR_CODE_UNSPECIFIED",
        "Sinch does not say why",
        TryAgain::Unknown,
        "link it again; if that fails too, ask Sinch's support",
    ),
];

/// Code of a failed link, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailureCode {
    /// The code, as Sinch spells it.
    pub code: String,
    /// Meaning of the code; `None` if it is not known here.
    pub meaning: Option<&'static str>,
    /// Answer to the question whether linking the number again helps.
    pub try_again: TryAgain,
    /// Advice on what to do; `None` if the code is not known here.
    pub advice: Option<&'static str>,
}

impl FailureCode {
    /// Returns a code with what is known of it.
    pub fn new(code: impl Into<String>) -> FailureCode {
        let code = code.into();
        let known = KNOWN_CODES.iter().find(|known| known.code == code);
        FailureCode {
            code,
            meaning: known.map(|known| known.meaning),
            try_again: known.map_or(TryAgain::Unknown, |known| known.again),
            advice: known.map(|known| known.advice),
        }
    }

    /// Returns every code whose meaning is known.
    pub fn known() -> impl Iterator<Item = FailureCode> {
        KNOWN_CODES.iter().map(|known| FailureCode::new(known.code))
    }
}

/// The code with its meaning, whether linking again helps, and what to do.
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
                "{code}: not known here, so see {CODES_PAGE}. Does trying again help? {again}"
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
        assert_eq!(codes.len(), KNOWN_CODES.len(), "a code stands twice");
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
        assert_eq!(
            (unknown.meaning, unknown.try_again),
            (None, TryAgain::Unknown)
        );
        let shown = unknown.to_string();
        assert!(
            shown.starts_with("CRS0018: ") && shown.contains(CODES_PAGE),
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
            TryAgain::Helps,
            TryAgain::HelpsAfterwards,
            TryAgain::DoesNotHelp,
            TryAgain::Unknown,
        ] {
            let json = serde_json::to_value(again).expect("a word");
            assert_eq!(json, serde_json::Value::from(again.to_string()));
        }
    }
}
