//! Requirements of numbers: `/numberOrders:lookupNumberRequirements`.

use serde_json::json;

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::error::Failure;
use super::object::{Object, object};
use super::refusal::Refusal;
use super::request::Request;
use super::transport::Answer;
use super::words::NumberType;
use crate::Property;

/// Result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Sinch answered with requirements, which may be empty.
    Requirements(Answer<Requirements>),
    /// Sinch answered 404 and named the requirements as what it did not find: nothing is required, as seen for LOCAL
    /// and `TOLL_FREE` numbers of the US. A region without numbers may have the same answer; a search tells.
    NothingRequired(Box<Refusal>),
}

object! {
    /// Requirements that an order must fulfil before it is submitted.
    Requirements {
        /// `fields`: what must be registered, as an object of any form. Sinch publishes no rule of any region, and asks
        /// to parse all of it.
        fields: Option<Object> = "fields",
        /// `attachments` beside `fields`, where Sinch's schema has them. [`Requirements::attachments`] has all.
        attachments_beside: Vec<RequiredAttachment> = "attachments",
    }
}

object! {
    /// Document that an order requires.
    RequiredAttachment {
        /// `id`, by which the document is uploaded.
        id: Property<'_> = "id",
        /// `title`, for people.
        title: Property<'_> = "title",
        /// `description`, for people.
        description: Property<'_> = "description",
        /// `mandatory`: only what is mandatory must be uploaded.
        mandatory: Option<bool> = "mandatory",
        /// `template`: files to be filled in.
        templates: Vec<Template> = "template",
        /// `allowedMimeTypes`; an empty list restricts nothing. A type can occur twice.
        allowed_mime_types: Vec<String> = "allowedMimeTypes",
        /// `allowedDocumentTypes`; if there are any, the upload's document type must be one of them.
        allowed_document_types: Vec<String> = "allowedDocumentTypes",
    }
}

object! {
    /// File to be filled in.
    Template {
        /// `name` of the file.
        name: Property<'_> = "name",
        /// `url` of the file. Sinch does not say if it can be fetched without a token.
        url: Property<'_> = "url",
    }
}

impl Requirements {
    /// Returns the required documents: those beside `fields`, where Sinch's schema has them, and those inside, where
    /// its only example has them. One that stands in both places comes once.
    pub fn attachments(&self) -> Vec<RequiredAttachment> {
        let inside = self.fields().map(Requirements::from);
        let inside = inside.map(|fields| fields.attachments_beside());
        let mut all = self.attachments_beside();
        for attachment in inside.unwrap_or_default() {
            let has_its_id = |other: &RequiredAttachment| {
                attachment.id().text().is_some() && other.id() == attachment.id()
            };
            if !all.iter().any(has_its_id) {
                all.push(attachment);
            }
        }
        all
    }
}

impl Client {
    /// Looks up what an order of numbers of this region and type requires:
    /// `POST /numberOrders:lookupNumberRequirements`. It changes nothing.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it, and no 404 that speaks of requirements. Sinch documents 400
    /// and 500.
    pub async fn look_up_requirements(
        &self,
        region_code: &str,
        number_type: &NumberType,
    ) -> Result<Lookup, CallError> {
        let body = json!({ "regionCode": region_code, "numberType": number_type });
        let request = Request::post(&["numberOrders:lookupNumberRequirements"]).json(&body);
        match self.call(Call::LookUpRequirements, request).await {
            Ok(answer) => Ok(Lookup::Requirements(answer)),
            Err(error) => nothing_required(error).map(Lookup::NothingRequired),
        }
    }
}

/// Returns the refusal that says that nothing is required, or the error as it is.
fn nothing_required(error: CallError) -> Result<Box<Refusal>, CallError> {
    let is_not_found = error.request.failure == Failure::NotFound;
    match error.refusal {
        Some(refusal) if is_not_found && refusal.is_about_requirements() => Ok(refusal),
        refusal => Err(CallError { refusal, ..error }),
    }
}
