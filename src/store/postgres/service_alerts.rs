//! Alerts about the service: the facts that the database has, and what they change of the alerts.
//!
//! Each replica looks for changes, and each sees a part. So a replica that looks locks the table first: what it reads then is newer
//! than whatever another one has decided, and no alert fires or is resolved twice.

use sqlx::PgConnection;

use super::error::Fault;
use super::lane::bounded;
use super::{Store, outbox, storable};
use crate::store::sql::service_alerts::{
    OpenEpisode, PARKED_FOR, alert_row, changes, code, facts, select_target_facts, tell,
};
use crate::store::sql::unreadable::{self, Met, Read};
use crate::store::{Observed, ServiceAlertChanges, ServiceAlertRow, StoreError};
use notifications::{AlertLimits, Episode, EpisodeChange, EpisodeWrite, RefusedCallback};
use number_order::{Id, Time};

/// Others who read the alerts are not kept from it.
const LOCK: &str = "LOCK TABLE service_alerts IN SHARE ROW EXCLUSIVE MODE";

/// Facts about the projects. Of parked orders and deliveries, and of changes, only a limited number is looked at, so that no
/// fact takes long to find.
const PROJECT_FACTS: &str = "
    SELECT p.sinch_id AS project, p.active, p.heard_at, p.pause_reason, p.pause_fields,
        coalesce(o.orders, 0) AS orders_parked, coalesce(d.deliveries, 0) AS deliveries_parked,
        coalesce(q.callbacks, 0)::bigint AS from_unknown_sources, q.addresses AS unknown_sources,
        coalesce(c.changes, 0) AS unannounced, c.first_at AS unannounced_at
    FROM projects AS p
    LEFT JOIN (SELECT project, count(*) AS orders
        FROM (SELECT project FROM orders WHERE parked IS NOT NULL
            AND coalesce(dismissed_at, 0) <= greatest(coalesce(fetched_at, 0), coalesce(heard_at, 0)) LIMIT 100000) AS v
        GROUP BY project) AS o ON o.project = p.id
    LEFT JOIN (SELECT d.project, count(*) AS deliveries
        FROM ((SELECT id FROM deliveries WHERE kind = 'not-understood' ORDER BY id DESC LIMIT 10000)
            UNION ALL (SELECT delivery_id FROM decisions WHERE parked ORDER BY delivery_id DESC LIMIT 10000)) AS v
        JOIN deliveries AS d ON d.id = v.id
        WHERE d.received_at > $1 AND NOT EXISTS (SELECT 1 FROM dismissals WHERE delivery_id = d.id) GROUP BY d.project) AS d ON d.project = p.id
    LEFT JOIN (SELECT project, sum(callbacks) AS callbacks, json_agg(source)::text AS addresses
        FROM (SELECT project, source, count(*) AS callbacks FROM quarantine WHERE reason = 'unknown-source'
            GROUP BY project, source ORDER BY project, count(*) DESC, source) AS v
        GROUP BY project) AS q ON q.project = p.id
    LEFT JOIN (SELECT o.project, count(*) AS changes, min(v.recorded_at) AS first_at
        FROM (SELECT order_id, recorded_at, from_state, announced FROM transitions ORDER BY id DESC LIMIT 4000) AS v
        JOIN orders AS o ON o.id = v.order_id JOIN projects AS p ON p.id = o.project
        WHERE NOT v.announced AND v.from_state IS NOT NULL AND v.recorded_at > coalesce(p.heard_at, 0)
        GROUP BY o.project) AS c ON c.project = p.id
    ORDER BY p.id";

const TARGET_FACTS: &str = select_target_facts!();

/// Alerts that are not resolved.
const SELECT_OPEN: &str = "
    SELECT json_build_array(id, kind, kind_fields, subject, began_at, seen_at, fired_at)::text
    FROM service_alerts WHERE resolved_at IS NULL ORDER BY id";

const NOTE_HEARD: &str = "
    UPDATE projects SET heard_at = greatest(heard_at, $2) WHERE sinch_id = $1";

