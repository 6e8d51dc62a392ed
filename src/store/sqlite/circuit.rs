//! Circuits of projects, which a restart must not forget.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::command::{WriteCommand, WriteContext};
use super::{Store, StoreError};
use crate::store::Circuit;
use crate::store::sql::codes::{self, Code};
use crate::store::sql::time;
use number_order::{Id, Time};

const SELECT_CIRCUIT: &str = "
    SELECT failures, paused_since_at, paused_until_at, pause_reason, pause_fields FROM projects WHERE sinch_id = ?";

const UPDATE_CIRCUIT: &str = "
    UPDATE projects SET failures = ?, paused_since_at = ?, paused_until_at = ?, pause_reason = ?, pause_fields = ?
    WHERE sinch_id = ?";

struct SaveCircuit(Id, Circuit);

impl WriteCommand for SaveCircuit {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        let SaveCircuit(project, circuit) = self;
        let (until, reason) = match &circuit.paused {
            Some((until, reason)) => (Some(until.0), Some(Code::new(reason))),
            None => (None, None),
        };
        let (code, fields) = reason.map(|reason| (reason.code, reason.fields)).unzip();
        sqlx::query(UPDATE_CIRCUIT)
            .bind(circuit.failures)
            .bind(circuit.paused_since.map(|since| since.0))
            .bind(until)
            .bind(code)
            .bind(fields.flatten())
            .bind(project.as_str())
            .execute(&mut context.db)
            .await?;
        Ok(())
    }
}

impl Store {
    pub(in crate::store) async fn circuit(&self, project: &Id) -> Result<Circuit, StoreError> {
        let found = sqlx::query(SELECT_CIRCUIT)
            .bind(project.as_str())
            .fetch_optional(&mut *self.readers.begin().await?)
            .await?;
        Ok(found
            .as_ref()
            .map(circuit_of_row)
            .transpose()?
            .unwrap_or_default())
    }

    #[expect(clippy::unused_async, reason = "other backends read it")]
    pub(in crate::store) async fn shared_circuit(
        &self,
        _project: &Id,
    ) -> Result<Option<Circuit>, StoreError> {
        Ok(None)
    }

    pub(in crate::store) async fn save_circuit(
        &self,
        project: Id,
        _before: Circuit,
        circuit: Circuit,
    ) -> Result<(), StoreError> {
        self.write(SaveCircuit(project, circuit)).await
    }
}

fn circuit_of_row(row: &SqliteRow) -> sqlx::Result<Circuit> {
    let until: Option<i64> = row.try_get("paused_until_at")?;
    let failures: i64 = row.try_get("failures")?;
    // Any other value was not written by this program: the failures count again if they last.
    let reason = codes::read(row, "pause_reason", "pause_fields").ok();
    let paused = until.map(Time).zip(reason.flatten());
    Ok(Circuit {
        failures: u32::try_from(failures).unwrap_or(0),
        paused_since: time(row, "paused_since_at")?.filter(|_| paused.is_some()),
        paused,
    })
}
