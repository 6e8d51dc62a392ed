//! Creating and submitting an order.

use serde::{Serialize, Serializer};

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::configuration::{SmsSetup, VoiceSetup};
use super::orders::NumberOrder;
use super::request::Request;
use super::transport::Answer;
use super::words::{Capability, NumberPattern, NumberType, PhoneNumber};
use number_order::Id;

/// An order to be created. What is absent is not sent: Sinch refuses an empty object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// Region of the ordered numbers: `regionCode`, as ISO 3166-1 has it.
    pub region_code: String,
    /// Type of the ordered numbers: `numberType`.
    pub number_type: NumberType,
    /// Number that is ordered, or how many numbers are.
    #[serde(flatten)]
    pub numbers: Ordered,
    /// Link of the ordered numbers for text messages: `smsConfiguration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_configuration: Option<SmsSetup>,
    /// Link of the ordered numbers for calls: `voiceConfiguration`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_configuration: Option<VoiceSetup>,
    /// URL at which callbacks about the order arrive: `callbackUrl`. No call shows it or changes it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Numbers of an order: Sinch wants exactly one of the two options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Ordered {
    /// Exactly this number: `numberOrderOption`. It can be reserved only once, so it is the safer option should an
    /// answer be lost.
    #[serde(rename = "numberOrderOption", serialize_with = "list_of_one")]
    Number(PhoneNumber),
    /// Numbers that Sinch chooses: `quantityOrderOption`.
    #[serde(rename = "quantityOrderOption")]
    Quantity(Quantity),
}

/// Numbers that Sinch chooses, by their count and their properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantity {
    /// Count of the numbers, from 1 to 100: `requestedQuantity`. The order may come back with fewer.
    pub requested_quantity: u32,
    /// Pattern that the numbers must match: `numberPattern`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_pattern: Option<NumberPattern>,
    /// `true` if the numbers should be adjacent, as it seems: `sequential`. Sinch does not describe it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequential: Option<bool>,
    /// Capabilities that the numbers must have: `capabilities`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
}

/// Writes the ordered number for `numberOrderOption`, as a list with exactly one number.
fn list_of_one<S: Serializer>(number: &PhoneNumber, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct NumberOrderOption<'a> {
        phone_numbers: [&'a PhoneNumber; 1],
    }
    let phone_numbers = [number];
    NumberOrderOption { phone_numbers }.serialize(serializer)
}

impl Client {
    /// Creates an order: `POST /numberOrders:createNumberOrder`. Its numbers are reserved until `expireTime` of the
    /// answer.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400 and 500, and not with which status it
    /// refuses a number that is taken.
    ///
    /// If [`CallError::repeat`] is [`FindOutFirst`](super::Repeat::FindOutFirst), there may be an order that no call
    /// finds: Sinch lists no orders, and knows no key by which it would recognise a repetition.
    pub async fn create_order(
        &self,
        order: &NewOrder,
    ) -> Result<Answer<NumberOrder<'static>>, CallError> {
        let request = Request::post(&["numberOrders:createNumberOrder"]).json(order);
        let read = |body: &[u8]| NumberOrder::read(body).ok().map(NumberOrder::into_owned);
        self.call_and_read(Call::CreateOrder, request, read).await
    }

    /// Submits an order for review: `POST /numberOrders/{numberOrderId}/submit`. The answer may still say CREATED;
    /// [`Client::get_order`] tells.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 404 and 500, and not what an incomplete
    /// registration is answered.
    pub async fn submit_order(
        &self,
        order: &Id,
    ) -> Result<Answer<NumberOrder<'static>>, CallError> {
        let path = ["numberOrders", order.as_str(), "submit"];
        let read = |body: &[u8]| NumberOrder::read(body).ok().map(NumberOrder::into_owned);
        self.call_and_read(Call::SubmitOrder, Request::post(&path), read)
            .await
    }
}
