//! Output of a bench: figures for people and for programs, and the result of its requirements.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Outcome;

/// Runs a bench and makes its exit code: success if `measure` returns that all requirements hold. Without the flag that
/// `cargo bench` sets, as when all targets are tested, it does nothing.
pub fn run(bench: &str, has_flag: bool, measure: impl FnOnce() -> Outcome<bool>) -> ExitCode {
    if !has_flag {
        println!("run it with cargo bench");
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{bench}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Requirements of a bench, and for each `true` if it holds.
#[derive(Default)]
pub struct Requirements(Vec<(String, bool)>);

impl Requirements {
    /// Adds a requirement of the bench.
    pub fn add(&mut self, what: impl Into<String>, holds: bool) {
        self.0.push((what.into(), holds));
    }

    /// Prints the result of each requirement of the bench. Returns `true` if all hold, or if the run was too short to
    /// judge.
    pub fn judge(&self, quick: bool) -> bool {
        println!();
        for (what, holds) in &self.0 {
            let decision = if *holds { "holds" } else { "DOES NOT HOLD" };
            println!("{what}: {decision}");
        }
        if quick {
            println!("a quick run: figures are not judged by it");
        }
        println!();
        quick || self.0.iter().all(|(_, holds)| *holds)
    }
}

/// Makes a bench's line for programs: its name, and its figures.
pub fn line<const N: usize>(bench: &str, figures: [(&str, Value); N]) -> Value {
    let mut line = Map::from_iter([("bench".to_owned(), Value::from(bench))]);
    line.extend(figures.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(line)
}

/// Returns the median of the values; of two middle ones, the higher.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

/// Converts a span of time to milliseconds, with their fraction.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Rounds a figure to the digits that mean something: further ones are noise.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_one_of_the_values() {
        for (values, expected) in [
            (&[3.0, 1.0, 2.0][..], 2.0),
            (&[4.0, 1.0, 3.0, 2.0], 3.0),
            (&[5.0], 5.0),
        ] {
            let found = median(values.iter().copied());
            assert!((found - expected).abs() < 1e-9, "{values:?}: {found}");
        }
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_requirement_that_does_not_hold_fails_a_full_run() {
        let mut required = Requirements::default();
        required.add("holds", true);
        assert!(required.judge(false));
        required.add("does not", false);
        assert!(!required.judge(false));
        assert!(required.judge(true));
    }
}
