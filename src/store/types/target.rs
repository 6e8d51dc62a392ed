//! Targets: receivers of notifications.

use notifications::Filter;

/// A target, as the store must know it to record what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSettings {
    /// Name of the target, by which it is recognised in the next run.
    pub name: String,
    /// Events that the target is told.
    pub filter: Filter,
}
