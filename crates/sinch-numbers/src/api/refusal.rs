//! Bodies of Sinch's refusals: three shapes, read as one.
//!
//! `{"error": {code, message, status, details}}` is this API's, `{"error": "text"}` that of a gateway of Sinch, and
//! `{type, title, detail}` that of Sinch's registry of errors. A body is a hint: the HTTP status decides.

use super::object::object;
use crate::Property;

object! {
    /// Body with which a request was refused: an object of any shape, whose message, details and violations are read
    /// wherever they stand.
    ///
    /// Its texts can repeat what was sent, so they are for the sender of the request and for no log.
    Refusal {
        /// `error` of the refusal: an object, read by [`Refusal::error`], or a text.
        error_property: Property<'_> = "error",
        /// `error` of the refusal, if it is an object.
        error: Option<ErrorBody> = "error",
        /// Address of the error in Sinch's registry: `type`.
        registry_type: Property<'_> = "type",
        /// Name of the error in Sinch's registry: `title`.
        title: Property<'_> = "title",
        /// Sentence about the error, in the shape of Sinch's registry: `detail`.
        detail: Property<'_> = "detail",
    }
}

object! {
    /// The object `error` of a refusal.
    ErrorBody {
        /// HTTP status of the refusal: `code`.
        code: Option<u32> = "code",
        /// Sinch's sentence about the error: `message`, often absent.
        message: Property<'_> = "message",
        /// Kind of the error: `status`, which is `INVALID_ARGUMENT`, `NOT_FOUND`, `PERMISSION_DENIED` or another word.
        status: Property<'_> = "status",
        /// Resources and fields that the refusal is about: `details`.
        details: Vec<ErrorDetail> = "details",
    }
}

object! {
    /// Detail of a refusal: about a resource, or about fields of the request.
    ErrorDetail {
        /// Kind of the detail: `type`, which is `ResourceInfo`, `BadRequest` or another word.
        detail_type: Property<'_> = "type",
        /// Kind of the resource: `resourceType`, which is `AvailableNumber`, `ActiveNumber`, `NumberProduct` or another
        /// word.
        resource_type: Property<'_> = "resourceType",
        /// Name of the resource: `resourceName`, a telephone number, for instance.
        resource_name: Property<'_> = "resourceName",
        /// Owner of the resource: `owner`, mostly empty.
        owner: Property<'_> = "owner",
        /// Sentence about the resource: `description`, mostly the message again.
        description: Property<'_> = "description",
        /// Fields that Sinch does not accept, with reasons: `fieldViolations`.
        field_violations: Vec<FieldViolation> = "fieldViolations",
    }
}

object! {
    /// Field of a request that Sinch does not accept.
    FieldViolation {
        /// Place of the field: `field`. Sinch does not publish how it names a place in the request.
        field: Property<'_> = "field",
        /// Reason for which Sinch does not accept the field: `description`, which can repeat the field's value.
        description: Property<'_> = "description",
    }
}

impl Refusal {
    /// Returns Sinch's word for the kind of the error: `status` of `error`, or else the address in the registry.
    pub fn kind(&self) -> Option<String> {
        let status = self.error().and_then(|error| text_of(&error.status()));
        status.or_else(|| text_of(&self.registry_type()))
    }

    /// Returns Sinch's sentence about the error, from whichever place has one.
    pub fn message(&self) -> Option<String> {
        let of_error = self.error().and_then(|error| text_of(&error.message()));
        let described = || {
            self.details()
                .iter()
                .find_map(|detail| text_of(&detail.description()))
        };
        of_error
            .or_else(|| text_of(&self.error_property()))
            .or_else(|| text_of(&self.detail()))
            .or_else(|| text_of(&self.title()))
            .or_else(described)
    }

    /// Returns the details that `error` of the refusal gives.
    pub fn details(&self) -> Vec<ErrorDetail> {
        self.error()
            .map(|error| error.details())
            .unwrap_or_default()
    }

    /// Returns the fields of the request that Sinch does not accept, of all details.
    pub fn violations(&self) -> Vec<FieldViolation> {
        let details = self.details();
        details
            .iter()
            .flat_map(|detail| detail.field_violations())
            .collect()
    }

    /// Returns `true` if a detail says that the requirements of a number are what was not found: nothing is required.
    pub(super) fn is_about_requirements(&self) -> bool {
        let is_it =
            |detail: &ErrorDetail| detail.resource_name().text() == Some("numberRequirements");
        self.details().iter().any(is_it)
    }
}

fn text_of(property: &Property<'_>) -> Option<String> {
    property.text().map(str::to_owned)
}
