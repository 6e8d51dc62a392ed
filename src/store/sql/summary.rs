//! Figures of the summary that are computed from what a backend has counted.

use crate::store::Convergence;
use number_order::Readiness;
use strum::VariantNames;

/// Returns the counts of every readiness but `ready`, those included that are zero.
pub(in crate::store) fn by_readiness(counted: &[(String, i64)]) -> Vec<(&'static str, i64)> {
    let codes = [&["unknown"], Readiness::VARIANTS].concat();
    let codes = codes.into_iter().filter(|code| *code != "ready");
    let counts = codes.map(|code| {
        let counted = counted.iter().find(|(readiness, _)| readiness == code);
        (code, counted.map_or(0, |(_, numbers)| *numbers))
    });
    counts.collect()
}

/// Returns the convergence of changes that are a JSON array of pairs: 1 if an event had announced the change, and the
/// microseconds until its confirmation.
pub(in crate::store) fn convergence(changes: &str) -> sqlx::Result<Convergence> {
    let changes: Vec<(i64, i64)> =
        serde_json::from_str(changes).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(Convergence::of(&changes))
}
