//! The Number Order API: one client of a project, and a file for each resource.
//!
//! A call returns an [`Answer`], or a [`RequestError`] that tells what happened and never quotes what was sent or
//! received.

mod body_fault;
mod client;
mod error;
mod key;
mod orders;
#[cfg(test)]
mod tests;
mod token;
mod transport;

pub use body_fault::BodyFault;
pub use client::{Access, Auth, BuildError, Client};
pub use error::{Endpoint, Failure, RequestError};
pub use orders::{Money, NumberOrder, NumberPrice, OrderNumber};
pub use transport::Answer;
