//! Receives Sinch's number-order callbacks and keeps the true state of every order.
//!
//! Below it lie three crates: [`number_order`], the pure rules; [`sinch_numbers`], what Sinch's callbacks and API say, and
//! the signatures; [`sinch_simulator`], which plays Sinch on this machine. In reading order, from the database to the edges:
//!
//! - [`store`]: the database: the inbox, the orders, the one writer.
//! - [`sinch`]: what of Sinch's words is believed, and what they mean here.
//! - [`worker`]: the background work: processes pending deliveries, fetches orders, raises alerts, prunes.
//! - [`http`]: the listeners: callbacks, and the operators' API.
//! - [`metrics`], [`clock`], [`exposure`]: counts and heartbeats of the running service, the time, and files that too
//!   many users can read.
//! - [`files`]: files that people name, read up to a limit.
//! - [`explain`]: codes as the operators' API sends them.
//! - [`redact`]: the limits on the content of the log, and on its rate.
//! - [`traces`]: spans of OpenTelemetry, with the feature `otel`.
//! - [`config`], [`telemetry`]: the operator's settings, checked once; the log.
//! - [`app`]: the service as a value: opens, binds, spawns, stops.
//! - [`commands`]: the commands of the program's command line.

// Only commands::output writes to standard output and standard error.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod clock;
pub mod commands;
pub mod config;
pub mod explain;
pub mod exposure;
pub mod files;
pub mod http;
pub mod metrics;
pub mod redact;
pub mod sinch;
pub mod store;
pub mod telemetry;
pub mod traces;
pub mod worker;
