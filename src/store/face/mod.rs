//! Methods of [`Store`](super::Store), by what they are about. Each hands its call on to the backend.

mod actions;
mod alerts;
mod copy;
mod deliveries;
mod fetches;
mod notifications;
mod orders;
mod parked;
mod placements;
mod projects;
mod quarantine;
mod queries;
mod retention;
