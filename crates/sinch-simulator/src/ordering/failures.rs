//! Failures of the provisioning of a number, with their codes.

use fastrand::Rng;

/// Step of the provisioning of a number, with its part of an `eventType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The number is linked to the service plan.
    Sms,
    /// The number is linked to the 10DLC campaign.
    Campaign,
    /// The number is linked for voice, or for fax.
    Voice,
}

impl Step {
    /// Returns Sinch's word for the service to which the step links a number.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Sms => "SMS_PLATFORM",
            Step::Campaign => "CAMPAIGN",
            Step::Voice => "VOICE_PLATFORM",
        }
    }
}

/// Failure of one step of provisioning.
///
/// Codes and the internal code are from Sinch's documentation and SDKs. The step to which a code belongs is
/// inferred from the code's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Step of provisioning that fails.
    pub step: Step,
    /// Code in `errorCodes`, and in the callback's `failureCode` unless the step is [`Step::Sms`], whose callback has
    /// none.
    pub code: &'static str,
    /// Code in the callback's `internalFailureCode`, if there is one.
    pub internal: Option<&'static str>,
}

const fn plain_failure(step: Step, code: &'static str) -> Failure {
    let internal = None;
    Failure {
        step,
        code,
        internal,
    }
}

impl Failure {
    /// Every failure of provisioning whose code is known.
    pub const ALL: &'static [Failure] = &[
        plain_failure(Step::Sms, "SMS_PROVISIONING_FAILED"),
        plain_failure(Step::Sms, "INTERNAL_ERROR"),
        plain_failure(Step::Sms, "ERROR_CODE_UNSPECIFIED"),
        Failure {
            step: Step::Campaign,
            code: "EXCEEDED_10DLC_LIMIT",
            internal: Some("CRS0001"),
        },
        plain_failure(Step::Campaign, "CAMPAIGN_NOT_AVAILABLE"),
        plain_failure(Step::Campaign, "NUMBER_PROVISIONING_FAILED"),
        plain_failure(Step::Campaign, "PARTNER_SERVICE_UNAVAILABLE"),
        plain_failure(Step::Campaign, "CAMPAIGN_PENDING_ACCEPTANCE"),
        plain_failure(Step::Campaign, "MNO_SHARING_ERROR"),
        plain_failure(Step::Campaign, "CAMPAIGN_PROVISIONING_FAILED"),
        plain_failure(Step::Campaign, "CAMPAIGN_EXPIRED"),
        plain_failure(Step::Campaign, "CAMPAIGN_MNO_REJECTED"),
        plain_failure(Step::Campaign, "CAMPAIGN_MNO_SUSPENDED"),
        plain_failure(Step::Campaign, "CAMPAIGN_MNO_REVIEW"),
        plain_failure(Step::Campaign, "INSUFFICIENT_BALANCE"),
        plain_failure(Step::Campaign, "MOCK_CAMPAIGN_NOT_ALLOWED"),
        plain_failure(Step::Campaign, "TFN_NOT_ALLOWED"),
        plain_failure(Step::Campaign, "INVALID_NNID"),
        plain_failure(Step::Voice, "PROVISIONING_TO_VOICE_PLATFORM_FAILED"),
    ];

    /// Returns the failure of provisioning with the given code.
    pub fn with_code(code: &str) -> Option<&'static Failure> {
        Failure::ALL.iter().find(|failure| failure.code == code)
    }

    /// Chooses a step of provisioning, then one of its failures, so that rare codes do not hide the plain ones.
    pub(super) fn choose(rng: &mut Rng) -> &'static Failure {
        let step = *rng
            .choice(&[Step::Sms, Step::Campaign, Step::Voice])
            .unwrap_or(&Step::Sms);
        let of_step: Vec<&Failure> = Failure::ALL
            .iter()
            .filter(|failure| failure.step == step)
            .collect();
        rng.choice(&of_step)
            .copied()
            .expect("every step has a failure")
    }
}
