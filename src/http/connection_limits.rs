//! Limits on the connections of each listener, so that the process does not run out of open files.

/// Maximum number of connections over a listener's limit that are rejected with a response at the same time. The same
/// maximum holds for connections of sources that are not allowed. Further ones are closed without a response.
const REJECTED_MAX: usize = 256;

/// Number of open files that the rest of the program needs, apart from its fetches and what it tells others: for the database, the runtime, the
/// log, and one connection over the limit until it is closed.
const OTHER_OPEN_FILES: usize = 64;

/// Maximum number of requests of sources that are not allowed which are examined in a second.
const EXAMINED_MAX: usize = 64;

/// Divisor of the operators' share of open files: where there are too few for all, operators have a quarter of what is
/// left.
const OPERATORS_DIVISOR: usize = 4;

/// Maximum number of connections that a listener may have at the same time, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Maximum number of connections that are served.
    pub served: usize,
    /// Maximum number of connections beyond the served ones, which are rejected with a response.
    pub rejected: usize,
    /// Maximum number of connections of sources that are not allowed, which are rejected with a response.
    pub unallowed: usize,
}

impl ConnectionLimits {
    fn wanted(connections_max: usize) -> ConnectionLimits {
        ConnectionLimits {
            served: connections_max,
            rejected: REJECTED_MAX,
            unallowed: REJECTED_MAX,
        }
    }

    /// Reduces the limits to what a number of open files allows: half of the files for served connections, a quarter
    /// for each other kind, and at least one for each.
    fn within(self, files: usize) -> ConnectionLimits {
        let quarter = files / 4;
        ConnectionLimits {
            served: self.served.min(files - quarter * 2).max(1),
            rejected: self.rejected.min(quarter).max(1),
            unallowed: self.unallowed.min(quarter).max(1),
        }
    }

    /// Returns the maximum number of requests of sources that are not allowed which are examined in a second. Those that come
    /// through a proxy hold their connection for as long: a quarter of all at most.
    pub(super) fn examined(self) -> usize {
        EXAMINED_MAX.min(self.served / 4).max(1)
    }

    fn files_needed(self) -> usize {
        self.served + self.rejected + self.unallowed
    }
}

/// Limits on the connections of both listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Limits on the connections of the callback listener.
    pub callbacks: ConnectionLimits,
    /// Limits on the connections of the operators' listener.
    pub operators: ConnectionLimits,
    /// Warning that open files are short, with the cure; `None` if there are enough.
    pub shortage: Option<String>,
}

impl ListenerLimits {
    /// Divides among the listeners the open files that a limit leaves; `None` means no limit. `outgoing_max` is
    /// the maximum number of those that fetches, and attempts to tell others, have open.
    pub fn new(limit: Option<u64>, connections_max: usize, outgoing_max: usize) -> ListenerLimits {
        let wanted = ConnectionLimits::wanted(connections_max);
        let need = (wanted.files_needed() * 2).saturating_add(OTHER_OPEN_FILES + outgoing_max);
        let limit = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        if need <= limit {
            return ListenerLimits {
                callbacks: wanted,
                operators: wanted,
                shortage: None,
            };
        }
        let left = limit.saturating_sub(OTHER_OPEN_FILES + outgoing_max);
        let operators = wanted.within(left / OPERATORS_DIVISOR);
        let callbacks = wanted.within(left - left / OPERATORS_DIVISOR);
        let served = callbacks.served;
        let shortage = format!(
            "callbacks.connections_max = {connections_max} can need {need} open files, and {limit} are allowed: only \
             {served} connections are served at once; raise the limit (LimitNOFILE=, ulimit -n), or lower the key"
        );
        ListenerLimits {
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
    fn enough_files_allow_all_that_is_wanted() {
        for limit in [None, Some(2 * 1024 + 64 + 8), Some(u64::MAX)] {
            let limits = ListenerLimits::new(limit, 512, 8);
            assert_eq!(limits.callbacks, ConnectionLimits::wanted(512));
            assert_eq!(
                (limits.operators, limits.shortage),
                (limits.callbacks, None)
            );
        }
    }

    #[test]
    fn too_few_files_are_divided_and_never_exceeded() {
        for limit in [100, 128, 256, 1024, 2119] {
            for connections_max in [1, 16, 512, 1_000_000] {
                let limits = ListenerLimits::new(Some(limit), connections_max, 8);
                let files = limits.callbacks.files_needed()
                    + limits.operators.files_needed()
                    + OTHER_OPEN_FILES
                    + 8;
                assert!(
                    files <= limit as usize,
                    "{limit} {connections_max}: {limits:?}"
                );
                for limits in [limits.callbacks, limits.operators] {
                    assert!(limits.served > 0 && limits.rejected > 0 && limits.unallowed > 0);
                }
            }
        }
        let limits = ListenerLimits::new(Some(1024), 512, 8);
        let shortage = limits.shortage.expect("a warning");
        assert!(
            shortage.contains("connections_max = 512") && shortage.contains("1024"),
            "{shortage}"
        );
    }

    #[test]
    fn each_kind_has_a_connection_however_few_files_there_are() {
        for limit in 0..80 {
            let limits = ListenerLimits::new(Some(limit), 512, 8);
            assert!(limits.callbacks.served >= 1 && limits.operators.served >= 1);
            assert!(limits.shortage.is_some());
        }
    }
}
