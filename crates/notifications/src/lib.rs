//! What the service tells other systems, and how: the events, which target wants which, and what is sent.
//!
//! Pure: no input or output, no clock, no randomness. The sender hands in the time and the bytes of an answer.

mod address;
mod answer;
mod event;
mod event_type;
mod filter;
mod format;
mod retry;
mod schema;
mod signature;
#[cfg(test)]
mod tests;

pub use address::{AddressClass, check_address};
pub use answer::{Attempt, Awaited, DeliveryFailure};
pub use event::{Event, EventData, OrderPart, Subject};
pub use event_type::{EventType, TypePattern};
pub use filter::{EventHead, Filter};
pub use format::{Content, Format};
pub use retry::{RetrySchedule, retry_after};
pub use schema::{SCHEMA_VERSION, schema, schemas};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
pub use signature::{KeyError, Scheme, SigningKey, VerifyingKey, sign};
pub use signature::{SignedHeaders, VerifyError, verify};
