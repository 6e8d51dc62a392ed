//! Incoming connections: the callback listener for Sinch, the operators' listener, and a receiver to try
//! notifications.

pub mod admission;
mod callback_checks;
pub mod callbacks;
pub mod connection_limits;
mod delivery;
pub mod examination;
mod lingering_stream;
mod near_miss;
pub mod operators;
pub mod problem;
mod protocol_error;
pub mod quarantine;
pub mod receiver;
mod refused_request;
mod reverify;
pub mod server;
pub mod source;
mod traced;
mod unread_body;
