//! The calls of the API, and what a failure of each means for sending it again.

use std::fmt;

use super::error::{Endpoint, Failure, RequestError};

/// A call of the Number Order API, or of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Looks up requirements: `POST /numberOrders:lookupNumberRequirements`.
    LookUpRequirements,
    /// Creates an order: `POST /numberOrders:createNumberOrder`.
    CreateOrder,
    /// Fetches an order: `GET /numberOrders/{numberOrderId}`.
    GetOrder,
    /// Registers the data that an order requires: `PUT /numberOrders/{numberOrderId}/registration`.
    PutRegistration,
    /// Fetches what was registered for an order: `GET /numberOrders/{numberOrderId}/registration`.
    GetRegistration,
    /// Uploads a document: `POST /numberOrders/{numberOrderId}/attachments/{attachmentId}`.
    UploadAttachment,
    /// Submits an order for review: `POST /numberOrders/{numberOrderId}/submit`.
    SubmitOrder,
    /// Lists the regions of numbers: `GET /availableRegions`.
    ListRegions,
    /// Searches numbers that can be had: `GET /availableNumbers`.
    SearchAvailableNumbers,
    /// Finds out if a number can be had: `GET /availableNumbers/{phoneNumber}`.
    GetAvailableNumber,
    /// Rents a number: `POST /availableNumbers/{phoneNumber}:rent`.
    RentNumber,
    /// Rents any number of a region and type: `POST /availableNumbers:rentAny`.
    RentAnyNumber,
    /// Lists a page of the project's numbers: `GET /activeNumbers`.
    ListActiveNumbers,
    /// Fetches a number of the project: `GET /activeNumbers/{phoneNumber}`.
    GetActiveNumber,
    /// Changes a number of the project: `PATCH /activeNumbers/{phoneNumber}`.
    UpdateActiveNumber,
    /// Releases a number of the project: `POST /activeNumbers/{phoneNumber}:release`.
    ReleaseActiveNumber,
    /// Fetches the secret for callbacks: `GET /callbackConfiguration`.
    GetCallbackConfiguration,
    /// Changes the secret for callbacks: `PATCH /callbackConfiguration`.
    UpdateCallbackConfiguration,
}

/// Consequence of a call's failure for sending the same request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The request may be sent again: it did not take effect, or a second effect changes nothing.
    Allowed,
    /// The request was refused and would be again, until it or something that it needs has changed.
    Forbidden,
    /// The request may have taken effect. To send it again could do the same thing twice.
    FindOutFirst,
}

/// Effect of a call at Sinch.
#[derive(PartialEq, Eq)]
enum Effect {
    /// The call has none: it only reads.
    None,
    /// The effect is the same after one request as after several.
    Same,
    /// Each request has another effect, or one that Sinch does not describe.
    Another,
}

impl Call {
    /// Returns what a failure means for sending the same request again.
    ///
    /// The status decides, since bodies of errors are hints. A request that takes effect and whose answer is lost, late
    /// or a server's failure has an unknown outcome: Sinch has no key by which it recognises a repetition. A failure of
    /// the token endpoint, or a connection that was never made, left the API without a request.
    pub fn repeat(self, error: &RequestError) -> Repeat {
        let lost = match (self.effect(), error.endpoint) {
            (Effect::None | Effect::Same, _) | (_, Endpoint::Token) => Repeat::Allowed,
            (Effect::Another, Endpoint::Api) => Repeat::FindOutFirst,
        };
        match (&error.failure, error.endpoint) {
            (Failure::Unreachable { .. }, _) => Repeat::Allowed,
            // A number that was ordered becomes active some time later.
            (Failure::NotFound, _) if self == Call::GetActiveNumber => Repeat::Allowed,
            (Failure::NotFound, _) => Repeat::Forbidden,
            (Failure::TimedOut | Failure::BrokenOff { .. }, _) => lost,
            (Failure::Status { status, .. } | Failure::Unreadable { status, .. }, _) => {
                match status {
                    // The answer of a server that did not receive a whole request, of one that is asked too often, of
                    // one that failed, and an answer that says success and cannot be read.
                    408 | 429 | 500.. | ..300 => lost,
                    _ => Repeat::Forbidden,
                }
            }
        }
    }

    fn effect(self) -> Effect {
        match self {
            Call::LookUpRequirements
            | Call::GetOrder
            | Call::GetRegistration
            | Call::ListRegions
            | Call::SearchAvailableNumbers
            | Call::GetAvailableNumber
            | Call::ListActiveNumbers
            | Call::GetActiveNumber
            | Call::GetCallbackConfiguration => Effect::None,
            // What a second upload with the same id does is not documented; the registration shows it.
            Call::PutRegistration | Call::UploadAttachment => Effect::Same,
            Call::CreateOrder
            | Call::SubmitOrder
            | Call::RentNumber
            | Call::RentAnyNumber
            | Call::UpdateActiveNumber
            | Call::ReleaseActiveNumber
            | Call::UpdateCallbackConfiguration => Effect::Another,
        }
    }
}

/// Shows the call as a task: "create the order".
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::LookUpRequirements => "look up the requirements",
            Call::CreateOrder => "create the order",
            Call::GetOrder => "fetch the order",
            Call::PutRegistration => "register the order",
            Call::GetRegistration => "fetch the registration",
            Call::UploadAttachment => "upload the attachment",
            Call::SubmitOrder => "submit the order",
            Call::ListRegions => "list the regions",
            Call::SearchAvailableNumbers => "search available numbers",
            Call::GetAvailableNumber => "find out if the number is available",
            Call::RentNumber => "rent the number",
            Call::RentAnyNumber => "rent a number",
            Call::ListActiveNumbers => "list the active numbers",
            Call::GetActiveNumber => "fetch the active number",
            Call::UpdateActiveNumber => "update the active number",
            Call::ReleaseActiveNumber => "release the number",
            Call::GetCallbackConfiguration => "fetch the callback configuration",
            Call::UpdateCallbackConfiguration => "change the callback secret",
        })
    }
}
