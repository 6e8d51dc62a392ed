//! States as SQL texts name them: from the one list of them, so that none is left out when one is added.

use crate::order::State;

/// Those of all states that are wanted, as the values of an `IN (…)`.
pub(super) fn states(wanted: impl Fn(&State) -> bool) -> String {
    let words = State::ALL.into_iter().filter(wanted);
    let words: Vec<String> = words.map(|state| format!("'{state}'")).collect();
    words.join(", ")
}

/// The states that are not final.
pub(super) fn open_states() -> String {
    states(|state| !state.is_final())
}
