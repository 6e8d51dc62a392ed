//! Sockets in: the callback listener for Sinch, and the operators' listener.

pub mod callbacks;
mod nearly;
pub mod operators;
pub mod problem;
mod refused;
pub mod serve;
pub mod source;
