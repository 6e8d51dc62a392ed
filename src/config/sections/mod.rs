//! The sections of the configuration, one file each. A section's file has all there is about its keys: what they mean
//! to operators, their defaults and bounds, and the value that the rest of the program takes.

mod callbacks;
mod database;
#[cfg(feature = "postgres")]
mod database_url;
pub mod deadlines;
mod log;
mod operators;
mod projects;
mod retention;
mod sinch;
mod targets;
mod tokens;
mod worker;

pub use callbacks::Callbacks;
pub use database::{Database, DatabasePlace};
#[cfg(feature = "postgres")]
pub use database_url::DatabaseUrl;
pub use log::{Log, LogFormat};
pub use operators::Operators;
pub use projects::{Api, Auth, Credentials, Project, ProjectAccess, SecretsPlace, Signature};
pub use retention::Retention;
pub use sinch::Sinch;
pub use targets::{Destination, Target};
pub use tokens::{OPERATORS, Scope, Token};
pub use worker::Worker;
