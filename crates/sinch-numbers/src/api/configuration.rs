//! Configurations as requests state them: the services to which a number shall be linked.

use serde::Serialize;

/// Service plan to which a number shall be linked for text messages: `smsConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsSetup {
    /// Service plan of the SMS API: `servicePlanId`.
    pub service_plan_id: String,
    /// 10DLC campaign, which text messages to the US require: `campaignId`.
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
    /// The number shall be linked to an application of the Voice API.
    Rtc {
        /// Id of the application: `appId`.
        app_id: String,
    },
    /// The number shall be linked to a trunk of Elastic SIP Trunking.
    Est {
        /// Id of the trunk: `trunkId`.
        trunk_id: String,
    },
    /// The number shall be linked to a service of the Fax API.
    Fax {
        /// Id of the service: `serviceId`.
        service_id: String,
    },
}
