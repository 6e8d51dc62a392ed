//! Retention report: what is due to be pruned is counted, all from one moment.

use std::sync::LazyLock;

use super::Store;
use super::lane::bounded;
use crate::store::sql::retention_report::{Dialect, Report, SEQUENCE, statement};
use crate::store::{KindReport, RetentionKind, RetentionPeriods, StoreError};
use number_order::Time;

const DIALECT: Dialect = Dialect {
    is_parked: "(r.kind = 'not-understood' \
                OR EXISTS (SELECT 1 FROM decisions AS c WHERE c.delivery_id = r.id AND c.parked))",
    has_body: "r.body IS NOT NULL",
    parked_ids: "(SELECT id FROM deliveries WHERE kind = 'not-understood' \
                 UNION ALL SELECT delivery_id AS id FROM decisions WHERE parked) AS p",
    has_delivery: "EXISTS (SELECT 1 FROM decisions AS c WHERE c.order_id = o.id \
                   AND c.delivery_id > CASE WHEN c.parked THEN $3 ELSE $2 END)",
    closed_since: "greatest(o.closed_at, coalesce(o.heard_at, 0))",
    orders_known: "CAST(NULL AS bigint)",
};

/// Statement of each kind, in the sequence in which they are executed.
static STATEMENTS: LazyLock<[(RetentionKind, String); SEQUENCE.len()]> =
    LazyLock::new(|| SEQUENCE.map(|kind| (kind, statement(&DIALECT, kind))));

const PROGRESS: &str = "
    SELECT bodies_emptied_through, deliveries_pruned_through, fetches_pruned_through, events_pruned_through,
        (SELECT min(id) FROM pending) AS first_waiting
    FROM service WHERE id = 1";

impl Store {
    pub(in crate::store) async fn retention_report(
        &self,
        periods: &RetentionPeriods,
        now: Time,
    ) -> Result<Vec<KindReport>, StoreError> {
        let now = self.shared.clock.database(now);
        bounded(async || {
            let mut work = self.shared.readers.begin_reading().await?;
            let progress = sqlx::query(PROGRESS).fetch_one(&mut *work).await?;
            let mut report = Report::new(&progress, periods, now)?;
            for (kind, sql) in STATEMENTS.iter() {
                let query = sqlx::query(sql.as_str());
                let parameters = report.parameters(*kind).into_iter();
                let query = parameters.fold(query, |query, value| query.bind(value));
                report.add(*kind, &query.fetch_one(&mut *work).await?)?;
            }
            work.undo().await?;
            Ok(report.finish())
        })
        .await
    }
}
