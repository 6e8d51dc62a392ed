//! Secrets of callbacks: how many callbacks each has verified, and how they compare with the one that Sinch has.
//!
//! A secret is named by its place in the configuration, never by its content.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Count, lock};
use crate::explain::{coded_if_any, explained_if_any};
use notifications::{SecretComparison, SecretDrift, SecretFacts, SecretFinding};
use number_order::{Id, NoAnswer, Time};

/// Secrets of all projects that need a signature.
#[derive(Debug, Default)]
pub struct Secrets {
    projects: Mutex<BTreeMap<Id, ProjectSecrets>>,
}

/// Secrets of one project.
#[derive(Debug, Default)]
struct ProjectSecrets {
    /// `true` if they are compared with Sinch's: its API is on.
    is_compared: bool,
    counts: Vec<SecretCount>,
    compared: Option<(SecretComparison, Time)>,
    failure: Option<NoAnswer>,
}

/// Number of callbacks that a secret has verified since the start of the service or its last reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SecretCount {
    /// Place of the secret in the configuration.
    pub secret: String,
    /// Number of the callbacks.
    pub count: u64,
    /// Time of the first of them; `null`: there was none.
    pub first_at: Option<Time>,
    /// Time of the last of them.
    pub last_at: Option<Time>,
}

/// What is known of the secret that Sinch has for a project.
///
/// Only the texts are serialized. Its figures are declared in the list of figures, for `/status` and `/metrics` alike.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SecretView {
    /// Time of the last comparison; `None`: there was none since the start or the last reload.
    #[serde(skip)]
    pub compared_at: Option<Time>,
    /// Result of the last comparison.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = coded_if_any::<SecretComparison>)]
    pub comparison: Option<SecretComparison>,
    /// Reason why the secrets could not be compared at the last attempt.
    #[serde(serialize_with = "explained_if_any")]
    #[schema(schema_with = coded_if_any::<NoAnswer>)]
    pub failure: Option<NoAnswer>,
}

impl Secrets {
    /// Begins to count what the secrets of a project verify, each named by its place. `is_compared`: they are compared with
    /// the one that Sinch has.
    pub fn count(&self, project: Id, places: impl Iterator<Item = String>, is_compared: bool) {
        let count = |secret| SecretCount {
            secret,
            count: 0,
            first_at: None,
            last_at: None,
        };
        let secrets = ProjectSecrets {
            is_compared,
            counts: places.map(count).collect(),
            ..ProjectSecrets::default()
        };
        lock(&self.projects).insert(project, secrets);
    }

    /// Counts a callback of a project that the secret at an index of its list has verified.
    pub fn verified(&self, project: &Id, index: usize, now: Time) {
        self.update(project, |secrets| {
            if let Some(secret) = secrets.counts.get_mut(index) {
                secret.count += 1;
                secret.first_at.get_or_insert(now);
                secret.last_at = Some(now);
            }
        });
    }

    /// Records what a comparison has found: the index of the secret that Sinch has, or the drift.
    pub fn compared(&self, project: &Id, found: Result<usize, SecretDrift>, now: Time) {
        self.update(project, |secrets| {
            let place = |index| {
                let count: Option<&SecretCount> = secrets.counts.get(index);
                count.map(|count| count.secret.clone()).unwrap_or_default()
            };
            let comparison = match found {
                Ok(index) => SecretComparison::Matches {
                    secret: place(index),
                },
                Err(SecretDrift::OtherSecret) => SecretComparison::OtherSecret,
                Err(SecretDrift::NoSecret) => SecretComparison::NoSecret,
            };
            secrets.compared = Some((comparison, now));
            secrets.failure = None;
        });
    }

    /// Records why the secrets of a project could not be compared. What was found before stays known.
    pub fn not_compared(&self, project: &Id, reason: NoAnswer) {
        self.update(project, |secrets| secrets.failure = Some(reason));
    }

    fn update(&self, project: &Id, change: impl FnOnce(&mut ProjectSecrets)) {
        if let Some(secrets) = lock(&self.projects).get_mut(project) {
            change(secrets);
        }
    }

    /// Returns `true` if the last comparison of a project's secrets has found drift.
    pub fn has_drift(&self, project: &Id) -> bool {
        let projects = lock(&self.projects);
        let secrets = projects.get(project);
        secrets.is_some_and(|secrets| matches!(secrets.finding(), SecretFinding::Drift(_)))
    }

    /// Returns what each secret of a project has verified; `None` if the project's callbacks need no signature.
    pub fn counts_of(&self, project: &Id) -> Option<Vec<SecretCount>> {
        let projects = lock(&self.projects);
        Some(projects.get(project)?.counts.clone())
    }

