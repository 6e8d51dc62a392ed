//! Failures of provisioning, with their codes.

use fastrand::Rng;

/// Step of provisioning, with its part of an `eventType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The service plan.
    Sms,
    /// The 10DLC campaign.
    Campaign,
    /// Voice, or fax.
    Voice,
}

impl Step {
    /// Returns Sinch's word for the other side of the step.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Sms => "SMS_PLATFORM",
            Step::Campaign => "CAMPAIGN",
            Step::Voice => "VOICE_PLATFORM",
        }
    }
}

/// Failure of one step.
///
/// Codes and the internal code are from Sinch's documentation and SDKs. The step to which a code belongs is
/// inferred from the code's name.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Step that fails.
    pub step: Step,
    /// Code in `errorCodes`, and in the callback's `failureCode` unless the step is [`Step::Sms`], whose callback has
    /// none.
    pub code: &'static str,
    /// `internalFailureCode` of the callback.
    pub internal: Option<&'static str>,
}

const fn failure(step: Step, code: &'static str) -> Failure {
    let internal = None;
    Failure {
        step,
        code,
        internal,
    }
}

impl Failure {
    /// Every failure whose code is known.
    pub const ALL: &'static [Failure] = &[
        failure(Step::Sms, "SMS_PROVISIONING_FAILED"),
        failure(Step::Sms, "INTERNAL_ERROR"),
        failure(Step::Sms, "ERROR_CODE_UNSPECIFIED"),
        Failure {
            step: Step::Campaign,
            code: "EXCEEDED_10DLC_LIMIT",
            internal: Some("CRS0001"),
        },
        failure(Step::Campaign, "CAMPAIGN_NOT_AVAILABLE"),
        failure(Step::Campaign, "NUMBER_PROVISIONING_FAILED"),
        failure(Step::Campaign, "PARTNER_SERVICE_UNAVAILABLE"),
        failure(Step::Campaign, "CAMPAIGN_PENDING_ACCEPTANCE"),
        failure(Step::Campaign, "MNO_SHARING_ERROR"),
        failure(Step::Campaign, "CAMPAIGN_PROVISIONING_FAILED"),
        failure(Step::Campaign, "CAMPAIGN_EXPIRED"),
        failure(Step::Campaign, "CAMPAIGN_MNO_REJECTED"),
        failure(Step::Campaign, "CAMPAIGN_MNO_SUSPENDED"),
        failure(Step::Campaign, "CAMPAIGN_MNO_REVIEW"),
        failure(Step::Campaign, "INSUFFICIENT_BALANCE"),
        failure(Step::Campaign, "MOCK_CAMPAIGN_NOT_ALLOWED"),
        failure(Step::Campaign, "TFN_NOT_ALLOWED"),
        failure(Step::Campaign, "INVALID_NNID"),
        failure(Step::Voice, "PROVISIONING_TO_VOICE_PLATFORM_FAILED"),
    ];

    /// Returns the failure with the given code.
    pub fn with_code(code: &str) -> Option<&'static Failure> {
        Failure::ALL.iter().find(|failure| failure.code == code)
    }

    /// Chooses a step, then one of its failures, so that rare codes do not hide the plain ones.
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
