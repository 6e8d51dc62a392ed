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

/// Result of a lookup of requirements.
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
        /// Data that must be registered: `fields`, an object of any form. Sinch publishes no rule of any region, and
        /// asks to parse all of it.
        fields: Option<Object> = "fields",
        /// Required documents, where Sinch's schema has them: `attachments`, beside `fields`.
        /// [`Requirements::attachments`] also returns those that stand inside `fields`.
        attachments_beside: Vec<RequiredAttachment> = "attachments",
    }
}

object! {
    /// Document that an order requires.
    RequiredAttachment {
        /// Id of the document, by which it is uploaded: `id`.
        id: Property<'_> = "id",
        /// Title of the document, for people: `title`.
        title: Property<'_> = "title",
        /// Description of the document, for people: `description`.
        description: Property<'_> = "description",
        /// `true` if the document must be uploaded: `mandatory`.
        mandatory: Option<bool> = "mandatory",
        /// Files to be filled in for the document: `template`.
        templates: Vec<Template> = "template",
        /// Media types that the document's file may have: `allowedMimeTypes`; an empty list restricts nothing. A type
        /// can occur twice.
        allowed_mime_types: Vec<String> = "allowedMimeTypes",
        /// Types that the document may have: `allowedDocumentTypes`; if there are any, the upload's must be one of
        /// them.
        allowed_document_types: Vec<String> = "allowedDocumentTypes",
    }
}

object! {
    /// File to be filled in for a document.
    Template {
        /// Name of the file to be filled in: `name`.
        name: Property<'_> = "name",
        /// Address of the file to be filled in: `url`. Sinch does not say if it can be fetched without a token.
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
