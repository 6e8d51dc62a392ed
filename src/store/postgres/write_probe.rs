//! Write probe: the proof that a callback of each project would be accepted now. A trial callback is written like any
//! other, and undone.
//!
//! A database that takes writes is not enough: if another program has removed a project's row or added a trigger, every
//! callback would be refused while all else goes well.

use bytes::Bytes;

use super::Store;
use super::error::Fault;
use super::inbox::{self, Incoming};
use super::lane::bounded;
use crate::store::{DeliveryContent, NewDelivery, StoreError};
use number_order::{Id, State, Status, Time};

impl Store {
    pub(in crate::store) async fn probe_write(&self, now: Time) -> Result<(), StoreError> {
        let now = self.shared.clock.database(now);
        for project in &self.shared.projects {
            let refused = bounded(|| self.try_callback(project, now)).await;
            refused.map_err(|error| match error {
                StoreError::Rejected(reason) => StoreError::Rejected(format!(
                    "a callback of {project} would be refused: {reason}"
                )),
                other => other,
            })?;
        }
        bounded(|| self.shared.replica.touch(&self.shared.commands)).await
    }

    async fn try_callback(&self, project: &Id, now: Time) -> Result<(), Fault> {
        let mut work = self.shared.commands.begin().await?;
        let incoming = Incoming::new(&trial_callback(project, now), now.0);
        for accepted in inbox::accept(&mut work, &[incoming]).await? {
            accepted?;
        }
        work.undo().await
    }
}

/// Returns a callback that no other replica tries at the same moment: its row is undone, and none waits for it.
fn trial_callback(project: &Id, now: Time) -> NewDelivery {
    NewDelivery {
        callback_key: None,
        project: project.clone(),
        event_id: Some(format!("trial of readiness {:016x}", fastrand::u64(..))),
        subject: DeliveryContent::Order {
            order: project.clone(),
            status: Status::Known(State::Created),
            said_at: Some(now),
        },
        received_at: now,
        body: Bytes::new(),
    }
}
