//! The store: where deliveries and orders are kept, and the only module that names sqlx.
//!
//! SQLite's backend is in [`sqlite`]; everything else speaks of orders and deliveries, and of no database.

pub(crate) mod sqlite;

pub use sqlite::*;
