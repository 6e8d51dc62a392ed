//! Codes of failed provisioning: `errorCodes` of a number, and `failureCode` of a callback, share one list. Pure.
//!
//! The codes and their meaning are Sinch's. The advice is Sinch's for the first two and for `INTERNAL_ERROR`; the rest
//! is this project's. Sinch can add codes.

/// Page on which Sinch lists its codes, also those that are not here.
pub(super) const PAGE: &str =
    "https://developers.sinch.com/docs/numbers/api-reference/error-codes/provisioning-errors";

/// Use of trying again: of linking the number to the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Linking again may help as it is.
    Helps,
    /// Linking again helps once something has passed or has been changed, which the advice names.
    HelpsAfterwards,
    /// Linking again does not help.
    DoesNotHelp,
    /// Sinch does not say.
    Unknown,
}

impl Again {
    /// Returns the answer to the question if linking again helps.
    pub fn as_str(self) -> &'static str {
        match self {
            Again::Helps => "yes",
            Again::HelpsAfterwards => "afterwards",
            Again::DoesNotHelp => "no",
            Again::Unknown => "unknown",
        }
    }
}

/// Code with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FailureCode {
    /// Sinch's word.
    pub code: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// Use of trying again.
    pub again: Again,
    /// What to do.
    pub advice: &'static str,
}

const fn row(
    code: &'static str,
    meaning: &'static str,
    again: Again,
    advice: &'static str,
) -> FailureCode {
    FailureCode {
        code,
        meaning,
        again,
        advice,
    }
}

/// Every code whose meaning is known.
const KNOWN: &[FailureCode] = &[
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

/// Returns what is known of a code; `None` if Sinch has added it.
pub(super) fn find(code: &str) -> Option<&'static FailureCode> {
    KNOWN.iter().find(|known| known.code == code)
}

/// Returns a code with its meaning, the use of trying again, and what to do.
pub(super) fn sentence(code: &str) -> String {
    let Some(known) = find(code) else {
        return format!("{code}: not known here, so see {PAGE}. Does trying again help? unknown");
    };
    format!(
        "{code}: {}. Does trying again help? {}: {}",
        known.meaning,
        known.again.as_str(),
        known.advice
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sinch_simulator::ordering::Failure;

    use super::*;

    /// The simulator plays every code that is known.
    #[test]
    fn every_known_code_has_a_meaning_of_its_own() {
        let played: BTreeSet<&str> = Failure::ALL.iter().map(|failure| failure.code).collect();
        let known: BTreeSet<&str> = KNOWN.iter().map(|known| known.code).collect();
        assert_eq!(known, played);
        assert_eq!(known.len(), KNOWN.len(), "a code stands twice");
        for known in KNOWN {
            assert_eq!(find(known.code), Some(known));
            assert!(!known.meaning.is_empty() && !known.advice.is_empty());
        }
    }

    #[test]
    fn an_unknown_code_is_shown_with_the_page_of_codes() {
        assert_eq!(find("CRS0018"), None);
        let shown = sentence("CRS0018");
        assert!(
            shown.starts_with("CRS0018: ") && shown.contains(PAGE),
            "{shown}"
        );
        assert_eq!(
            sentence("MOCK_CAMPAIGN_NOT_ALLOWED"),
            "MOCK_CAMPAIGN_NOT_ALLOWED: a mock campaign cannot be provisioned. Does trying again help? no: use a real \
             campaign"
        );
    }
}
