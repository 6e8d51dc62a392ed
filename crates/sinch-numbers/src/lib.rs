//! Sinch, the sender, and nothing else: its callbacks, their signatures, and fetches of orders.

pub mod api;
pub mod callback;
mod fields;
pub mod signature;
mod time;
