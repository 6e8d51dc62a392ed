//! Retention report: what is due to be pruned is counted, beside the writer.

use std::sync::LazyLock;

use super::{Store, StoreError};
use crate::store::sql::retention_report::{Dialect, Report, SEQUENCE, statement};
use crate::store::{KindReport, RetentionKind, RetentionPeriods};
use number_order::Time;

// The index is named, since without statistics SQLite would read through everything up to processed_through.
const DIALECT: Dialect = Dialect {
    is_parked: "r.phase = 'parked'",
    has_body: "true",
    parked_ids: "(SELECT id FROM deliveries INDEXED BY deliveries_parked WHERE phase = 'parked') AS p",
    has_delivery: "EXISTS (SELECT 1 FROM deliveries AS r WHERE r.order_id = o.id \
                   AND r.id > CASE WHEN r.phase = 'parked' THEN $3 ELSE $2 END)",
    closed_since: "o.closed_at",
    orders_known: "(SELECT sum(orders) FROM state_counts)",
};

/// Statement of each kind, in the sequence in which they are executed.
pub(super) static STATEMENTS: LazyLock<[(RetentionKind, String); SEQUENCE.len()]> =
    LazyLock::new(|| SEQUENCE.map(|kind| (kind, statement(&DIALECT, kind))));

const PROGRESS: &str = "
    SELECT bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through, events_pruned_through,
        processed_through + 1 AS first_waiting
    FROM service";

impl Store {
    pub(in crate::store) async fn retention_report(
        &self,
        periods: &RetentionPeriods,
        now: Time,
    ) -> Result<Vec<KindReport>, StoreError> {
        let mut db = self.readers.begin().await?;
        let progress = sqlx::query(PROGRESS).fetch_one(&mut *db).await?;
        let mut report = Report::new(&progress, periods, now)?;
        for (kind, sql) in STATEMENTS.iter() {
            let query = sqlx::query(sql.as_str());
            let parameters = report.parameters(*kind).into_iter();
            let query = parameters.fold(query, |query, value| query.bind(value));
            report.add(*kind, &query.fetch_one(&mut *db).await?)?;
        }
        Ok(report.finish())
    }
}
