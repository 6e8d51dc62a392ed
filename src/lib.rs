//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! In reading order, from the pure rules to the edges:
//!
//! - [`order`]: an order, and the meaning of events and answers for it. Pure.
//! - [`sinch`]: the sender: callbacks, signatures, the Number Order API.
//! - [`store`]: the database: the inbox, the orders, the one writer.
//! - [`worker`]: the background work: processes pending deliveries, fetches orders, raises alerts, prunes.
//! - [`http`]: the listeners: callbacks, and the operators' API.
//! - [`metrics`], [`clock`], [`exposure`]: counts and heartbeats of the running service, the time, and files that too
//!   many users can read.
//! - [`redact`]: the limits on the content of the log, and on its rate.
//! - [`config`], [`telemetry`]: the operator's settings, checked once; the log.
//! - [`app`]: the service as a value: opens, binds, spawns, stops.
//! - [`simulator`]: plays Sinch on this machine, both sides, with faults by seed.
//! - [`commands`]: the commands of the program's command line.

#![warn(missing_docs)]
// Only commands::output writes to people.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod clock;
pub mod commands;
pub mod config;
pub mod exposure;
pub mod http;
pub mod metrics;
pub mod order;
pub mod redact;
pub mod simulator;
pub mod sinch;
pub mod store;
pub mod telemetry;
pub mod worker;
