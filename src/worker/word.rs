//! What a failed try says of the whole project: that Sinch is to be left alone, or that the key is refused.
//!
//! Pure. A gateway may say so of one order and answer for all others. So it is believed of that order, and of the
//! project once orders that chance picks are told the same, one after the other and none of them answered. Only the
//! token endpoint, which is asked for no single order, is believed at once.

use std::time::Duration;

use crate::sinch::api::{AskError, Endpoint, Fault};

/// So many orders have to be told to wait, or be refused, until that is believed of the project.
const TOLD_MIN: u32 = 3;

/// However many orders were told so alone, no more than this have to be.
const TOLD_MAX: u32 = 9;

/// A try without a usable answer.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// In words.
    pub reason: String,
    /// How long Sinch asks to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the access key was refused.
    pub refused: bool,
    /// Whether its kind is that of a single order's.
    pub of_order: bool,
    /// Whether it came of no question about an order, but of the request for a token.
    pub of_token: bool,
}

impl Trouble {
    /// Sinch knows none of so many orders, and has never shown one of the project.
    pub fn none_known(orders: usize) -> Trouble {
        Trouble {
            reason: format!(
                "none of {orders} orders asked about is known at this api_url and project (404): check \
                 sinch.api_url and the project's id"
            ),
            retry_after: None,
            refused: false,
            of_order: false,
            of_token: false,
        }
    }

    /// Whether it speaks of the whole project: Sinch asks to be left alone, or refuses the key.
    pub fn of_project(&self) -> bool {
        self.refused || self.retry_after.is_some()
    }

    /// What it says if it is believed at once.
    pub fn says(&self) -> Says {
        if self.of_project() {
            Says::Pause(self.retry_after)
        } else {
            Says::Failure
        }
    }
}

impl From<&AskError> for Trouble {
    fn from(error: &AskError) -> Trouble {
        Trouble {
            reason: error.to_string(),
            retry_after: error.retry_after(),
            refused: error.is_refused(),
            of_order: error.whose() == Fault::Order,
            of_token: error.at() == Endpoint::Token,
        }
    }
}

/// What a failure says of the project, as far as it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// That it is one more failure in a row.
    Failure,
    /// That asking had better pause, since one order is told so again and nobody else is due.
    PauseForOne,
    /// That asking is to pause, for as long as Sinch asks for, if it does.
    Pause(Option<Duration>),
}

/// What orders were told of the project since the last answer.
#[derive(Debug, Default)]
pub(super) struct Word {
    /// Some order was.
    doubted: bool,
    /// How many were, one after the other.
    told: u32,
    /// How long all of these are to wait; `None`: one of them is not told for how long.
    wait: Option<Duration>,
}

impl Word {
    /// Whether it is to be found out if others are told the same.
    pub fn doubted(&self) -> bool {
        self.doubted
    }

    /// An order is told so, which was not known to fail. `alone`: how many orders were told so while others were
    /// answered. For each of them one more has to be told, so that many such orders do not stand for all.
    pub fn told(&mut self, wait: Option<Duration>, alone: u32) -> Says {
        let needed = (TOLD_MIN + alone).min(TOLD_MAX);
        self.doubted = true;
        self.told += 1;
        if self.told > needed {
            return Says::Pause(wait);
        }
        self.wait = if self.told == 1 {
            wait
        } else {
            self.wait.zip(wait).map(|(all, this)| all.min(this))
        };
        if self.told == needed {
            Says::Pause(self.wait)
        } else {
            Says::Failure
        }
    }

    /// An order failed and was told nothing of the project.
    pub fn not_told(&mut self) {
        self.told = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn three_in_a_row_are_believed_for_as_long_as_all_of_them_say() {
        for (waits, pause) in [
            ([secs(30), secs(30), secs(30)], secs(30)),
            ([secs(3600), secs(2), secs(900)], secs(2)),
            ([None, secs(3600), secs(3600)], None),
            ([None, None, None], None),
        ] {
            let mut word = Word::default();
            assert_eq!(word.told(waits[0], 0), Says::Failure);
            assert!(word.doubted());
            assert_eq!(word.told(waits[1], 0), Says::Failure);
            assert_eq!(word.told(waits[2], 0), Says::Pause(pause), "{waits:?}");
            assert_eq!(word.told(secs(500), 0), Says::Pause(secs(500)));
        }
    }

    #[test]
    fn another_failure_between_them_begins_the_count_anew_but_ends_no_doubt() {
        let mut word = Word::default();
        for n in 0..20 {
            assert_eq!(word.told(secs(3600), 0), Says::Failure, "{n}");
            if n % 2 == 1 {
                word.not_told();
            }
            assert!(word.doubted());
        }
    }

    #[test]
    fn the_more_were_told_so_alone_the_more_have_to_be() {
        for (alone, needed) in [(0, 3), (1, 4), (6, 9), (7, 9), (256, 9)] {
            let mut word = Word::default();
            let says: Vec<Says> = (0..needed).map(|_| word.told(None, alone)).collect();
            let (last, before) = says.split_last().expect("some");
            assert!(before.iter().all(|says| *says == Says::Failure), "{alone}");
            assert_eq!(*last, Says::Pause(None), "{alone}");
        }
    }
}
