//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! In reading order, from the pure rules to the edges:
//!
//! - [`order`]: what an order is, and what news means for it. Pure.
//! - [`sinch`]: the sender: callbacks, signatures, the Number Order API.
//! - [`store`]: the database: the inbox, the orders, the one writer.
//! - [`worker`]: carries the work: looks at news, asks Sinch.
//! - [`http`]: sockets in: callbacks, and the operators' questions.
//! - [`vitals`], [`clock`], [`exposure`]: what the running service knows of itself, the time, and files that are
//!   open to too many.
//! - [`logged`]: what the log may say, and how often.
//! - [`config`], [`telemetry`]: what the operator decides, checked once; the log.
//! - [`app`]: the service as a value: opens, binds, spawns, stops.
//! - [`simulator`]: plays Sinch on this machine, both sides, with faults by seed.
//! - [`commands`]: what can be asked of the program on its command line.

#![warn(missing_docs)]
// One place writes to people: commands::output.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod clock;
pub mod commands;
pub mod config;
pub mod exposure;
pub mod http;
pub mod logged;
pub mod order;
pub mod simulator;
pub mod sinch;
pub mod store;
pub mod telemetry;
pub mod vitals;
pub mod worker;
