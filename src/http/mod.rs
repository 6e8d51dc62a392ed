//! Sockets in: the callback listener for Sinch, and the operators' listener.

pub mod callbacks;
pub mod operators;
pub mod problem;
pub mod serve;
pub mod source;
