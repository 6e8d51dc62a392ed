//! A target of many moods: it takes most of what it is told, and else does what networks and programs do.

use std::sync::{Mutex, PoisonError};

use fastrand::Rng;

use super::{Reply, Then, Told};

/// Returns a script by which a target fails at random: at the given share of the requests it answers 500 or 503, hangs,
/// breaks off or resets the connection, before it has taken what it was told or after.
pub fn moody(seed: u64, share: f64) -> impl Fn(&Told, usize) -> Reply + Send + Sync + 'static {
    let random = Mutex::new(Rng::with_seed(seed));
    move |_, _| {
        let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
        if random.f64() >= share {
            return Reply::status(204);
        }
        match random.u32(..10) {
            0..3 => Reply::status(500),
            3 => Reply::with(503, "Retry-After: 0\r\n", "busy"),
            4 => Reply::raw("", Then::Hang),
            5 => Reply::raw("", Then::Close),
            6 => Reply::raw("", Then::Reset),
            // It has taken it, and the service does not hear of it.
            7 => Reply::raw("HTTP/1.1 2", Then::Hang),
            8 => Reply::raw("HTTP/1.1 2", Then::Reset),
            _ => Reply::raw("HTTP/1.1 204 X\r\nConten", Then::Close),
        }
    }
}
