//! How many connections each listener may have, so that the process does not run out of open files.

/// Connections beyond the cap of a listener that are told so at once, and strangers' likewise; more are hung up on.
const SENT_AWAY_MAX: usize = 256;

/// Open files that the rest of the program needs, but for its questions to Sinch: the database, the runtime, the log,
/// and one connection more than may be, until it is hung up on.
const REST: usize = 64;

/// The share of what is left that operators have where there is too little for all.
const OPERATORS_SHARE: usize = 4;

/// Connections that a listener may have at once, of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Those that are served.
    pub served: usize,
    /// Those beyond that, which are told so.
    pub turned_away: usize,
    /// Those of strangers, which are told so.
    pub strangers: usize,
}

impl Places {
    fn wanted(connections_max: usize) -> Places {
        Places {
            served: connections_max,
            turned_away: SENT_AWAY_MAX,
            strangers: SENT_AWAY_MAX,
        }
    }

    /// As many as wanted, or fewer: half of `files` for who is served, a quarter each for the others, one at least.
    fn within(self, files: usize) -> Places {
        let few = files / 4;
        Places {
            served: self.served.min(files - few * 2).max(1),
            turned_away: self.turned_away.min(few).max(1),
            strangers: self.strangers.min(few).max(1),
        }
    }

    fn files(self) -> usize {
        self.served + self.turned_away + self.strangers
    }
}

/// The places of both listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Where Sinch calls.
    pub callbacks: Places,
    /// Where operators ask.
    pub operators: Places,
    /// What is short, and what to do about it.
    pub shortage: Option<String>,
}

impl Shares {
    /// Shares out what a limit of open files leaves; `None`: there is none. `asks_max` is how many questions to Sinch
    /// may be under way.
    pub fn new(limit: Option<u64>, connections_max: usize, asks_max: usize) -> Shares {
        let wanted = Places::wanted(connections_max);
        let need = (wanted.files() * 2).saturating_add(REST + asks_max);
        let limit = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        if need <= limit {
            return Shares {
                callbacks: wanted,
                operators: wanted,
                shortage: None,
            };
        }
        let left = limit.saturating_sub(REST + asks_max);
        let operators = wanted.within(left / OPERATORS_SHARE);
        let callbacks = wanted.within(left - left / OPERATORS_SHARE);
        let served = callbacks.served;
        let shortage = format!(
            "callbacks.connections_max = {connections_max} can need {need} open files, and {limit} are allowed: only \
             {served} connections are served at once; raise the limit (LimitNOFILE=, ulimit -n), or lower the key"
        );
        Shares {
            callbacks,
            operators,
            shortage: Some(shortage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enough_is_given_whole() {
        for limit in [None, Some(2 * 1024 + 64 + 8), Some(u64::MAX)] {
            let shares = Shares::new(limit, 512, 8);
            assert_eq!(shares.callbacks, Places::wanted(512));
            assert_eq!(
                (shares.operators, shares.shortage),
                (shares.callbacks, None)
            );
        }
    }

    #[test]
    fn what_is_short_is_shared_and_never_overdrawn() {
        for limit in [100, 128, 256, 1024, 2119] {
            for connections_max in [1, 16, 512, 1_000_000] {
                let shares = Shares::new(Some(limit), connections_max, 8);
                let files = shares.callbacks.files() + shares.operators.files() + REST + 8;
                assert!(
                    files <= limit as usize,
                    "{limit} {connections_max}: {shares:?}"
                );
                for places in [shares.callbacks, shares.operators] {
                    assert!(places.served > 0 && places.turned_away > 0 && places.strangers > 0);
                }
            }
        }
        let shares = Shares::new(Some(1024), 512, 8);
        let said = shares.shortage.expect("a warning");
        assert!(
            said.contains("connections_max = 512") && said.contains("1024"),
            "{said}"
        );
    }

    #[test]
    fn however_little_there_is_each_kind_has_a_place() {
        for limit in 0..80 {
            let shares = Shares::new(Some(limit), 512, 8);
            assert!(shares.callbacks.served >= 1 && shares.operators.served >= 1);
            assert!(shares.shortage.is_some());
        }
    }
}
