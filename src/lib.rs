//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! In reading order:
//!
//! - [`order`]: what an order is, and what news means for it. Pure.
//! - [`sinch`]: the sender: callbacks, signatures, the Number Order API.
//! - [`store`]: the database: the inbox, the orders, the one writer.
//! - [`http`]: sockets in: callbacks, and the operators' questions.
//! - [`worker`]: carries the work: looks at news, asks Sinch.
//! - [`vitals`], [`clock`]: what the running service knows of itself, and the time.

#![warn(missing_docs)]

pub mod clock;
pub mod http;
pub mod order;
pub mod sinch;
pub mod store;
pub mod vitals;
pub mod worker;
