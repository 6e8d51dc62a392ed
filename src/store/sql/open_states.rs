//! Open states, as SQL texts name them. They come from the one list of states, so that none is left out when one is
//! added.

use number_order::State;

/// Returns the states that are not final, as the values of an `IN (…)`.
pub(in crate::store) fn open_states() -> String {
    let open = State::ALL.into_iter().filter(|state| !state.is_final());
    let words: Vec<String> = open.map(|state| format!("'{state}'")).collect();
    words.join(", ")
}
