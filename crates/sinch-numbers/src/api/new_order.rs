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
    /// `regionCode`, as ISO 3166-1 has it.
    pub region_code: String,
    /// `numberType` of the numbers.
    pub number_type: NumberType,
    /// The number, or how many.
    #[serde(flatten)]
    pub numbers: Ordered,
    /// `smsConfiguration`: the link for text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms_configuration: Option<SmsSetup>,
    /// `voiceConfiguration`: the link for calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_configuration: Option<VoiceSetup>,
    /// `callbackUrl`, at which callbacks about the order arrive. No call shows it or changes it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// Numbers of an order: Sinch wants exactly one of the two options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Ordered {
    /// `numberOrderOption`: this number. It can be reserved only once, so it is the safer option should an answer be
    /// lost.
    #[serde(rename = "numberOrderOption", serialize_with = "phone_numbers")]
    Number(PhoneNumber),
    /// `quantityOrderOption`: numbers that Sinch chooses.
    #[serde(rename = "quantityOrderOption")]
    Quantity(Quantity),
}

/// Numbers that Sinch chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantity {
    /// `requestedQuantity`, from 1 to 100. The order may come back with fewer.
    pub requested_quantity: u32,
    /// `numberPattern` that the numbers match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_pattern: Option<NumberPattern>,
    /// `sequential`. Sinch does not describe it; it seems to ask for adjacent numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequential: Option<bool>,
    /// `capabilities` that the numbers must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
}

/// Writes `numberOrderOption`: a list with exactly one number.
fn phone_numbers<S: Serializer>(number: &PhoneNumber, serializer: S) -> Result<S::Ok, S::Error> {
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
