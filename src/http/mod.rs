//! Sockets in: the callback listener for Sinch, and the operators' listener.

pub mod callbacks;
pub mod door;
mod foreign;
mod line;
pub mod operators;
pub mod problem;
mod rest;
pub mod serve;
pub mod source;
