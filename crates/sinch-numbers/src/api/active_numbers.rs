//! Numbers of the project: `/activeNumbers`.

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

/// Selection of the project's numbers, and the page of it. What is absent is not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveNumbersQuery {
    /// `regionCode`, as ISO 3166-1 has it.
    pub region_code: Option<String>,
    /// `type` of the numbers.
    pub number_type: Option<NumberType>,
    /// `capability`: those that a number must have.
    pub capabilities: Vec<Capability>,
    /// `numberPattern` that the numbers match.
    pub number_pattern: Option<NumberPattern>,
    /// `pageSize`: maximum number of numbers of a page. Sinch publishes no default.
    pub page_size: Option<u32>,
    /// `pageToken`: that of the page before; `None` for the first page.
    pub page_token: Option<String>,
    /// `orderBy`: the property by which the list is sorted.
    pub order_by: Option<OrderBy>,
}

/// Property by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderBy {
    /// `phoneNumber`.
    PhoneNumber,
    /// `displayName`: the name that the number has for people.
    DisplayName,
}

object! {
    /// Page of the project's numbers.
    ActiveNumbers {
        /// `activeNumbers` of the page.
        numbers: Vec<ActiveNumber> = "activeNumbers",
        /// `nextPageToken`, absent on the last page.
        next_page_token: Property<'_> = "nextPageToken",
        /// `totalSize`: number of numbers of all pages.
        total_size: Option<u64> = "totalSize",
    }
}

object! {
    /// A number of the project.
    ActiveNumber {
        /// `phoneNumber`, with a plus before its digits.
        phone_number: Property<'_> = "phoneNumber",
        /// `projectId`: the project that has the number.
        project_id: Property<'_> = "projectId",
        /// `displayName`: the name that the number has for people.
        display_name: Property<'_> = "displayName",
        /// `regionCode`, as ISO 3166-1 has it.
        region_code: Property<'_> = "regionCode",
        /// `type`: MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
        number_type: Property<'_> = "type",
        /// `capability`: SMS, VOICE, or a word that Sinch adds.
        capabilities: Vec<String> = "capability",
        /// `money`: the price of each interval.
        recurring_price: Option<Money> = "money",
        /// `paymentIntervalMonths`: length of an interval, in months.
        payment_interval_months: Option<u32> = "paymentIntervalMonths",
        /// `nextChargeDate`: time of the next payment.
        next_charge_date: Property<'_> = "nextChargeDate",
        /// `expireAt`: time at which the number leaves the project, set when it is released.
        expire_at: Property<'_> = "expireAt",
        /// `callbackUrl`, at which callbacks about the number arrive.
        callback_url: Property<'_> = "callbackUrl",
        /// `smsConfiguration`: the link for text messages.
        sms_configuration: Option<SmsConfiguration> = "smsConfiguration",
        /// `voiceConfiguration`: the link for calls.
        voice_configuration: Option<VoiceConfiguration> = "voiceConfiguration",
    }
}

object! {
    /// Link of a number for text messages. The link is in place for what has its id here and nothing scheduled; nothing
    /// scheduled alone does not tell, since a link that was dropped leaves the same.
    SmsConfiguration {
        /// `servicePlanId`: the service plan of the SMS API.
        service_plan_id: Property<'_> = "servicePlanId",
        /// `campaignId`: the 10DLC campaign.
        campaign_id: Property<'_> = "campaignId",
        /// `scheduledProvisioning`: the link that is on its way, or has failed.
        scheduled: Option<ScheduledSms> = "scheduledProvisioning",
    }
}

object! {
    /// Link for text messages that is on its way, or has failed.
    ScheduledSms {
        /// `servicePlanId` that is to be linked.
        service_plan_id: Property<'_> = "servicePlanId",
        /// `campaignId` that is to be linked.
        campaign_id: Property<'_> = "campaignId",
        /// `status`: WAITING, `IN_PROGRESS`, FAILED, or another word. There is none for success, after which nothing is
        /// scheduled.
        status: Property<'_> = "status",
        /// `lastUpdatedTime` of the link.
        last_updated_time: Property<'_> = "lastUpdatedTime",
        /// `errorCodes`: the words of a callback's `failureCode`, and others.
        error_codes: Vec<String> = "errorCodes",
    }
}

object! {
    /// Link of a number for calls. See [`SmsConfiguration`] for when it is in place.
    VoiceConfiguration {
        /// `type`: RTC, EST, FAX, or a word that Sinch adds. It says which of the ids counts.
        voice_type: Property<'_> = "type",
        /// `appId`, for RTC.
        app_id: Property<'_> = "appId",
        /// `trunkId`, for EST.
        trunk_id: Property<'_> = "trunkId",
        /// `serviceId`, for FAX.
        service_id: Property<'_> = "serviceId",
        /// `lastUpdatedTime` of the link.
        last_updated_time: Property<'_> = "lastUpdatedTime",
        /// `scheduledVoiceProvisioning`: the link that is on its way, or has failed.
        scheduled: Option<ScheduledVoice> = "scheduledVoiceProvisioning",
    }
}

object! {
    /// Link for calls that is on its way, or has failed. It has no error codes.
    ScheduledVoice {
        /// `type`, which can differ from that of the link in place. Absent in an older sample of Sinch's, where it is
        /// that of the link in place.
        voice_type: Property<'_> = "type",
        /// `appId`, for RTC.
        app_id: Property<'_> = "appId",
        /// `trunkId`, for EST.
        trunk_id: Property<'_> = "trunkId",
        /// `serviceId`, for FAX.
        service_id: Property<'_> = "serviceId",
        /// `status`: WAITING, `IN_PROGRESS`, FAILED, or another word.
        status: Property<'_> = "status",
        /// `lastUpdatedTime` of the link.
        last_updated_time: Property<'_> = "lastUpdatedTime",
    }
}

/// Changes of a number. What is absent is not sent, and stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberUpdate {
    /// `displayName`: the name that the number has for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// `smsConfiguration`: the link for text messages.
    #[serde(skip_serializing_if = "SmsUpdate::is_empty")]
    pub sms_configuration: SmsUpdate,
    /// `voiceConfiguration`: the link for calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_configuration: Option<VoiceSetup>,
    /// `callbackUrl`, at which callbacks about the number arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Changes of a number's link for text messages. An empty text unlinks. Sinch links to another plan or campaign only
/// after the old one was unlinked, in a request of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsUpdate {
    /// `servicePlanId`: the service plan of the SMS API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_plan_id: Option<String>,
    /// `campaignId`: the 10DLC campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
}

impl SmsUpdate {
    /// Returns `true` if nothing is changed. An empty object would make Sinch refuse the request.
    fn is_empty(&self) -> bool {
        *self == SmsUpdate::default()
    }
}

impl ActiveNumbersQuery {
    fn parameters(&self) -> Vec<(&'static str, String)> {
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
        let request = Request::get(&["activeNumbers"]).query(query.parameters());
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

    /// Releases a number: `POST /activeNumbers/{phoneNumber}:release`. It stays with the project until the answer's
    /// [`ActiveNumber::expire_at`], which is the time of the next payment (seen in an answer of Sinch); no call takes
    /// the release back.
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
