//! The configuration as it was written: one tree of the file's values with the variables over them, in which every
//! value has its place.

pub mod env;
pub mod key;
pub mod node;
pub mod tree;
