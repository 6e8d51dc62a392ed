//! Sinch's Numbers API as a client sees it: each call of the Number Order API and its neighbours, the callbacks, and
//! their signatures.
//!
//! The client says what Sinch said, all of it, and judges none of it: a property is given as it stands, absent and
//! unreadable ones included, and a failure is told apart by its kind. The caller decides what of it is believed, and
//! what is done about a failure.

pub mod api;
pub mod callback;
mod properties;
mod property;
pub mod signature;
mod time;

pub use property::{Property, Unreadable};

/// Id of a project or an order: the one name that this crate takes from the rules, so that an id is checked only once.
pub use number_order::Id;
