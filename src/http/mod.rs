//! Incoming connections: the callback listener for Sinch, and the operators' listener.

pub mod admission;
pub mod callbacks;
pub mod connection_limits;
mod lingering_stream;
mod near_miss;
pub mod operators;
pub mod problem;
mod protocol_error;
mod refused_request;
pub mod server;
pub mod source;
mod unread_body;
