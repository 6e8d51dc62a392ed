//! What happened, by time: changes of state and alerts, as operators list them.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Cursor, TransitionRow};
use crate::explain::explained;
use notifications::ServiceAlert;
use number_order::{AlertKind, Id, Time};

/// Part of a list that stands by time. An absent value leaves nothing out.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Earliest time.
    pub since: Option<Time>,
    /// Time before which the rows are.
    pub until: Option<Time>,
    /// `true` lists the newest rows first, `false` the oldest.
    pub newest_first: bool,
    /// End of an earlier page, after which this page begins.
    pub after: Option<Cursor>,
    /// Maximum number of rows.
    pub limit: u32,
}

/// Filter of a listing of transitions.
#[derive(Clone, Debug, Default)]
pub struct TransitionFilter {
    /// Id of the order whose state changed.
    pub order: Option<Id>,
    /// Project of the order.
    pub project: Option<Id>,
    /// State after the change.
    pub state: Option<&'static str>,
    /// Time at which the change was recorded.
    pub span: Span,
}

/// A transition in a listing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedTransition {
    /// Sinch's project id.
    pub project: String,
    /// Sinch's order id.
    pub order: String,
    /// The transition itself.
    #[serde(flatten)]
    pub transition: TransitionRow,
}

/// Filter of a listing of alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// `Some(true)`: only about orders; `Some(false)`: only about the service.
    pub of_orders: Option<bool>,
    /// `true` lists only alerts that fire, `false` only those that are resolved.
    pub open: Option<bool>,
    /// Code of the kind of alert.
    pub kind: Option<&'static str>,
    /// Id of the order that the alert is about.
    pub order: Option<Id>,
    /// Project of the order, or that the alert is about.
    pub project: Option<Id>,
    /// Time at which the alert began to fire.
    pub span: Span,
}

/// An alert in a listing: it fires, or did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedAlert {
    /// Sinch's project id; `null`: the alert is about none.
    pub project: Option<String>,
    /// Sinch's order id; `null`: the alert is about the service.
    pub order: Option<String>,
    /// The alert.
    #[serde(serialize_with = "explained")]
    #[schema(schema_with = crate::explain::coded::<AnyAlert>)]
    pub alert: AnyAlert,
    /// Time at which the alert began to fire.
    pub fired_at: Time,
    /// Time at which the alert ceased to fire; `null`: it is open.
    pub resolved_at: Option<Time>,
}

/// An alert about an order or about the service. The two share no code.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyAlert {
    /// An alert about an order.
    Order(AlertKind),
    /// An alert about the service.
    Service(ServiceAlert),
}

impl fmt::Display for AnyAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyAlert::Order(alert) => alert.fmt(f),
            AnyAlert::Service(alert) => alert.fmt(f),
        }
    }
}

impl crate::explain::Coded for AnyAlert {
    const NAME: &'static str = "Alert";

    fn codes() -> Vec<&'static str> {
        use strum::VariantNames;

        [AlertKind::VARIANTS, ServiceAlert::VARIANTS].concat()
    }
}
