//! The fetcher on the network, and its rules in simulated time on a real database.

mod fetching;
mod hostile;
mod outage;
mod recording;
mod refused;
mod simulated;
mod stopping;
mod without_callbacks;
