//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! In reading order:
//!
//! - [`order`]: what an order is, and what news means for it. Pure.
//! - [`sinch`]: the sender: callbacks, signatures, the Number Order API.
//! - [`config`]: what the operator decides, read from a file and the environment, and checked once.

#![warn(missing_docs)]

pub mod config;
pub mod order;
pub mod sinch;
