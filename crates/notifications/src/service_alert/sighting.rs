//! What there is to see at a moment that an alert is about.

use super::{
    AlertLimits, Disk, DiskFields, Episode, ProjectFacts, RefusedCallback, SecretFacts,
    SecretFinding, ServiceAlert, ServiceFacts, TargetFacts,
};
use number_order::{Id, Time};

/// Something that an alert is about, as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The alert, with what is known now.
    pub alert: ServiceAlert,
    /// What it is about beside its kind: a project's id, a target's or a worker's name, or nothing.
    pub subject: String,
    /// Time at which it was seen.
    pub at: Time,
}

impl Sighting {
    fn of_project(project: &Id, alert: ServiceAlert, at: Time) -> Sighting {
        Sighting {
            subject: alert.subject(Some(project)),
            alert,
            at,
        }
    }

    fn of_service(alert: ServiceAlert, at: Time) -> Sighting {
        Sighting {
            subject: alert.subject(None),
            alert,
            at,
        }
    }
}

/// Returns all that there is to see in the facts. `open` has the alerts that are not resolved: a silence ends with a
/// callback, and not when the changes that showed it are forgotten.
pub fn sightings(
    facts: &ServiceFacts,
    open: &[Episode],
    limits: &AlertLimits,
    now: Time,
) -> Vec<Sighting> {
    let mut seen = Vec::new();
    for project in &facts.projects {
        let alerts = of_project(project, open, limits, now);
        seen.extend(alerts.map(|alert| Sighting::of_project(&project.project, alert, now)));
    }
    for target in &facts.targets {
        let alerts = of_target(target, limits, now);
        seen.extend(alerts.map(|alert| Sighting::of_service(alert, now)));
    }
    seen.extend(facts.refused.iter().map(of_refusal));
    for secret in &facts.secrets {
        let alert = of_secret(secret, open);
        seen.extend(alert.map(|alert| Sighting::of_project(&secret.project, alert, now)));
    }
    let disk = facts.disk.into_iter().flat_map(|disk| of_disk(disk, open));
    seen.extend(disk.map(|alert| Sighting::of_service(alert, now)));
    let silent = facts.silent_workers.iter().map(|worker| {
        let worker = worker.clone();
        Sighting::of_service(ServiceAlert::WorkerSilent { worker }, now)
    });
    seen.extend(silent);
    seen
}

/// Returns what there is to see of a project. A project that is not fetched has no fetches that could fail or show a
/// change, and its parked orders are at rest.
fn of_project(
    facts: &ProjectFacts,
    open: &[Episode],
    limits: &AlertLimits,
    now: Time,
) -> impl Iterator<Item = ServiceAlert> {
    let orders = (facts.active && facts.orders_parked > 0).then_some(ServiceAlert::OrdersParked {
        orders: facts.orders_parked,
    });
    let deliveries = (facts.deliveries_parked > 0).then_some(ServiceAlert::DeliveriesParked {
        deliveries: facts.deliveries_parked,
    });
    let trouble = facts.circuit.clone().filter(|_| facts.active);
    let trouble = trouble.map(|reason| ServiceAlert::ProviderTrouble { reason });
    let silence = is_silent(facts, open, limits, now).then_some(ServiceAlert::Silence {
        changes: facts.unannounced,
        last_at: facts.heard_at,
    });
    let unknown = (facts.from_unknown_sources > 0).then(|| ServiceAlert::UnknownSource {
        callbacks: facts.from_unknown_sources,
        addresses: facts.unknown_sources.clone(),
    });
    [orders, deliveries, trouble, silence, unknown]
        .into_iter()
        .flatten()
}

/// Returns `true` if callbacks of the project are missing. That orders are open is no evidence: a review may take weeks in
/// which nothing happens. A change that Sinch shows, and that no callback announces even long after it, is.
fn is_silent(facts: &ProjectFacts, open: &[Episode], limits: &AlertLimits, now: Time) -> bool {
    let last_at = facts.heard_at.unwrap_or(Time(i64::MIN));
    let is_open = open.iter().any(|episode| {
        matches!(episode.alert, ServiceAlert::Silence { .. })
            && episode.subject == facts.project.as_str()
            && last_at <= episode.began_at
    });
    let is_evident = facts
        .unannounced_at
        .is_some_and(|at| at > last_at && now.since(at) >= limits.silence);
    facts.active && (is_open || is_evident)
}

fn of_target(
    facts: &TargetFacts,
    limits: &AlertLimits,
    now: Time,
) -> impl Iterator<Item = ServiceAlert> {
    let target = || facts.name.clone();
    let health = &facts.health;
    let since = health.failing_since.filter(|_| health.is_probed());
    let since = since.filter(|since| now.since(*since) >= limits.trouble);
    let failing = since.map(|since| ServiceAlert::TargetFailing {
        target: target(),
        since,
    });
    let off = health.switched_off_at;
    let switched_off = off.map(|_| ServiceAlert::TargetSwitchedOff { target: target() });
    let parked = (facts.parked > 0).then(|| ServiceAlert::NotificationsParked {
        target: target(),
        notifications: facts.parked,
    });
    [failing, switched_off, parked].into_iter().flatten()
}

fn of_refusal(refused: &RefusedCallback) -> Sighting {
    let alert = ServiceAlert::CallbacksRefused {
        refusal: refused.refusal,
    };
    Sighting {
        subject: alert.subject(refused.project.as_ref()),
        alert,
        at: refused.at,
    }
}

/// Returns what there is to see of a project's secret. A process that has not compared it yet ends no alert of another
/// one, or of an earlier run.
fn of_secret(facts: &SecretFacts, open: &[Episode]) -> Option<ServiceAlert> {
    match facts.finding {
        SecretFinding::Agrees => None,
        SecretFinding::Drift(drift) => Some(ServiceAlert::SecretDrift { drift }),
        SecretFinding::NotCompared => open
            .iter()
            .filter(|episode| episode.subject == facts.project.as_str())
            .map(|episode| &episode.alert)
            .find(|alert| matches!(alert, ServiceAlert::SecretDrift { .. }))
            .cloned(),
    }
}

/// Returns what there is to see of the disk: it is low while less than twice as much is free as callbacks need. Only what is
/// worse is new to an operator, so a disk that is full at once was never low; one that was low stays so.
fn of_disk(disk: Disk, open: &[Episode]) -> impl Iterator<Item = ServiceAlert> {
    let Disk {
        free_bytes,
        refused_below_bytes,
    } = disk;
    let fields = DiskFields {
        free_bytes,
        refused_below_bytes,
    };
    let is_full = free_bytes < refused_below_bytes;
    let is_low = free_bytes < refused_below_bytes.saturating_mul(2);
    let was_low = || {
        let mut open = open.iter();
        open.any(|episode| matches!(episode.alert, ServiceAlert::DiskLow(_)))
    };
    let full = is_full.then_some(ServiceAlert::DiskFull(fields));
    let low = (is_low && (!is_full || was_low())).then_some(ServiceAlert::DiskLow(fields));
    [full, low].into_iter().flatten()
}
