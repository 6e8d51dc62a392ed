//! Registration of an order: `/numberOrders/{numberOrderId}/registration`. It holds personal data in full.

use std::fmt;

use serde_json::{Value, json};

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::object::{Object, object};
use super::request::Request;
use super::transport::Answer;
use crate::Property;
use number_order::Id;

/// Data that is registered for an order, in the form that its requirements ask for.
///
/// `Debug` shows none of it.
#[derive(Clone, PartialEq)]
pub struct RegistrationData(Value);

impl RegistrationData {
    /// Returns JSON as the data to be registered, which `data` of `requestDetails` holds. In Sinch's only example it is
    /// a list with a part for each rule.
    pub fn new(data: Value) -> RegistrationData {
        RegistrationData(data)
    }

    /// Returns the registered data as JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for RegistrationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationData").finish_non_exhaustive()
    }
}

object! {
    /// Registration of an order. What outlives the call should be taken from [`Registration::attachments`] and
    /// [`Registration::logs`], and the rest dropped.
    Registration {
        /// Data that is registered, below `requestDetails`; [`Registration::data`] reads it.
        request_details: Option<Object> = "requestDetails",
        /// Data that is registered, where older descriptions have it: `data` beside `requestDetails`.
        data_beside: Property<'_> = "data",
        /// Documents that were uploaded, or are expected: `attachments`.
        attachments: Vec<UploadedAttachment> = "attachments",
        /// Messages of Sinch's team about the review, the oldest first: `logs`. The reasons of BLOCKED and REJECTED
        /// stand here and nowhere else.
        logs: Vec<ReviewLog> = "logs",
    }
}

object! {
    /// Document of an order's registration.
    UploadedAttachment {
        /// Id by which the document was uploaded: `attachmentId`.
        attachment_id: Property<'_> = "attachmentId",
        /// Name of the uploaded file: `fileName`.
        file_name: Property<'_> = "fileName",
        /// Media type of the uploaded file: `mimeType`.
        mime_type: Property<'_> = "mimeType",
        /// Progress of the upload: `uploadStatus`, which is WAITING (for the upload), COMPLETED, FAILED, or a word that
        /// Sinch adds.
        upload_status: Property<'_> = "uploadStatus",
        /// Type of the document, as the upload gave it: `documentType`.
        document_type: Property<'_> = "documentType",
        /// Time at which the document was created: `createTime`, in RFC 3339.
        create_time: Property<'_> = "createTime",
        /// Time at which the document last changed: `updateTime`, in RFC 3339.
        update_time: Property<'_> = "updateTime",
    }
}

object! {
    /// Message of Sinch's team about the review, for people. It can name persons.
    ReviewLog {
        /// Text of the message, with salutation and signature: `message`.
        message: Property<'_> = "message",
        /// Time of the message: `createTime`, in RFC 3339.
        create_time: Property<'_> = "createTime",
    }
}

impl Registration {
    /// Returns the data that is registered; `None` if there is none.
    pub fn data(&self) -> Option<RegistrationData> {
        let details = self.request_details();
        let inside = details.as_ref().map(|details| details.get("data"));
        let found = [inside, Some(self.data_beside())];
        let json = found.iter().flatten().find_map(|data| data.json())?;
        serde_json::from_str(json).ok().map(RegistrationData)
    }
}

impl Client {
    /// Registers the data that an order requires: `PUT /numberOrders/{numberOrderId}/registration`. Sinch checks the
    /// data at once. It replaces what was registered, as far as `PUT` says, so all of it is sent each time.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. A 400 names the fields in
    /// [`Refusal::violations`](super::Refusal::violations). Sinch documents 404 and 500 as well.
    pub async fn put_registration(
        &self,
        order: &Id,
        data: &RegistrationData,
    ) -> Result<Answer<Registration>, CallError> {
        let path = ["numberOrders", order.as_str(), "registration"];
        let body = json!({ "requestDetails": { "data": data.0 } });
        self.call(Call::PutRegistration, Request::put(&path).json(&body))
            .await
    }

    /// Fetches what was registered for an order: `GET /numberOrders/{numberOrderId}/registration`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 404 and 500.
    pub async fn get_registration(&self, order: &Id) -> Result<Answer<Registration>, CallError> {
        let path = ["numberOrders", order.as_str(), "registration"];
        self.call(Call::GetRegistration, Request::get(&path)).await
    }
}
