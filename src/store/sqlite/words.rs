//! States as SQL texts name them. They come from the one list of states, so that none is left out when one is added.

use number_order::State;

/// Returns the wanted states, as the values of an `IN (…)`.
pub(super) fn states(wanted: impl Fn(&State) -> bool) -> String {
    let words = State::ALL.into_iter().filter(wanted);
    let words: Vec<String> = words.map(|state| format!("'{state}'")).collect();
    words.join(", ")
}

/// Returns the states that are not final.
pub(super) fn open_states() -> String {
    states(|state| !state.is_final())
}
