//! Judgement of what Sinch says: what of it is believed, and what it means for the service.
//!
//! The client ([`sinch_numbers`]) says what Sinch said. An answer confirms an order's state, so it is believed only if it
//! can be nothing else than Sinch's own answer about this very order. A callback is never refused for what it says: one
//! that cannot be understood is kept, with the reason.

pub mod callback;
mod details;
mod failure;
mod number;
mod secret;
mod snapshot;

pub use details::ordered_links;
pub use failure::FetchError;
pub use number::links;
pub use secret::{compare_secrets, fetch_secret};

use number_order::{Answer, Endpoint, Id, Link};
use sinch_numbers::api::{Client, PhoneNumber};

/// Maximum size of an answer of Sinch that is read, in bytes. It is more than any order needs: a hundred numbers take
/// less than a tenth of it.
pub const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// Fetches an order of the client's project.
///
/// # Errors
///
/// Fails if there is no answer, or none that is believed: see [`FetchError`].
pub async fn fetch_order(client: &Client, order: &Id) -> Result<Answer, FetchError> {
    let project = client.project();
    match client.get_order(order).await {
        Ok(answer) => snapshot::believed(&answer, project, order)
            .map(Answer::Found)
            .map_err(|flaw| FetchError::not_believed(Endpoint::Orders, flaw)),
        Err(error) => failure::meaning(error, Endpoint::Orders, project).map(|()| Answer::NotFound),
    }
}

/// Fetches the links of a number of the client's project; `None` if Sinch does not show the number as active.
///
/// # Errors
///
/// Fails if there is no answer, or none that is believed: see [`FetchError`].
pub async fn fetch_number(
    client: &Client,
    number: &PhoneNumber,
) -> Result<Option<Vec<Link>>, FetchError> {
    let project = client.project();
    match client.get_active_number(number).await {
        Ok(answer) => number::believed(&answer.content, project, number)
            .map(Some)
            .map_err(|flaw| FetchError::not_believed(Endpoint::Numbers, flaw)),
        Err(error) => failure::meaning(error.request, Endpoint::Numbers, project).map(|()| None),
    }
}
