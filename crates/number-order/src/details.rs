//! Subject of an order: its region, its numbers, their prices, and the links that were ordered. No rule about the
//! order's state depends on it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OrderedLink, Service, Target, Time, VoiceIds};

/// Subject of an order, as an answer shows it. An absent value was not shown, or could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct OrderDetails {
    /// Region of the order's numbers: Sinch's `regionCode`, as ISO 3166-1 has it.
    pub region: Option<String>,
    /// Type of the order's numbers, Sinch's `numberType`: MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
    pub number_type: Option<String>,
    /// Time at which the order was created: Sinch's `createTime`.
    pub created_at: Option<Time>,
    /// Link of the numbers for text messages: Sinch's `smsConfiguration`, as JSON.
    pub sms_configuration: Option<Value>,
    /// Link of the numbers for calls: Sinch's `voiceConfiguration`, as JSON.
    pub voice_configuration: Option<Value>,
    /// Numbers of the order: Sinch's `orderNumbers`, in the order in which the answer has them.
    pub numbers: Vec<OrderNumber>,
}

impl OrderDetails {
    /// Returns the links that were ordered for each of the order's numbers, by the ids in the two configurations.
    pub fn ordered_links(&self) -> Vec<OrderedLink> {
        let sms = |name| text(self.sms_configuration.as_ref(), name);
        let voice = |name| text(self.voice_configuration.as_ref(), name);
        let ids = VoiceIds {
            app: voice("appId"),
            trunk: voice("trunkId"),
            service: voice("serviceId"),
        };
        let targets = [
            (Service::Messages, sms("servicePlanId").map(Target::new)),
            (Service::Campaign, sms("campaignId").map(Target::new)),
            (Service::Calls, Target::for_calls(voice("type"), &ids)),
        ];
        let links = targets.into_iter();
        links
            .filter_map(|(service, target)| {
                Some(OrderedLink {
                    service,
                    target: target?,
                })
            })
            .collect()
    }
}

/// Returns a text of a configuration. Absent, `null` and `""` mean the same.
fn text<'a>(configuration: Option<&'a Value>, name: &str) -> Option<&'a str> {
    let text = configuration?.get(name)?.as_str()?;
    (!text.is_empty()).then_some(text)
}

/// A telephone number of an order, with its prices and capabilities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrderNumber {
    /// The telephone number: Sinch's `phoneNumber`, with a plus before its digits.
    pub phone_number: String,
    /// Price of the number that is paid once.
    pub setup_price: Option<Price>,
    /// Price of the number that is paid for each interval of
    /// [`payment_interval_months`](OrderNumber::payment_interval_months).
    pub monthly_price: Option<Price>,
    /// Number of months after which the `monthly_price` is paid again.
    pub payment_interval_months: Option<u32>,
    /// Capabilities that the number has: SMS, VOICE, or a word that Sinch adds.
    pub capabilities: Vec<String>,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Price {
    /// Currency of the amount, as ISO 4217 has it.
    pub currency: String,
    /// Amount of money, as Sinch writes it: a decimal number.
    pub amount: String,
}
