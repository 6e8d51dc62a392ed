//! Configurations as requests state them: what a number shall be linked to.

use serde::Serialize;

/// Service plan to which a number shall be linked for text messages: `smsConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsSetup {
    /// `servicePlanId`: the service plan of the SMS API.
    pub service_plan_id: String,
    /// `campaignId`: the 10DLC campaign, which text messages to the US require.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
}

/// Product to which a number shall be linked for calls: `voiceConfiguration`, with its `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "UPPERCASE",
    rename_all_fields = "camelCase"
)]
pub enum VoiceSetup {
    /// An application of the Voice API.
    Rtc {
        /// `appId` of the application.
        app_id: String,
    },
    /// A trunk of Elastic SIP Trunking.
    Est {
        /// `trunkId` of the trunk.
        trunk_id: String,
    },
    /// A service of the Fax API.
    Fax {
        /// `serviceId` of the service.
        service_id: String,
    },
}
