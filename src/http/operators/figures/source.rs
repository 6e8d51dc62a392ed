//! What the figures of the whole service are read from, and those of its readings that take more than a line.

use std::collections::BTreeMap;
use std::sync::Arc;

use strum::VariantNames;

use super::{Reading, by, counted};
use crate::http::operators::targets::{Attention, TargetView};
use crate::metrics::Metrics;
use crate::store::{QuarantineReason, Standing};
use notifications::ServiceAlert;
use number_order::{State, Time};

/// Word for the state of orders of which no state was ever said.
const UNKNOWN: &str = "UNKNOWN";

/// Sources from which the figures are read.
pub(in crate::http::operators) struct FigureSource {
    /// Time at which the figures are read.
    pub now: Time,
    /// Metrics that the service keeps of itself.
    pub metrics: Arc<Metrics>,
    /// State of orders and deliveries in the database.
    pub standing: Standing,
    /// Targets of notifications.
    pub targets: Vec<TargetView>,
}

impl FigureSource {
    /// Returns the number of alerts about the service that fire, by each kind.
    pub(super) fn service_alerts_firing(&self) -> Reading {
        let firing = self.standing.service_alerts.iter();
        let firing: Vec<&str> = firing.map(|row| row.alert.code()).collect();
        by_code("alert", ServiceAlert::VARIANTS, &firing)
    }

    /// Returns the number of targets that an operator should see to, by each reason.
    pub(super) fn targets_needing_attention(&self) -> Reading {
        let targets = self.targets.iter();
        let found = targets.flat_map(|view| Attention::of_target(&view.row));
        let found: Vec<&str> = found.map(|reason| reason.code()).collect();
        by_code("reason", Attention::VARIANTS, &found)
    }

    /// Returns a reading for each project and each reason for which its callbacks are in the quarantine; `read` takes both,
    /// and the number of them.
    pub(super) fn by_project_and_reason(
        &self,
        read: impl Fn(&str, QuarantineReason, i64) -> Reading,
    ) -> Reading {
        let quarantined = &self.standing.summary.quarantined;
        let projects = quarantined.chunk_by(|a, b| a.0 == b.0);
        let projects = projects.filter_map(|counts| Some((counts.first()?.0.clone(), counts)));
        by("project", projects, |counts| {
            let counts = counts.iter();
            let reasons =
                counts.map(|(project, reason, kept)| (reason.code(), (project, *reason, *kept)));
            by("reason", reasons, |(project, reason, kept)| {
                read(project, reason, kept)
            })
        })
    }

    /// Returns the number of orders in each state, of those too in which there is none.
    pub(super) fn orders_by_state(&self) -> Reading {
        let states = State::ALL.iter().map(|state| state.as_str());
        let mut counts: BTreeMap<&str, i64> =
            states.chain([UNKNOWN]).map(|state| (state, 0)).collect();
        let counted_states = self.standing.summary.orders_by_state.iter();
        counts.extend(counted_states.map(|count| (count.state.as_str(), count.orders)));
        by("state", counts, counted)
    }
}

/// Returns for each code of a list how often it is among those found.
fn by_code(label: &'static str, codes: &[&'static str], found: &[&str]) -> Reading {
    let times = |code: &str| found.iter().filter(|one| **one == code).count();
    let counts = codes.iter().map(|code| (*code, times(code)));
    by(label, counts, |times| Reading::Count(times as u64))
}
