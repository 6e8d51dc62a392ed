//! Write probe: the proof that a callback of each project would be accepted now. A trial callback is written like any
//! other, and undone.
//!
//! A disk that takes writes is not enough: if another program has removed a project's row or added a trigger, every
//! callback would be refused while all else goes well.

use std::collections::HashMap;

use bytes::Bytes;
use sqlx::SqliteConnection;

use super::command::{WriteCommand, WriteContext};
use super::inbox;
use super::savepoint::refused;
use super::{Store, StoreError};
use crate::store::{DeliveryContent, NewDelivery};
use number_order::{Id, State, Status, Time};

/// Event id of the trial callbacks, which are undone.
const TRIAL_EVENT_ID: &str = "trial of readiness";

/// Records the time, and returns the reason why a callback would be refused. `next_id` is the first id that no delivery
/// has been given yet.
async fn probe_write(
    db: &mut SqliteConnection,
    now: Time,
    mut next_id: i64,
    projects: &HashMap<Id, i64>,
) -> sqlx::Result<Result<(), String>> {
    let noted = sqlx::query("UPDATE service SET write_probed_at = ?").bind(now.0);
    if noted.execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(Err("the only row of its table service is gone".to_owned()));
    }
    let mut ids: Vec<&Id> = projects.keys().collect();
    ids.sort();
    for project in ids {
        sqlx::query("SAVEPOINT trial").execute(&mut *db).await?;
        let delivery = trial_callback(project, now);
        let taken = inbox::accept(db, &mut next_id, projects, &[&delivery]).await;
        sqlx::query("ROLLBACK TO trial").execute(&mut *db).await?;
        sqlx::query("RELEASE trial").execute(&mut *db).await?;
        if let Err(reason) = refused(taken.map(drop))? {
            return Ok(Err(format!(
                "a callback of {project} would be refused: {reason}"
            )));
        }
    }
    Ok(Ok(()))
}

/// Proves at the given time that writes are possible.
struct ProbeWrite(Time);

impl WriteCommand for ProbeWrite {
    /// Reason why a callback would be refused, if it would.
    type Reply = Result<(), String>;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<Result<(), String>> {
        let (next_id, projects) = (context.next_delivery, &context.projects);
        probe_write(&mut context.db, self.0, next_id, projects).await
    }
}

impl Store {
    pub(in crate::store) async fn probe_write(&self, now: Time) -> Result<(), StoreError> {
        let done = self.write(ProbeWrite(now)).await?;
        done.map_err(StoreError::Rejected)
    }
}

fn trial_callback(project: &Id, now: Time) -> NewDelivery {
    NewDelivery {
        callback_key: None,
        project: project.clone(),
        event_id: Some(TRIAL_EVENT_ID.to_owned()),
        subject: DeliveryContent::Order {
            order: project.clone(),
            status: Status::Known(State::Created),
            said_at: Some(now),
        },
        received_at: now,
        body: Bytes::new(),
    }
}
