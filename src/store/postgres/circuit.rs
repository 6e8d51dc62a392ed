//! Circuits of projects, which all replicas share.
//!
//! A replica's fetcher decides what its results mean, on the circuit as it is in the project's row. It stores a change
//! only over the state that it knew, or over one that is open for less long.

use sqlx::PgConnection;

use super::Store;
use super::error::Fault;
use super::lane::bounded;
use crate::store::sql::codes::{self, Code};
use crate::store::sql::{Columns, time};
use crate::store::{Circuit, StoreError};
use number_order::Id;

const SELECT_CIRCUIT: &str = "
    SELECT failures, paused_since_at, paused_until_at, pause_reason, pause_fields FROM projects WHERE sinch_id = $1";

/// Stores a circuit. One that several replicas open has been open since the first of them opened it.
const UPDATE_CIRCUIT: &str = "
    UPDATE projects SET failures = $2, paused_until_at = $3, pause_reason = $4, pause_fields = $5,
        paused_since_at = CASE WHEN $3 IS NOT NULL THEN least(paused_since_at, $7) END, probe_lease = NULL,
        probe_until_at = NULL
    WHERE sinch_id = $1 AND (paused_until_at IS NOT DISTINCT FROM $6 OR coalesce(paused_until_at < $3, $3 IS NOT NULL))";

const END_PROBES: &str = "
    UPDATE projects SET probe_lease = NULL, probe_until_at = NULL WHERE probe_lease = ANY ($1)";

/// Ends the probes that were sent under the given leases: others may try now.
pub(super) async fn end_probes(db: &mut PgConnection, leases: &[i64]) -> Result<(), Fault> {
    sqlx::query(END_PROBES).bind(leases).execute(db).await?;
    Ok(())
}

impl Store {
    pub(in crate::store) async fn circuit(&self, project: &Id) -> Result<Circuit, StoreError> {
        bounded(|| self.read_circuit(project)).await
    }

    pub(in crate::store) async fn shared_circuit(
        &self,
        project: &Id,
    ) -> Result<Option<Circuit>, StoreError> {
        self.circuit(project).await.map(Some)
    }

    async fn read_circuit(&self, project: &Id) -> Result<Circuit, Fault> {
        let mut work = self.shared.fetches.begin().await?;
        let row = sqlx::query(SELECT_CIRCUIT)
            .bind(project.as_str())
            .fetch_optional(&mut *work)
            .await?;
        work.undo().await?;
        let circuit = row.as_ref().map(circuit_of_row).transpose()?;
        let mut circuit = circuit.unwrap_or_default();
        if let Some((until, _)) = &mut circuit.paused {
            *until = self.shared.clock.program(*until);
        }
        let since = circuit.paused_since;
        circuit.paused_since = since.map(|since| self.shared.clock.program(since));
        Ok(circuit)
    }

    pub(in crate::store) async fn save_circuit(
        &self,
        project: Id,
        before: Circuit,
        circuit: Circuit,
    ) -> Result<(), StoreError> {
        bounded(|| self.write_circuit(&project, &before, &circuit)).await
    }

    async fn write_circuit(
        &self,
        project: &Id,
        before: &Circuit,
        circuit: &Circuit,
    ) -> Result<(), Fault> {
        let database = |time| self.shared.clock.database(time).0;
        let paused = circuit.paused.as_ref();
        let reason = paused.map(|(_, reason)| Code::new(reason));
        let (code, fields) = reason.map(|reason| (reason.code, reason.fields)).unzip();
        let mut work = self.shared.fetches.begin().await?;
        sqlx::query(UPDATE_CIRCUIT)
            .bind(project.as_str())
            .bind(i64::from(circuit.failures))
            .bind(paused.map(|(until, _)| database(*until)))
            .bind(code)
            .bind(fields.flatten())
            .bind(before.paused.as_ref().map(|(until, _)| database(*until)))
            .bind(circuit.paused_since.map(database))
            .execute(&mut *work)
            .await?;
        work.commit().await
    }
}

fn circuit_of_row(row: &impl Columns) -> sqlx::Result<Circuit> {
    let until = time(row, "paused_until_at")?;
    // Any other value was not written by this program: the failures count again if they last.
    let reason = codes::read(row, "pause_reason", "pause_fields").ok();
    let paused = until.zip(reason.flatten());
    Ok(Circuit {
        failures: u32::try_from(row.int("failures")?).unwrap_or(0),
        paused_since: time(row, "paused_since_at")?.filter(|_| paused.is_some()),
        paused,
    })
}
