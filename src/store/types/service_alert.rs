//! Alerts about the service: what a process has seen of what they are about, and what has changed of them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::explain::explained;
use notifications::{RefusedCallback, SecretFacts, ServiceAlert};
use number_order::{Id, Time};

/// What this process alone has seen of what alerts about the service are about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Projects of which a genuine callback came, each with the time of the last one.
    pub heard: Vec<(Id, Time)>,
    /// Callbacks from allowed addresses that were refused, the last for each reason and project.
    pub refused: Vec<RefusedCallback>,
    /// What is known of the secrets with which Sinch signs callbacks.
    pub secrets: Vec<SecretFacts>,
    /// Workers that have done nothing, or nothing but fail, for a minute.
    pub silent_workers: Vec<String>,
}

/// An alert about the service that fires, or did until now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ServiceAlertRow {
    /// Sinch's id of the project that the alert is about; `null`: it is about none.
    pub project: Option<Id>,
    /// The alert, as it was when it fired.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<ServiceAlert>)]
    pub alert: ServiceAlert,
    /// Time at which the alert began to fire.
    pub fired_at: Time,
}

/// Changes of alerts about the service that a commit has recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceAlertChanges {
    /// Alerts that have begun to fire.
    pub fired: Vec<ServiceAlertRow>,
    /// Alerts that do not fire any more.
    pub resolved: Vec<ServiceAlertRow>,
}
