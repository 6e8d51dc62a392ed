//! What a bench says in the end: figures for people and for programs, and whether what is required holds.

#![allow(
    dead_code,
    reason = "several programs share this, and each uses a part"
)]

use std::time::Duration;

use serde_json::{Map, Value};

/// What is required, and whether it was so.
#[derive(Default)]
pub struct Requirements(Vec<(String, bool)>);

impl Requirements {
    /// Notes one.
    pub fn add(&mut self, what: impl Into<String>, holds: bool) {
        self.0.push((what.into(), holds));
    }

    /// Says of each whether it holds. `true`: all do, or the run was too short to judge by.
    pub fn judge(&self, quick: bool) -> bool {
        println!();
        for (what, holds) in &self.0 {
            let verdict = if *holds { "holds" } else { "DOES NOT HOLD" };
            println!("{what}: {verdict}");
        }
        if quick {
            println!("a quick run: figures are not judged by it");
        }
        println!();
        quick || self.0.iter().all(|(_, holds)| *holds)
    }
}

/// A line for programs: the bench, and what else there is to say.
pub fn line<const N: usize>(bench: &str, figures: [(&str, Value); N]) -> Value {
    let mut line = Map::from_iter([("bench".to_owned(), Value::from(bench))]);
    line.extend(figures.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(line)
}

/// The middle one; of two, the higher.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

/// Milliseconds, with their fraction.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Rounded for people and programs: more digits than this are noise.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
