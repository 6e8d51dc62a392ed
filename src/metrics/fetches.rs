//! State of the fetches of each project.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Metrics, lock};
use crate::explain::explained_if_any;
use crate::store::Circuit;
use number_order::{FetchOutcome, Id, NoAnswer, Time};

/// State of the fetches of each project of which any was recorded.
#[derive(Debug, Default)]
pub(super) struct Fetches(Mutex<BTreeMap<Id, ApiView>>);

/// State of the fetches of a project.
///
/// Only the texts are serialized. Its figures are declared in the list of figures, for `/status` and `/metrics` alike.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ApiView {
    /// Time at which the project's last fetch was recorded; `None` if there was none since the start or the last reload.
    #[serde(skip)]
    pub last_at: Option<Time>,
    /// `true` if Sinch answered the project's last fetch.
    #[serde(skip)]
    pub answered: Option<bool>,
    /// Outcome of the project's last fetch.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<FetchOutcome>)]
    pub outcome: Option<FetchOutcome>,
    /// Number of the project's fetches in a row without an answer, for whatever reason: the last, and those before it.
    #[serde(skip)]
    pub unanswered: u32,
    /// Time at which the first of these fetches was recorded.
    #[serde(skip)]
    pub unanswered_since: Option<Time>,
    /// Number of the project's attempts in a row that failed through the provider.
    #[serde(skip)]
    pub failures: u32,
    /// Time since which the project's circuit has been open.
    #[serde(skip)]
    pub paused_since: Option<Time>,
    /// Time until which the project's circuit is open.
    #[serde(skip)]
    pub paused_until: Option<Time>,
    /// Reason why the project's circuit is open.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = crate::explain::coded_if_any::<NoAnswer>)]
    pub pause_reason: Option<NoAnswer>,
}

impl Metrics {
    /// Records the outcome of a project's fetch, which is the last one from now on.
    pub fn fetched(&self, project: &Id, at: Time, answered: bool, outcome: FetchOutcome) {
        let mut api = lock(&self.fetches.0);
        let view = api.entry(project.clone()).or_default();
        view.last_at = Some(at);
        view.answered = Some(answered);
        view.outcome = Some(outcome);
        if answered {
            view.unanswered = 0;
            view.unanswered_since = None;
        } else {
            view.unanswered = view.unanswered.saturating_add(1);
            view.unanswered_since.get_or_insert(at);
        }
    }

    /// Records the state of a project's circuit.
    pub fn circuit(&self, project: &Id, circuit: &Circuit) {
        let mut api = lock(&self.fetches.0);
        let view = api.entry(project.clone()).or_default();
        view.failures = circuit.failures;
        view.paused_since = circuit.paused_since;
        view.paused_until = circuit.paused.as_ref().map(|(until, _)| *until);
        view.pause_reason = circuit.paused.as_ref().map(|(_, reason)| reason.clone());
    }

    /// Returns the state of the fetches of each project.
    pub fn api_views(&self) -> BTreeMap<String, ApiView> {
        lock(&self.fetches.0)
            .iter()
            .map(|(project, view)| (project.to_string(), view.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::{Endpoint, Outcome, State};

    #[test]
    fn fetches_in_a_row_without_an_answer_are_counted_until_one_is_answered() {
        let metrics = Metrics::new();
        let project = Id::new("p1").expect("an id");
        let endpoint = Endpoint::Orders;
        let fails = FetchOutcome::NoAnswer(NoAnswer::TimedOut { endpoint });
        let shown = Outcome::FirstAnswer {
            state: State::Blocked,
        };
        let fetched = |secs, outcome: FetchOutcome| {
            let answered = matches!(outcome, FetchOutcome::Answer(_));
            metrics.fetched(&project, Time(secs), answered, outcome);
            let view = &metrics.api_views()["p1"];
            (view.unanswered, view.unanswered_since)
        };
        assert_eq!(fetched(1, fails.clone()), (1, Some(Time(1))));
        assert_eq!(fetched(2, fails.clone()), (2, Some(Time(1))));
        assert_eq!(fetched(3, FetchOutcome::Answer(shown)), (0, None));
        assert_eq!(fetched(4, fails), (1, Some(Time(4))));
    }
}
