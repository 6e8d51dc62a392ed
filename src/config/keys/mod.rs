//! Reading of keys: each with its text, its default and its checks in one place, so that what is documented is what is
//! read.

pub mod doc;
pub mod hidden;
mod network;
pub mod reader;
pub mod secrets;
pub mod values;
