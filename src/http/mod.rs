//! Incoming connections: the callback listener for Sinch, and the operators' listener.

pub mod callbacks;
pub mod door;
mod foreign;
mod line;
mod nearly;
pub mod operators;
pub mod places;
pub mod problem;
mod refused;
mod rest;
pub mod serve;
pub mod source;
