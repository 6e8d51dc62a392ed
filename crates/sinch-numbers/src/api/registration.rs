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
    /// Returns the data: what `data` of `requestDetails` holds. In Sinch's only example it is a list with a part for
    /// each rule.
    pub fn new(data: Value) -> RegistrationData {
        RegistrationData(data)
    }

    /// Returns the data as JSON.
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
        /// `requestDetails`, the registered data; [`Registration::data`] reads it.
        request_details: Option<Object> = "requestDetails",
        /// `data` beside `requestDetails`, where older descriptions have it.
        data_beside: Property<'_> = "data",
        /// `attachments`: the documents that were uploaded, or are expected.
        attachments: Vec<UploadedAttachment> = "attachments",
        /// `logs`, the oldest first: what Sinch's team says about the review. The reasons of BLOCKED and REJECTED stand
        /// here and nowhere else.
        logs: Vec<ReviewLog> = "logs",
    }
}

object! {
    /// Document of a registration.
    UploadedAttachment {
        /// `attachmentId`, by which the document was uploaded.
        attachment_id: Property<'_> = "attachmentId",
        /// `fileName` of the upload.
        file_name: Property<'_> = "fileName",
        /// `mimeType` of the upload.
        mime_type: Property<'_> = "mimeType",
        /// `uploadStatus`: WAITING (for the upload), COMPLETED, FAILED, or a word that Sinch adds.
        upload_status: Property<'_> = "uploadStatus",
        /// `documentType` of the upload.
        document_type: Property<'_> = "documentType",
        /// `createTime`, in RFC 3339.
        create_time: Property<'_> = "createTime",
        /// `updateTime`, in RFC 3339.
        update_time: Property<'_> = "updateTime",
    }
}

object! {
    /// Message of Sinch's team about the review, for people. It can name persons.
    ReviewLog {
        /// `message`, with salutation and signature.
        message: Property<'_> = "message",
        /// `createTime`, in RFC 3339.
        create_time: Property<'_> = "createTime",
    }
}

impl Registration {
    /// Returns the registered data; `None` if there is none.
    pub fn data(&self) -> Option<RegistrationData> {
        let details = self.request_details();
        let inside = details.as_ref().map(|details| details.get("data"));
        let found = [inside, Some(self.data_beside())];
        let json = found.iter().flatten().find_map(|data| data.json())?;
        serde_json::from_str(json).ok().map(RegistrationData)
    }
}

impl Client {
    /// Registers an order: `PUT /numberOrders/{numberOrderId}/registration`. Sinch checks the data at once. It replaces
    /// what was registered, as far as `PUT` says, so all of it is sent each time.
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
