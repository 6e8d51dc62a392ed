//! The states of a number order, and the legal steps between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A state that Sinch documents for a number order.
///
/// Source: the Number Order API's description of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Reserved: the order must be registered and submitted before its reservation expires.
    Created,
    /// Submitted: Sinch or the carrier examines the registration.
    InReview,
    /// Blocked: something in the order must be corrected. Sinch does not call this state final.
    Blocked,
    /// Final: the order is completed, though its numbers are perhaps not active yet.
    Completed,
    /// Final: the order is refused. The remedy is a new order.
    Rejected,
    /// Final: the order's reservation ran out.
    Expired,
}

impl State {
    /// Every state, in the sequence in which an order usually passes through them.
    pub const ALL: [State; 6] = [
        State::Created,
        State::InReview,
        State::Blocked,
        State::Completed,
        State::Rejected,
        State::Expired,
    ];

    /// Returns Sinch's word for the state.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Created => "CREATED",
            State::InReview => "IN_REVIEW",
            State::Blocked => "BLOCKED",
            State::Completed => "COMPLETED",
            State::Rejected => "REJECTED",
            State::Expired => "EXPIRED",
        }
    }

    /// Returns the state that Sinch's word means; `None` if the word is none of the documented ones.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Returns `true` if Sinch calls the state final.
    pub fn is_final(self) -> bool {
        match self {
            State::Created | State::InReview | State::Blocked => false,
            State::Completed | State::Rejected | State::Expired => true,
        }
    }

    /// Returns `true` if the state `next` may follow this one directly.
    ///
    /// Sinch names CREATED → `IN_REVIEW` and `IN_REVIEW` → BLOCKED or a final state. The other steps are inferred: a
    /// reservation expires unsubmitted, and a blocked order is examined again, refused or left to expire. An event that
    /// skips a step is not taken at its word: a fetch decides.
    pub fn may_become(self, next: State) -> bool {
        match self {
            State::Created => matches!(next, State::InReview | State::Expired),
            State::InReview => matches!(
                next,
                State::Blocked | State::Completed | State::Rejected | State::Expired
            ),
            State::Blocked => matches!(next, State::InReview | State::Rejected | State::Expired),
            State::Completed | State::Rejected | State::Expired => false,
        }
    }

    /// Returns `true` if the state `later` may be reached from this one in one or more steps. Two answers with some
    /// time between them can show such a pair, since the steps between them may have gone unseen.
    pub fn leads_to(self, later: State) -> bool {
        match self {
            // Through BLOCKED and back, IN_REVIEW leads to itself.
            State::Created | State::InReview | State::Blocked => later != State::Created,
            State::Completed | State::Rejected | State::Expired => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state as Sinch writes it: Sinch promises neither a complete list nor an end of new ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// One of the states that Sinch documents.
    Known(State),
    /// Any other word for a state, verbatim. It is kept and shown, and no rule applies it.
    Unknown(String),
}

impl Status {
    /// Returns the status that Sinch's word means. The word itself is kept if it is none of the documented ones.
    pub fn from_word(word: &str) -> Status {
        match State::from_word(word) {
            Some(state) => Status::Known(state),
            None => Status::Unknown(word.to_owned()),
        }
    }

    /// Returns the documented state that the status is, if it is one.
    pub fn known(&self) -> Option<State> {
        match self {
            Status::Known(state) => Some(*state),
            Status::Unknown(_) => None,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Status {
        Status::from_word(&word)
    }
}

impl From<Status> for String {
    fn from(status: Status) -> String {
        match status {
            Status::Known(state) => state.as_str().to_owned(),
            Status::Unknown(word) => word,
        }
    }
}

/// Shows Sinch's word; an unknown one is quoted and escaped, since it is text from outside.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Known(state) => state.fmt(f),
            Status::Unknown(word) => write!(f, "{:?}", word.chars().take(64).collect::<String>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_read_from_its_own_word() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
        }
        assert_eq!(State::from_word("completed"), None);
        assert_eq!(State::from_word("NUMBER_ORDER_STATE_UNSPECIFIED"), None);
    }

    #[test]
    fn leads_to_is_the_closure_of_may_become() {
        for from in State::ALL {
            let mut reached: Vec<State> = State::ALL
                .into_iter()
                .filter(|&to| from.may_become(to))
                .collect();
            for _ in State::ALL {
                for to in State::ALL {
                    if !reached.contains(&to) && reached.iter().any(|step| step.may_become(to)) {
                        reached.push(to);
                    }
                }
            }
            for to in State::ALL {
                assert_eq!(from.leads_to(to), reached.contains(&to), "{from} to {to}");
            }
        }
    }

    #[test]
    fn nothing_follows_a_final_state() {
        for from in State::ALL {
            for to in State::ALL {
                assert!(!(from.is_final() && from.may_become(to)), "{from} to {to}");
            }
        }
    }
}
