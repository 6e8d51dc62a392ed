//! Throttle for the log: a repeated line is written now and then, with the number of lines that were left out.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum number of keys that a throttle keeps apart at the same time. All further keys share one.
const KEYS_MAX: usize = 64;

/// Time without a written line after which a key can be replaced by another one.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// Decides which of many similar lines are written: for each key the first at once, then one per span.
#[derive(Debug)]
pub struct Throttle<K> {
    every: Duration,
    /// Last written line of each key. `None` is the key that all those share for which there is no room.
    written: Mutex<HashMap<Option<K>, Written>>,
}

/// Last line of a key that was written: its time, and the lines that were left out since.
#[derive(Debug)]
struct Written {
    at: Instant,
    /// Number of the key's lines that were left out since the last written one.
    left_out: u64,
}

impl<K: Eq + Hash> Throttle<K> {
    /// Returns a throttle that lets one line per span pass for each key.
    pub fn new(every: Duration) -> Throttle<K> {
        Throttle {
            every,
            written: Mutex::default(),
        }
    }

    /// Returns `None` if a line with this key must be left out; otherwise the number of lines with the key that were
    /// left out since the last one that was written.
    pub fn pass(&self, key: K, now: Instant) -> Option<u64> {
        // A panic elsewhere cannot leave the map half written.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(key);
        if !written.contains_key(&key) && written.len() >= KEYS_MAX {
            written.retain(|_, last| now.saturating_duration_since(last.at) < FORGET_AFTER);
            if written.len() >= KEYS_MAX {
                key = None;
            }
        }
        let Some(last) = written.get_mut(&key) else {
            let first = Written {
                at: now,
                left_out: 0,
            };
            written.insert(key, first);
            return Some(0);
        };
        if now.saturating_duration_since(last.at) < self.every {
            last.left_out += 1;
            return None;
        }
        last.at = now;
        Some(std::mem::take(&mut last.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_first_passes_at_once_and_the_next_says_what_was_left_out() {
        let (throttle, began) = (Throttle::new(SECOND), Instant::now());
        let pass = |key, ms| throttle.pass(key, began + Duration::from_millis(ms));
        assert_eq!(pass("noisy", 0), Some(0));
        for ms in 1..=338 {
            assert_eq!(pass("noisy", ms), None);
        }
        assert_eq!(pass("quiet", 339), Some(0), "another key is not held up");
        assert_eq!(pass("noisy", 1000), Some(338));
        assert_eq!(pass("noisy", 1999), None);
        assert_eq!(pass("noisy", 2000), Some(1));
        assert_eq!(pass("quiet", 90_000), Some(0));
    }

    #[test]
    fn however_many_keys_there_are_its_memory_is_bounded() {
        let (throttle, began) = (Throttle::new(SECOND), Instant::now());
        let passed = (0..100_000).filter(|key| throttle.pass(*key, began).is_some());
        assert_eq!(passed.count(), KEYS_MAX + 1);
        let held = || throttle.written.lock().expect("nobody panics").len();
        assert_eq!(held(), KEYS_MAX + 1);
        let shared = throttle.pass(100_000, began + SECOND);
        assert_eq!(shared, Some(100_000 - KEYS_MAX as u64 - 1));
        // A key without lines makes room for another one.
        let later = began + FORGET_AFTER * 2;
        assert_eq!(throttle.pass(1, later), Some(0));
        assert_eq!(throttle.pass(100_001, later), Some(0));
        assert!(held() <= 3, "{}", held());
    }
}