const INSERT: &str = "
    INSERT INTO service_alerts (kind, kind_fields, subject, began_at, seen_at, fired_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

const UPDATE: &str = "
    UPDATE service_alerts SET kind_fields = $2, seen_at = $3, fired_at = $4, resolved_at = $5
    WHERE id = $1 AND resolved_at IS NULL";

const REMOVE: &str = "DELETE FROM service_alerts WHERE id = $1 AND fired_at IS NULL";

/// Reads the alerts that are not resolved.
async fn open_episodes(db: &mut PgConnection, met: &Met) -> sqlx::Result<Vec<Episode>> {
    let found = sqlx::query(SELECT_OPEN).fetch_all(db).await?;
    let found: Read<OpenEpisode> = unreadable::each(&found)?;
    met.note(&found.unreadable);
    let open = found.rows.into_iter().map(|OpenEpisode(episode)| episode);
    Ok(open.collect())
}

/// Reads the alerts that fire.
pub(super) async fn firing(db: &mut PgConnection, met: &Met) -> sqlx::Result<Vec<ServiceAlertRow>> {
    let open = open_episodes(db, met).await?;
    Ok(open.iter().filter_map(alert_row).collect())
}

impl Store {
    pub(in crate::store) async fn check_service(
        &self,
        observed: &Observed,
        limits: &AlertLimits,
        now: Time,
    ) -> Result<ServiceAlertChanges, StoreError> {
        let observed = self.by_database(observed);
        let now = self.shared.clock.database(now);
        let changes = bounded(|| self.find_and_record(&observed, limits, now)).await?;
        if changes != ServiceAlertChanges::default() {
            self.shared.told.notify_waiters();
        }
        Ok(changes)
    }

    /// Returns what was observed with its times by the database's clock.
    fn by_database(&self, observed: &Observed) -> Observed {
        let clock = self.shared.clock;
        let mut observed = observed.clone();
        for (_, at) in &mut observed.heard {
            *at = clock.database(*at);
        }
        for RefusedCallback { at, .. } in &mut observed.refused {
            *at = clock.database(*at);
        }
        observed
    }

    async fn find_and_record(
        &self,
        observed: &Observed,
        limits: &AlertLimits,
        now: Time,
    ) -> Result<ServiceAlertChanges, Fault> {
        let mut work = self.shared.commands.begin().await?;
        sqlx::raw_sql(LOCK).execute(&mut *work).await?;
        note_heard(&mut work, &observed.heard).await?;
        let open = open_episodes(&mut work, &self.shared.met).await?;
        let projects = sqlx::query(PROJECT_FACTS)
            .bind(now.minus(PARKED_FOR).0)
            .fetch_all(&mut *work)
            .await?;
        let targets = sqlx::query(TARGET_FACTS).fetch_all(&mut *work).await?;
        let facts = facts(&projects, &targets, observed)?;
        let (mut events, mut reported) = (Vec::new(), ServiceAlertChanges::default());
        for change in changes(&facts, &open, limits, now) {
            if record(&mut work, &change).await? {
                tell(&change, now, &mut events, &mut reported);
            }
        }
        outbox::add(&mut work, &self.shared.replica.targets, &events).await?;
        work.commit().await?;
        Ok(reported)
    }
}

/// Notes of projects when a callback last came, in the order of their ids, so that no two replicas wait for each other.
async fn note_heard(db: &mut PgConnection, heard: &[(Id, Time)]) -> Result<(), Fault> {
    let mut heard: Vec<&(Id, Time)> = heard.iter().collect();
    heard.sort();
    for (project, at) in heard {
        sqlx::query(NOTE_HEARD)
            .bind(project.as_str())
            .bind(at.0)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// Records a change; `false`: the alert cannot be read, so it is left as it is.
async fn record(db: &mut PgConnection, change: &EpisodeChange) -> Result<bool, Fault> {
    let episode = &change.episode;
    let alert = code(episode);
    let fields = alert.fields.as_deref();
    let fields = fields.map(|fields| storable(fields).into_owned());
    let at = |time: Option<Time>| time.map(|time| time.0);
    let query = match change.write {
        EpisodeWrite::Insert => sqlx::query(INSERT)
            .bind(alert.code)
            .bind(fields)
            .bind(&episode.subject)
            .bind(episode.began_at.0)
            .bind(episode.seen_at.0)
            .bind(at(episode.fired_at)),
        EpisodeWrite::Update => sqlx::query(UPDATE)
            .bind(episode.id)
            .bind(fields)
            .bind(episode.seen_at.0)
            .bind(at(episode.fired_at))
            .bind(at(episode.resolved_at)),
        EpisodeWrite::Remove => sqlx::query(REMOVE).bind(episode.id),
    };
    Ok(query.execute(db).await?.rows_affected() > 0)
}
