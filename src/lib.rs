//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! In reading order:
//!
//! - [`order`]: what an order is, and what news means for it. Pure.
//! - [`sinch`]: the sender: callbacks, signatures, the Number Order API.
//! - [`simulator`]: plays Sinch on this machine, both sides, with faults by seed.

#![warn(missing_docs)]

pub mod order;
pub mod simulator;
pub mod sinch;
