//! Sinch, the sender, and nothing else: what its callbacks say, how it signs them, and how to ask it
//! for an order.

pub mod api;
pub mod callback;
mod fields;
pub mod signature;
mod time;
