//! Raises alerts about the service: hands over what this process has seen, and reports once what fires and what does not any
//! more.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::frame::{Pause, Worker};
use crate::clock;
use crate::metrics::Metrics;
use crate::store::{Observed, ServiceAlertRow, Store, StoreError};
use notifications::AlertLimits;
use number_order::{Id, Time};

/// Interval between two checks. It is well below the least quiet time that can be configured, so that a process which alone
/// sees something says so before another one takes it for over.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// Time by which a project's last callback must be later than the one that is noted. Silence is measured in hours.
const HEARD_INTERVAL: Duration = Duration::from_secs(60);

/// Worker that raises alerts about the service.
pub struct ServiceAlertWorker {
    /// Store that has the alerts and most of the facts.
    pub store: Store,
    /// What this process has seen.
    pub metrics: Arc<Metrics>,
    /// Times after which alerts fire and are resolved.
    pub limits: AlertLimits,
}

impl Worker for ServiceAlertWorker {
    /// Projects, each with the time of the last callback that is noted.
    type State = BTreeMap<Id, Time>;

    fn name(&self) -> Cow<'static, str> {
        "service_alerts".into()
    }

    async fn step(&self, noted: &mut BTreeMap<Id, Time>) -> Result<Pause, StoreError> {
        let observed = Observed {
            heard: newly_heard(noted, self.metrics.heard()),
            refused: self.metrics.callbacks_refused(),
            secrets: self.metrics.secrets().facts(),
            silent_workers: self.metrics.silent_workers(),
        };
        let changes = self
            .store
            .check_service(&observed, &self.limits, clock::now())
            .await?;
        noted.extend(observed.heard);
        for row in &changes.fired {
            let (project, alert, text) = in_log(row);
            tracing::warn!(project, alert, %text, "the service needs attention");
        }
        for row in &changes.resolved {
            let (project, alert, text) = in_log(row);
            tracing::info!(project, alert, %text, "an alert about the service is resolved");
        }
        Ok(Pause::Idle(CHECK_INTERVAL))
    }
}

/// Returns what the log says of an alert.
fn in_log(row: &ServiceAlertRow) -> (Option<&str>, &'static str, &impl std::fmt::Display) {
    let project = row.project.as_ref().map(Id::as_str);
    (project, row.alert.code(), &row.alert)
}

/// Returns the projects whose last callback is worth noting.
fn newly_heard(noted: &BTreeMap<Id, Time>, heard: BTreeMap<Id, Time>) -> Vec<(Id, Time)> {
    let is_new = |(project, at): &(Id, Time)| {
        let before = noted.get(project);
        before.is_none_or(|before| at.since(*before) >= HEARD_INTERVAL)
    };
    heard.into_iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_noted_at_first_and_then_once_a_minute() {
        let at = |secs: i64| Time(secs * 1_000_000);
        let id = |text: &str| Id::new(text).expect("an id");
        let heard = |secs| BTreeMap::from([(id("p1"), at(secs)), (id("p2"), at(5))]);
        let mut noted = BTreeMap::new();
        for (secs, expected) in [
            (10, vec!["p1", "p2"]),
            (69, vec![]),
            (70, vec!["p1"]),
            (71, vec![]),
        ] {
            let new = newly_heard(&noted, heard(secs));
            let projects: Vec<&str> = new.iter().map(|(project, _)| project.as_str()).collect();
            assert_eq!(projects, expected, "{secs}");
            noted.extend(new);
        }
    }
}