    /// Returns what each secret has verified, by its place.
    pub fn counts(&self) -> BTreeMap<String, Count> {
        let projects = lock(&self.projects);
        let counts = projects.values().flat_map(|secrets| &secrets.counts);
        let each = counts.map(|one| {
            let SecretCount { count, last_at, .. } = *one;
            (one.secret.clone(), Count { count, last_at })
        });
        each.collect()
    }

    /// Returns what is known of the secrets that Sinch has, for each project whose secret is compared.
    pub fn views(&self) -> BTreeMap<String, SecretView> {
        let projects = lock(&self.projects);
        let compared = projects.iter().filter(|(_, secrets)| secrets.is_compared);
        let views = compared.map(|(project, secrets)| {
            let known = secrets.compared.as_ref();
            let view = SecretView {
                compared_at: known.map(|(_, at)| *at),
                comparison: known.map(|(comparison, _)| comparison.clone()),
                failure: secrets.failure.clone(),
            };
            (project.to_string(), view)
        });
        views.collect()
    }

    /// Returns the facts from which alerts come.
    pub fn facts(&self) -> Vec<SecretFacts> {
        let projects = lock(&self.projects);
        let compared = projects.iter().filter(|(_, secrets)| secrets.is_compared);
        let facts = compared.map(|(project, secrets)| SecretFacts {
            project: project.clone(),
            finding: secrets.finding(),
        });
        facts.collect()
    }
}

impl ProjectSecrets {
    fn finding(&self) -> SecretFinding {
        match &self.compared {
            None => SecretFinding::NotCompared,
            Some((comparison, _)) => comparison
                .drift()
                .map_or(SecretFinding::Agrees, SecretFinding::Drift),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use number_order::Endpoint;

    fn project() -> Id {
        Id::new("p1").expect("an id")
    }

    fn secrets() -> Secrets {
        let secrets = Secrets::default();
        let places = (0..2).map(|n| format!("projects[0].secrets[{n}]"));
        secrets.count(project(), places, true);
        secrets
    }

    #[test]
    fn each_secret_has_its_count_from_the_start() {
        let secrets = secrets();
        let count = |index: usize| {
            let counts = secrets.counts_of(&project()).expect("it is counted");
            (
                counts[index].count,
                counts[index].first_at,
                counts[index].last_at,
            )
        };
        assert_eq!((count(0), count(1)), ((0, None, None), (0, None, None)));
        secrets.verified(&project(), 1, Time(5));
        secrets.verified(&project(), 1, Time(7));
        // Nothing is counted for a secret that is not there, nor for a project without any.
        secrets.verified(&project(), 2, Time(9));
        secrets.verified(&Id::new("p2").expect("an id"), 0, Time(9));
        assert_eq!(count(0), (0, None, None));
        assert_eq!(count(1), (2, Some(Time(5)), Some(Time(7))));
        let by_place = secrets.counts();
        assert_eq!(by_place["projects[0].secrets[1]"].count, 2);
        assert_eq!(by_place.len(), 2);
    }

    #[test]
    fn a_failure_is_shown_and_changes_nothing_of_what_is_known() {
        let secrets = secrets();
        let failure = || NoAnswer::TimedOut {
            endpoint: Endpoint::CallbackConfiguration,
        };
        let finding = || secrets.facts().pop().expect("it is compared").finding;
        assert_eq!(finding(), SecretFinding::NotCompared);
        secrets.not_compared(&project(), failure());
        assert_eq!(finding(), SecretFinding::NotCompared);
        for (found, finds, code) in [
            (Ok(1), SecretFinding::Agrees, "matches"),
            (
                Err(SecretDrift::OtherSecret),
                SecretFinding::Drift(SecretDrift::OtherSecret),
                "other-secret",
            ),
            (
                Err(SecretDrift::NoSecret),
                SecretFinding::Drift(SecretDrift::NoSecret),
                "no-secret",
            ),
        ] {
            secrets.compared(&project(), found, Time(3));
            assert_eq!(secrets.views()["p1"].failure, None);
            secrets.not_compared(&project(), failure());
            assert_eq!(finding(), finds);
            let view = &secrets.views()["p1"];
            let shown = view.comparison.as_ref().expect("a result");
            assert_eq!(shown.code(), code);
            assert_eq!(
                (view.compared_at, &view.failure),
                (Some(Time(3)), &Some(failure()))
            );
            if found.is_ok() {
                let text = "Sinch signs with the secret at projects[0].secrets[1]";
                assert_eq!(shown.to_string(), text);
            }
        }
    }

    #[test]
    fn the_document_lists_every_result_and_no_other() {
        let document = include_str!("../../docs/codes.md");
        let section = document.split("## Comparisons of secrets\n").nth(1);
        let section = section.expect("a section with this heading");
        let rows = section.split("\n## ").next().unwrap_or_default().lines();
        let rows = rows.filter_map(|line| line.strip_prefix("| `"));
        let listed: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(listed, <SecretComparison as strum::VariantNames>::VARIANTS);
    }
}
