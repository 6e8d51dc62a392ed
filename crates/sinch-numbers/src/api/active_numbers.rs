//! Numbers that belong to a project: `/activeNumbers`.

use serde::Serialize;

use super::available_numbers::add_pattern;
use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::configuration::VoiceSetup;
use super::money::Money;
use super::object::object;
use super::request::Request;
use super::transport::Answer;
use super::words::{Capability, NumberPattern, NumberType, PhoneNumber};
use crate::Property;

/// Query for a page of the project's numbers. What is absent is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveNumbersQuery {
    /// Region of the numbers: `regionCode`, as ISO 3166-1 has it.
    pub region_code: Option<String>,
    /// Type that the numbers must have: `type`.
    pub number_type: Option<NumberType>,
    /// Capabilities that a number must have: `capability`.
    pub capabilities: Vec<Capability>,
    /// Pattern that the numbers must match: `numberPattern`.
    pub number_pattern: Option<NumberPattern>,
    /// Maximum number of numbers on a page: `pageSize`. Sinch publishes no default.
    pub page_size: Option<u32>,
    /// Token of the page, which the page before gave: `pageToken`; `None` for the first page.
    pub page_token: Option<String>,
    /// Property by which the list of numbers is sorted: `orderBy`.
    pub order_by: Option<OrderBy>,
}

/// Property by which a list of numbers is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// The list is sorted by `phoneNumber`.
    PhoneNumber,
    /// The list is sorted by `displayName`, the name that a number has for people.
    DisplayName,
}

object! {
    /// Page of the project's numbers.
    ActiveNumbers {
        /// Numbers on the page: `activeNumbers`.
        numbers: Vec<ActiveNumber> = "activeNumbers",
        /// Token of the next page: `nextPageToken`, absent on the last page.
        next_page_token: Property<'_> = "nextPageToken",
        /// Number of numbers on all pages: `totalSize`.
        total_size: Option<u64> = "totalSize",
    }
}

object! {
    /// A number that belongs to a project.
    ActiveNumber {
        /// The telephone number: `phoneNumber`, with a plus before its digits.
        phone_number: Property<'_> = "phoneNumber",
        /// Id of the project that has the number: `projectId`.
        project_id: Property<'_> = "projectId",
        /// Name that the number has for people: `displayName`.
        display_name: Property<'_> = "displayName",
        /// Region of the number: `regionCode`, as ISO 3166-1 has it.
        region_code: Property<'_> = "regionCode",
        /// Type of the number: `type`, which is MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
        number_type: Property<'_> = "type",
        /// Capabilities of the number: `capability`, each of which is SMS, VOICE, or a word that Sinch adds.
        capabilities: Vec<String> = "capability",
        /// Price of the number for each interval: `money`.
        recurring_price: Option<Money> = "money",
        /// Number of months after which the price is paid again: `paymentIntervalMonths`.
        payment_interval_months: Option<u32> = "paymentIntervalMonths",
        /// Time of the next payment for the number: `nextChargeDate`.
        next_charge_date: Property<'_> = "nextChargeDate",
        /// Time at which the number leaves the project, set when it is released: `expireAt`.
        expire_at: Property<'_> = "expireAt",
        /// URL at which callbacks about the number arrive: `callbackUrl`.
        callback_url: Property<'_> = "callbackUrl",
        /// Link of the number for text messages: `smsConfiguration`.
        sms_configuration: Option<SmsConfiguration> = "smsConfiguration",
        /// Link of the number for calls: `voiceConfiguration`.
        voice_configuration: Option<VoiceConfiguration> = "voiceConfiguration",
    }
}

object! {
    /// Link of a number for text messages. The link is in place for what has its id here and nothing scheduled; nothing
    /// scheduled alone does not tell, since a link that was dropped leaves the same.
    SmsConfiguration {
        /// Service plan of the SMS API to which the number is linked: `servicePlanId`.
        service_plan_id: Property<'_> = "servicePlanId",
        /// 10DLC campaign to which the number is linked: `campaignId`.
        campaign_id: Property<'_> = "campaignId",
        /// Link for text messages that is on its way, or has failed: `scheduledProvisioning`.
        scheduled: Option<ScheduledSms> = "scheduledProvisioning",
    }
}

object! {
    /// Link of a number for text messages that is on its way, or has failed.
    ScheduledSms {
        /// Service plan to which the number is to be linked: `servicePlanId`.
        service_plan_id: Property<'_> = "servicePlanId",
        /// 10DLC campaign to which the number is to be linked: `campaignId`.
        campaign_id: Property<'_> = "campaignId",
        /// Progress of the link: `status`, which is WAITING, `IN_PROGRESS`, FAILED, or another word. There is none for
        /// success, after which nothing is scheduled.
        status: Property<'_> = "status",
        /// Time at which the link last changed: `lastUpdatedTime`.
        last_updated_time: Property<'_> = "lastUpdatedTime",
        /// Reasons why the link has failed: `errorCodes`, the words of a callback's `failureCode`, and others.
        error_codes: Vec<String> = "errorCodes",
    }
}

