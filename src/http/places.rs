//! Limits on the connections of each listener, so that the process does not run out of open files.

/// Maximum number of connections over a listener's limit that are rejected with an answer at the same time. The same
/// maximum holds for strangers' connections. Further ones are closed without an answer.
const SENT_AWAY_MAX: usize = 256;

/// Number of open files that the rest of the program needs, apart from its fetches: for the database, the runtime, the
/// log, and one connection over the limit until it is closed.
const REST: usize = 64;

/// Divisor of the operators' share: where there is too little for all, they have a quarter of what is left.
const OPERATORS_SHARE: usize = 4;

/// Maximum number of connections that a listener may have at the same time, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Connections that are served.
    pub served: usize,
    /// Connections over that limit, which are rejected with an answer.
    pub turned_away: usize,
    /// Connections of strangers, which are rejected with an answer.
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

    /// Reduces the places to what `files` allows: half of the files for served connections, a quarter for each other
    /// kind, and at least one for each.
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

/// Places of both listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Places of the callback listener.
    pub callbacks: Places,
    /// Places of the operators' listener.
    pub operators: Places,
    /// Warning that open files are short, with the cure; `None` if there are enough.
    pub shortage: Option<String>,
}

impl Shares {
    /// Divides the open files that a limit leaves; `None` means no limit. `fetches_max` is the maximum number of fetches
    /// in flight.
    pub fn new(limit: Option<u64>, connections_max: usize, fetches_max: usize) -> Shares {
        let wanted = Places::wanted(connections_max);
        let need = (wanted.files() * 2).saturating_add(REST + fetches_max);
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
        let left = limit.saturating_sub(REST + fetches_max);
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
