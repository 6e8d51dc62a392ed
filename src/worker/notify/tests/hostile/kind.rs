//! A kind of bad receiver: what it does, and how an attempt to tell it has to end.

use std::time::Duration;

use testkit::target::Reply;

use super::play::Play;

/// Time-out of attempts that must not need it.
const PATIENT: Duration = Duration::from_secs(60);

/// Time-out of attempts that end with it.
const HASTY: Duration = Duration::from_secs(2);

/// Time-out of attempts that end with that of the connection, which is half of it. The other half keeps the two apart on a
/// busy machine.
const CONNECTING: Duration = Duration::from_secs(8);

/// Slack of the machine, beyond the time-out.
const SLACK: Duration = Duration::from_secs(10);

/// End of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Delivered,
    /// It fails with this code, and with these words in its sentence.
    Fails(&'static str, &'static str),
}

/// A kind of bad receiver.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) play: Play,
    /// End of the first attempt.
    pub(super) first: Expected,
    /// End of the second attempt, by the same client.
    pub(super) second: Expected,
    /// Wait that the answer asks for.
    pub(super) asked_wait: Option<Duration>,
    /// Time-out of an attempt.
    pub(super) timeout: Duration,
    /// Size of what is told, beyond a usual event.
    pub(super) bytes: usize,
}

/// Returns a kind that is sure to end by itself, whatever the time-out is.
pub(super) fn kind(name: &'static str, play: Play, expected: Expected) -> Kind {
    Kind {
        name,
        play,
        first: expected,
        second: expected,
        asked_wait: None,
        timeout: PATIENT,
        bytes: 0,
    }
}

/// Returns a kind that reads the request, and then replies.
pub(super) fn replies(name: &'static str, reply: Reply, expected: Expected) -> Kind {
    kind(name, Play::Replies(reply), expected)
}

impl Kind {
    /// Notes that the time-out ends an attempt.
    pub(super) fn until_the_timeout(self) -> Kind {
        Kind {
            timeout: HASTY,
            ..self
        }
    }

    /// Notes that the time-out of the connection ends an attempt.
    pub(super) fn until_the_connection_times_out(self) -> Kind {
        Kind {
            timeout: CONNECTING,
            ..self
        }
    }

    pub(super) fn then(self, second: Expected) -> Kind {
        Kind { second, ..self }
    }

    pub(super) fn asking_for(self, secs: u64) -> Kind {
        let asked_wait = Some(Duration::from_secs(secs));
        Kind { asked_wait, ..self }
    }

    pub(super) fn told(self, bytes: usize) -> Kind {
        Kind { bytes, ..self }
    }

    /// Returns the time within which an attempt has to end.
    pub(super) fn bound(&self) -> Duration {
        if self.timeout == PATIENT {
            // Half of the time-out shows that nothing has waited for it.
            PATIENT / 2
        } else {
            self.timeout + SLACK
        }
    }
}
