//! Orders that need an operator: not fetched, parked, running out of time, or with numbers that are not ready.

use super::trouble::{Cure, Found, Trouble, command, counted_in, counts, object};
use crate::commands::fetching;
use number_order::counted;

impl Found<'_> {
    /// Projects whose orders are not fetched, and those whose fetches fail before their circuit opens.
    pub(super) fn fetches(&self) -> Vec<Trouble> {
        let projects = object(&self.status["api"]).iter();
        let troubles = projects.filter_map(|(project, api)| {
            let waiting = fetching::waiting(self.status, project);
            let waiting = waiting.map_or_else(String::new, |waiting| format!("; {waiting}"));
            if let Some(circuit) = fetching::open_circuit(api, self.now) {
                return Some(Trouble {
                    code: "circuit-open",
                    text: format!(
                        "The orders of project {project} are not fetched: its circuit {circuit}{waiting}"
                    ),
                    cures: vec![
                        Cure::Words("remove the cause; then, so as not to wait for the next probe:"),
                        command(&["resume", project]),
                    ],
                });
            }
            let failing = fetching::failing(api, self.now)?;
            Some(Trouble {
                code: "fetches-fail",
                text: format!("Project {project}: {failing}{waiting}"),
                cures: vec![
                    Cure::Words("the service tries again by itself; what is wrong on your side, if anything, says:"),
                    command(&["check", "--online"]),
                ],
            })
        });
        troubles.collect()
    }

    pub(super) fn alerts(&self) -> Vec<Trouble> {
        let counts = counts(&self.status["orders_needing_attention"]);
        let firing = (!counts.is_empty()).then(|| Trouble {
            code: "orders-need-attention",
            text: format!("Orders need attention: {}", counts.join(", ")),
            cures: vec![command(&["alerts"])],
        });
        firing.into_iter().collect()
    }

    pub(super) fn parked(&self) -> Vec<Trouble> {
        let orders = self.count("orders_parked");
        let orders = (orders > 0).then(|| Trouble {
            code: "orders-parked",
            text: counted(
                orders,
                "order is parked: it is not fetched any more",
                "orders are parked: they are not fetched any more",
            ),
            cures: vec![command(&["parked"]), command(&["fetch", "--parked"])],
        });
        orders.into_iter().collect()
    }

    pub(super) fn numbers(&self) -> Vec<Trouble> {
        let failed = self.status["numbers_not_ready"]["failed"].as_u64();
        let late = self.count("numbers_late");
        let failed = failed
            .filter(|numbers| *numbers > 0)
            .map(|numbers| Trouble {
                code: "numbers-failed",
                text: counted(
                    numbers,
                    "number of a completed order could not be linked",
                    "numbers of completed orders could not be linked",
                ),
                cures: vec![command(&["orders", "--readiness", "failed"])],
            });
        let late = (late > 0).then(|| Trouble {
            code: "numbers-late",
            text: counted(
                late,
                "number is not ready three days after its order",
                "numbers are not ready three days after their order",
            ),
            cures: vec![command(&["orders", "--readiness", "late"])],
        });
        failed.into_iter().chain(late).collect()
    }

    pub(super) fn projects(&self) -> Vec<Trouble> {
        let projects = self.not_configured.iter().map(|project| Trouble {
            code: "project-not-configured",
            text: format!(
                "Of project {project}, {} not fetched: it is not configured",
                counted_in(
                    &self.status["orders_not_fetched"],
                    project,
                    "order is",
                    "orders are"
                )
            ),
            cures: vec![
                Cure::Words("configure it again, or remove what is left of it:"),
                command(&["drop-project", project]),
            ],
        });
        projects.collect()
    }
}
