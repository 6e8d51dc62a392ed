//! Settles what came of asking: answers that come close together share a commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::{POLL, STORE_PAUSE, logged, step};
use crate::clock;
use crate::logged::{masked, millis};
use crate::order::Id;
use crate::store::{Outcome, Settled, Store, StoreError};
use crate::vitals::Vitals;

/// How long answers gather before they are settled. They keep nobody waiting, since their lanes are free by
/// then; and the fewer commits there are, the less callbacks have to wait for them.
const GATHER: Duration = Duration::from_millis(3);

/// The most that are settled at once.
const OUTCOMES_MAX: usize = 256;

/// Who settles what came of asking about one project's orders.
pub(super) struct Settler {
    /// The project.
    pub project: Id,
    /// Where outcomes are kept.
    pub store: Store,
    /// Where it shows that it is alive, and what the last question came to.
    pub vitals: Arc<Vitals>,
}

impl Settler {
    /// Settles outcomes until nobody can send any more.
    ///
    /// # Errors
    ///
    /// When the store cannot be used any more.
    pub async fn run(self, mut outcomes: UnboundedReceiver<Outcome>) -> Result<(), StoreError> {
        let name = format!("settle {}", self.project);
        let mut gathered = Vec::new();
        loop {
            self.vitals.beat(&name);
            let coming = outcomes.recv_many(&mut gathered, OUTCOMES_MAX);
            match timeout(POLL, coming).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(_) => continue,
            }
            sleep(GATHER).await;
            while gathered.len() < OUTCOMES_MAX
                && let Ok(outcome) = outcomes.try_recv()
            {
                gathered.push(outcome);
            }
            self.settle(&name, std::mem::take(&mut gathered)).await?;
        }
    }

    /// The answers are here; they are not let go until they are on disk.
    async fn settle(&self, name: &str, outcomes: Vec<Outcome>) -> Result<(), StoreError> {
        let mut outcomes: Arc<[Outcome]> = outcomes.into();
        loop {
            let settled = self.store.settle(outcomes.clone()).await;
            // The store has set aside what spoils the others, so it is something else.
            let refused = matches!(settled, Err(StoreError::Rejected(_)));
            if let Some(settled) = step(&self.vitals, name, settled)? {
                self.report(&outcomes, &settled);
                return Ok(());
            }
            if refused {
                let (project, answers) = (&self.project, outcomes.len());
                tracing::error!(%project, answers, "answers could not be recorded: their orders are asked about again");
                return Ok(());
            }
            sleep(STORE_PAUSE).await;
            let now = clock::now();
            outcomes = outcomes
                .iter()
                .map(|outcome| Outcome {
                    now,
                    ..outcome.clone()
                })
                .collect();
        }
    }

    fn report(&self, outcomes: &[Outcome], settled: &[Settled]) {
        let mut last = None;
        for (outcome, settled) in outcomes.iter().zip(settled) {
            self.log(outcome, settled);
            if let Settled::Done { finding, .. } = settled {
                last = Some((outcome, finding));
            }
        }
        if let Some((outcome, finding)) = last {
            let (at, answered) = (outcome.now, outcome.result.is_ok());
            self.vitals
                .asked(&self.project, at, answered, finding.clone());
        }
    }

    fn log(&self, outcome: &Outcome, settled: &Settled) {
        let (project, order) = (&self.project, logged(&outcome.claim.key));
        let attempts = outcome.claim.attempts;
        let took_ms = millis(outcome.now.since(outcome.asked_at));
        match settled {
            Settled::Fenced => {
                tracing::warn!(%project, %order, took_ms, "the answer came after the lease had run out");
            }
            Settled::Aside { reason } => {
                let reason = masked(reason);
                tracing::error!(%project, %order, attempts, %reason, "parked the order: its row is at fault");
            }
            Settled::Done {
                finding,
                parked: Some(parked),
                ..
            } => {
                let (finding, parked) = (masked(finding), masked(parked));
                tracing::error!(%project, %order, attempts, %finding, %parked, "parked the order");
            }
            Settled::Done {
                finding,
                anomaly: true,
                ..
            } => {
                let finding = masked(finding);
                tracing::warn!(%project, %order, attempts, took_ms, %finding, "asked, and was surprised");
            }
            Settled::Done { finding, .. } => {
                let finding = masked(finding);
                tracing::info!(%project, %order, attempts, took_ms, %finding, "asked");
            }
        }
    }
}
