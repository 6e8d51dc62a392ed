//! Renting of numbers: `/availableNumbers/{phoneNumber}:rent` and `/availableNumbers:rentAny`. Sinch deprecates both
//! and keeps them for LOCAL numbers of the US alone; an order gets every number.

use serde::Serialize;

use super::active_numbers::ActiveNumber;
use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::configuration::{SmsSetup, VoiceSetup};
use super::request::Request;
use super::transport::Answer;
use super::words::{Capability, NumberPattern, NumberType, PhoneNumber};

/// Configuration of a number that is rented. What is absent is not sent: Sinch refuses an empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rental {
    /// Link of the number for text messages: `smsConfiguration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_configuration: Option<SmsSetup>,
    /// Link of the number for calls: `voiceConfiguration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_configuration: Option<VoiceSetup>,
    /// URL at which callbacks about the number arrive: `callbackUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Rental of any number of a region and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnyRental {
    /// Region of the number: `regionCode`, which is US, the only one that Sinch documents.
    pub region_code: String,
    /// Type of the number: `type`, which is [`NumberType::LOCAL`], the only one that Sinch documents.
    #[serde(rename = "type")]
    pub number_type: NumberType,
    /// Capabilities that the number must have: `capabilities`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
    /// Pattern that the number must match: `numberPattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_pattern: Option<NumberPattern>,
    /// Configuration of the number that is rented.
    #[serde(flatten)]
    pub rental: Rental,
}

impl Client {
    /// Rents a number: `POST /availableNumbers/{phoneNumber}:rent`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403 (for trial accounts, for instance),
    /// 404 and 500. After a lost answer, [`Client::get_active_number`] tells if the number was rented.
    #[deprecated = "Sinch deprecates it: create an order"]
    pub async fn rent_number(
        &self,
        number: &PhoneNumber,
        rental: &Rental,
    ) -> Result<Answer<ActiveNumber>, CallError> {
        let last = format!("{}:rent", number.as_str());
        let path = ["availableNumbers", &last];
        self.call(Call::RentNumber, Request::post(&path).json(rental))
            .await
    }

    /// Rents any number of a region and type: `POST /availableNumbers:rentAny`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500. After a lost answer a
    /// repetition can rent a second number.
    #[deprecated = "Sinch deprecates it: search a number and create an order"]
    pub async fn rent_any_number(
        &self,
        rental: &AnyRental,
    ) -> Result<Answer<ActiveNumber>, CallError> {
        let request = Request::post(&["availableNumbers:rentAny"]).json(rental);
        self.call(Call::RentAnyNumber, request).await
    }
}
