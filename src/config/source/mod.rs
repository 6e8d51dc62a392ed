//! The configuration as it was written: a tree of the values in the file, overridden by environment variables, in which
//! every value has its place.

pub mod env;
pub mod key;
pub mod node;
pub mod tree;
