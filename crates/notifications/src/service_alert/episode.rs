//! Episodes: when an alert about the service fires, and when it is resolved.
//!
//! An episode is a run of sightings of one thing, with no gap as long as its kind's quiet time. So what comes and goes is one
//! episode, and several processes that each see a part of it make one of it. Its alert fires once it has lasted long enough,
//! and is resolved when it ends.

use std::time::Duration;

use super::{ServiceAlert, Sighting};
use number_order::Time;

/// Times after which alerts about the service fire and are resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AlertLimits {
    /// Time for which fetches of a project, or attempts to tell a target, must have failed.
    pub trouble: Duration,
    /// Time for which no callback must have come since a change that none announced.
    pub silence: Duration,
    /// Time for which what comes and goes must not have been seen before its alert is resolved.
    pub quiet: Duration,
}

/// An alert about the service, as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Row of the alert; 0: it has none yet.
    pub id: i64,
    /// The alert, as it was when it fired.
    pub alert: ServiceAlert,
    /// What it is about beside its kind.
    pub subject: String,
    /// Time at which it was first seen.
    pub began_at: Time,
    /// Time at which it was last noted to be seen.
    pub seen_at: Time,
    /// Time at which the alert fired; `None`: it has not lasted long enough.
    pub fired_at: Option<Time>,
    /// Time at which the alert was resolved; `None`: it is open.
    pub resolved_at: Option<Time>,
}

/// What is written of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpisodeWrite {
    /// It has begun.
    Insert,
    /// It is another one than before.
    Update,
    /// It has ended before its alert fired.
    Remove,
}

/// What is told of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertNews {
    /// The alert has begun to fire.
    Fired,
    /// The alert does not fire any more.
    Resolved,
}

/// Change of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeChange {
    /// The episode after the change.
    pub episode: Episode,
    /// What is written of it.
    pub write: EpisodeWrite,
    /// What is told of it, if anything.
    pub news: Option<AlertNews>,
}

impl ServiceAlert {
    /// Returns the time for which what the alert is about must last before the alert fires. Other kinds have such a time in
    /// their facts.
    fn holds_for(&self, limits: &AlertLimits) -> Duration {
        match self {
            ServiceAlert::ProviderTrouble { .. } => limits.trouble,
            ServiceAlert::OrdersParked { .. }
            | ServiceAlert::DeliveriesParked { .. }
            | ServiceAlert::Silence { .. }
            | ServiceAlert::CallbacksRefused { .. }
            | ServiceAlert::UnknownSource { .. }
            | ServiceAlert::SecretDrift { .. }
            | ServiceAlert::DiskLow(_)
            | ServiceAlert::DiskFull(_)
            | ServiceAlert::TargetFailing { .. }
            | ServiceAlert::TargetSwitchedOff { .. }
            | ServiceAlert::NotificationsParked { .. }
            | ServiceAlert::WorkerSilent { .. } => Duration::ZERO,
        }
    }

    /// Returns the time without a sighting after which the alert is resolved: none for what the database knows and an
    /// operator or a callback ends; some for what comes and goes by itself, and for what one process alone sees.
    fn quiet_for(&self, limits: &AlertLimits) -> Duration {
        match self {
            ServiceAlert::OrdersParked { .. }
            | ServiceAlert::DeliveriesParked { .. }
            | ServiceAlert::Silence { .. }
            | ServiceAlert::UnknownSource { .. }
            | ServiceAlert::TargetSwitchedOff { .. }
            | ServiceAlert::NotificationsParked { .. } => Duration::ZERO,
            ServiceAlert::ProviderTrouble { .. }
            | ServiceAlert::CallbacksRefused { .. }
            | ServiceAlert::SecretDrift { .. }
            | ServiceAlert::DiskLow(_)
            | ServiceAlert::DiskFull(_)
            | ServiceAlert::TargetFailing { .. }
            | ServiceAlert::WorkerSilent { .. } => limits.quiet,
        }
    }
}

/// Returns what the sightings change of the episodes that have not ended.
pub fn update_episodes(
    open: &[Episode],
    seen: &[Sighting],
    limits: &AlertLimits,
    now: Time,
) -> Vec<EpisodeChange> {
    let is_of = |episode: &Episode, sighting: &Sighting| {
        episode.subject == sighting.subject && episode.alert.code() == sighting.alert.code()
    };
    let of_open = open.iter().filter_map(|episode| {
        let sighting = seen.iter().find(|sighting| is_of(episode, sighting));
        match sighting {
            Some(sighting) => seen_again(episode, sighting, limits, now),
            None => unseen(episode, limits, now),
        }
    });
    let new = seen.iter().filter(|sighting| {
        !open.iter().any(|episode| is_of(episode, sighting))
            && !is_over(&sighting.alert, sighting.at, limits, now)
    });
    of_open
        .chain(new.map(|sighting| begun(sighting, limits, now)))
        .collect()
}

/// Returns `true` if what was last seen at a time has not been seen for its quiet time.
fn is_over(alert: &ServiceAlert, seen_at: Time, limits: &AlertLimits, now: Time) -> bool {
    let quiet = alert.quiet_for(limits);
    !quiet.is_zero() && now.since(seen_at) >= quiet
}

fn begun(sighting: &Sighting, limits: &AlertLimits, now: Time) -> EpisodeChange {
    let fires = sighting.alert.holds_for(limits).is_zero();
    EpisodeChange {
        episode: Episode {
            id: 0,
            alert: sighting.alert.clone(),
            subject: sighting.subject.clone(),
            began_at: sighting.at,
            seen_at: sighting.at,
            fired_at: fires.then_some(now),
            resolved_at: None,
        },
        write: EpisodeWrite::Insert,
        news: fires.then_some(AlertNews::Fired),
    }
}

/// Returns the change of an episode that was seen again. That it was seen is noted now and then, so that what lasts is not
/// written at each check.
fn seen_again(
    episode: &Episode,
    sighting: &Sighting,
    limits: &AlertLimits,
    now: Time,
) -> Option<EpisodeChange> {
    let at = sighting.at.max(episode.seen_at);
    if is_over(&episode.alert, at, limits, now) {
        return Some(ended(episode, now));
    }
    let hold = sighting.alert.holds_for(limits);
    let fires = episode.fired_at.is_none() && at.since(episode.began_at) >= hold;
    let quiet = sighting.alert.quiet_for(limits);
    let is_noted = quiet.is_zero() || at.since(episode.seen_at) < quiet / 4;
    if !fires && is_noted {
        return None;
    }
    let mut episode = episode.clone();
    episode.seen_at = at;
    if fires {
        episode.alert = sighting.alert.clone();
        episode.fired_at = Some(now);
    }
    Some(EpisodeChange {
        episode,
        write: EpisodeWrite::Update,
        news: fires.then_some(AlertNews::Fired),
    })
}

/// Returns the change of an episode of which nothing is to be seen here. Another process may have seen it not long ago.
fn unseen(episode: &Episode, limits: &AlertLimits, now: Time) -> Option<EpisodeChange> {
    let quiet = episode.alert.quiet_for(limits);
    (now.since(episode.seen_at) >= quiet).then(|| ended(episode, now))
}

fn ended(episode: &Episode, now: Time) -> EpisodeChange {
    let mut episode = episode.clone();
    let has_fired = episode.fired_at.is_some();
    episode.resolved_at = has_fired.then_some(now);
    EpisodeChange {
        episode,
        write: if has_fired {
            EpisodeWrite::Update
        } else {
            EpisodeWrite::Remove
        },
        news: has_fired.then_some(AlertNews::Resolved),
    }
}