object! {
    /// Link of a number for calls. See [`SmsConfiguration`] for when it is in place.
    VoiceConfiguration {
        /// Product to which the number is linked: `type`, which is RTC, EST, FAX, or a word that Sinch adds. It says
        /// which of the ids counts.
        voice_type: Property<'_> = "type",
        /// Application of the Voice API, where the product is RTC: `appId`.
        app_id: Property<'_> = "appId",
        /// Trunk of Elastic SIP Trunking, where the product is EST: `trunkId`.
        trunk_id: Property<'_> = "trunkId",
        /// Service of the Fax API, where the product is FAX: `serviceId`.
        service_id: Property<'_> = "serviceId",
        /// Time at which the link last changed: `lastUpdatedTime`.
        last_updated_time: Property<'_> = "lastUpdatedTime",
        /// Link for calls that is on its way, or has failed: `scheduledVoiceProvisioning`.
        scheduled: Option<ScheduledVoice> = "scheduledVoiceProvisioning",
    }
}

object! {
    /// Link of a number for calls that is on its way, or has failed. It has no error codes.
    ScheduledVoice {
        /// Product to which the number is to be linked: `type`, which can differ from that of the link in place. Absent
        /// in an older sample of Sinch's, where it is that of the link in place.
        voice_type: Property<'_> = "type",
        /// Application of the Voice API, where the product is RTC: `appId`.
        app_id: Property<'_> = "appId",
        /// Trunk of Elastic SIP Trunking, where the product is EST: `trunkId`.
        trunk_id: Property<'_> = "trunkId",
        /// Service of the Fax API, where the product is FAX: `serviceId`.
        service_id: Property<'_> = "serviceId",
        /// Progress of the link: `status`, which is WAITING, `IN_PROGRESS`, FAILED, or another word.
        status: Property<'_> = "status",
        /// Time at which the link last changed: `lastUpdatedTime`.
        last_updated_time: Property<'_> = "lastUpdatedTime",
    }
}

/// Changes to a project's number. What is absent is not sent, and stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberUpdate {
    /// New name of the number for people: `displayName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Changes of the number's link for text messages: `smsConfiguration`.
    #[serde(skip_serializing_if = "SmsUpdate::is_empty")]
    pub sms_configuration: SmsUpdate,
    /// New link of the number for calls: `voiceConfiguration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_configuration: Option<VoiceSetup>,
    /// New URL at which callbacks about the number arrive: `callbackUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Changes of a number's link for text messages. An empty text unlinks. Sinch links to another plan or campaign only
/// after the old one was unlinked, in a request of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsUpdate {
    /// Service plan of the SMS API to which the number is to be linked: `servicePlanId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_plan_id: Option<String>,
    /// 10DLC campaign to which the number is to be linked: `campaignId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
}

impl SmsUpdate {
    /// Returns `true` if nothing of the link is changed. An empty object would make Sinch refuse the request.
    fn is_empty(&self) -> bool {
        *self == SmsUpdate::default()
    }
}

impl ActiveNumbersQuery {
    fn query_parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        let mut add = |name, value: Option<String>| {
            parameters.extend(value.map(|value| (name, value)));
        };
        let number_type = self.number_type.as_ref();
        let order_by = self.order_by.map(|by| match by {
            OrderBy::PhoneNumber => "phoneNumber",
            OrderBy::DisplayName => "displayName",
        });
        add("regionCode", self.region_code.clone());
        add("type", number_type.map(|word| word.as_str().to_owned()));
        add("pageSize", self.page_size.map(|size| size.to_string()));
        add("pageToken", self.page_token.clone());
        add("orderBy", order_by.map(str::to_owned));
        let capabilities = self.capabilities.iter();
        parameters.extend(capabilities.map(|word| ("capability", word.as_str().to_owned())));
        add_pattern(&mut parameters, self.number_pattern.as_ref());
        parameters
    }
}

impl Client {
    /// Lists a page of the project's numbers: `GET /activeNumbers`. The next page has the same query with the answer's
    /// [`ActiveNumbers::next_page_token`] as `page_token`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn list_active_numbers(
        &self,
        query: &ActiveNumbersQuery,
    ) -> Result<Answer<ActiveNumbers>, CallError> {
        let request = Request::get(&["activeNumbers"]).query(query.query_parameters());
        self.call(Call::ListActiveNumbers, request).await
    }

    /// Fetches a number of the project: `GET /activeNumbers/{phoneNumber}`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. [`Failure::NotFound`](super::Failure::NotFound) means that the
    /// number is not active, or not yet. Sinch documents 400 and 500 as well.
    pub async fn get_active_number(
        &self,
        number: &PhoneNumber,
    ) -> Result<Answer<ActiveNumber>, CallError> {
        let path = ["activeNumbers", number.as_str()];
        self.call(Call::GetActiveNumber, Request::get(&path)).await
    }

    /// Changes a number of the project: `PATCH /activeNumbers/{phoneNumber}`. The answer shows links as scheduled; they
    /// are made afterwards.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn update_active_number(
        &self,
        number: &PhoneNumber,
        update: &NumberUpdate,
    ) -> Result<Answer<ActiveNumber>, CallError> {
        let path = ["activeNumbers", number.as_str()];
        self.call(Call::UpdateActiveNumber, Request::patch(&path).json(update))
            .await
    }

    /// Releases a number of the project: `POST /activeNumbers/{phoneNumber}:release`. It stays with the project until
    /// the answer's [`ActiveNumber::expire_at`], which is the time of the next payment (seen in an answer of Sinch); no
    /// call takes the release back.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn release_active_number(
        &self,
        number: &PhoneNumber,
    ) -> Result<Answer<ActiveNumber>, CallError> {
        let last = format!("{}:release", number.as_str());
        let path = ["activeNumbers", &last];
        self.call(Call::ReleaseActiveNumber, Request::post(&path))
            .await
    }
}
