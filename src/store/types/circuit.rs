//! Circuits of projects.

use number_order::{NoAnswer, Time};

/// A project's circuit, which keeps fetches back while it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Number of the project's attempts in a row that failed through the provider.
    pub failures: u32,
    /// Time until which the circuit is open, and the reason; `None` if the circuit is closed.
    pub paused: Option<(Time, NoAnswer)>,
    /// Time at which the circuit opened; `None` if it is closed.
    pub paused_since: Option<Time>,
}
