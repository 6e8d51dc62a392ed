//! The table of bad receivers.

mod addresses;
mod bodies;
mod connections;
mod heads;
mod statuses;

use super::kind::Kind;

/// Returns every kind of receiver, and every answer that is told from others by its status alone.
pub(super) fn all() -> Vec<Kind> {
    let mut kinds = behaviours();
    kinds.extend(statuses::kinds());
    kinds
}

/// Returns the kinds that differ by what they do.
pub(super) fn behaviours() -> Vec<Kind> {
    let mut kinds = connections::kinds();
    kinds.extend(heads::kinds());
    kinds.extend(bodies::kinds());
    kinds.extend(addresses::kinds());
    kinds
}
