//! Alerts about the service: the facts that the file has, and what they change of the alerts.
//!
//! One worker of one process looks for changes, so it reads beside the writer, and writes only what changes.

use sqlx::SqliteConnection;

use super::command::{WriteCommand, WriteContext};
use super::script::Script;
use super::{Store, StoreError, outbox};
use crate::store::sql::service_alerts::{
    OpenEpisode, PARKED_FOR, alert_row, changes, code, facts, select_target_facts, tell,
};
use crate::store::sql::unreadable::{self, Met, Read};
use crate::store::{Observed, ServiceAlertChanges, ServiceAlertRow};
use notifications::{AlertLimits, Disk, Episode, EpisodeChange, EpisodeWrite};
use number_order::{Id, Time};

/// Facts about the projects. Of parked orders and deliveries, and of changes, only a limited number is looked at, so that no
/// fact takes long to find.
pub(super) const PROJECT_FACTS: &str = "
    SELECT p.sinch_id AS project, p.active, p.heard_at, p.pause_reason, p.pause_fields,
        coalesce(o.orders, 0) AS orders_parked, coalesce(d.deliveries, 0) AS deliveries_parked,
        coalesce(q.callbacks, 0) AS from_unknown_sources, q.addresses AS unknown_sources,
        coalesce(c.changes, 0) AS unannounced, c.first_at AS unannounced_at
    FROM projects AS p
    LEFT JOIN (SELECT project, count(*) AS orders
        FROM (SELECT project FROM orders INDEXED BY orders_parked WHERE parked IS NOT NULL
            AND coalesce(dismissed_at, 0) <= max(coalesce(fetched_at, 0), coalesce(heard_at, 0)) LIMIT 100000)
        GROUP BY project) AS o ON o.project = p.id
    LEFT JOIN (SELECT project, count(*) AS deliveries
        FROM (SELECT project, received_at FROM deliveries INDEXED BY deliveries_parked WHERE phase = 'parked'
            AND NOT EXISTS (SELECT 1 FROM dismissals WHERE delivery_id = deliveries.id)
            ORDER BY id DESC LIMIT 10000)
        WHERE received_at > ? GROUP BY project) AS d ON d.project = p.id
    LEFT JOIN (SELECT project, sum(callbacks) AS callbacks, json_group_array(source) AS addresses
        FROM (SELECT project, source, count(*) AS callbacks FROM quarantine WHERE reason = 'unknown-source'
            GROUP BY project, source ORDER BY project, count(*) DESC, source)
        GROUP BY project) AS q ON q.project = p.id
    LEFT JOIN (SELECT o.project, count(*) AS changes, min(v.recorded_at) AS first_at
        FROM (SELECT order_id, recorded_at, from_state, announced FROM transitions ORDER BY id DESC LIMIT 4000) AS v
        CROSS JOIN orders AS o ON o.id = v.order_id CROSS JOIN projects AS p ON p.id = o.project
        WHERE v.announced = 0 AND v.from_state IS NOT NULL AND v.recorded_at > coalesce(p.heard_at, 0)
        GROUP BY o.project) AS c ON c.project = p.id
    ORDER BY p.id";

pub(super) const TARGET_FACTS: &str = select_target_facts!();

/// Alerts that are not resolved.
pub(super) const SELECT_OPEN: &str = "
    SELECT json_array(id, kind, kind_fields, subject, began_at, seen_at, fired_at)
    FROM service_alerts INDEXED BY service_alerts_open WHERE resolved_at IS NULL ORDER BY id";

const NOTE_HEARD: &str =
    "UPDATE projects SET heard_at = max(coalesce(heard_at, 0), ?2) WHERE sinch_id = ?1";

const INSERT: &str = "
    INSERT INTO service_alerts (kind, kind_fields, subject, began_at, seen_at, fired_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING";

const UPDATE: &str = "
    UPDATE service_alerts SET kind_fields = ?2, seen_at = ?3, fired_at = ?4, resolved_at = ?5
    WHERE id = ?1 AND resolved_at IS NULL";

const REMOVE: &str = "DELETE FROM service_alerts WHERE id = ? AND fired_at IS NULL";

/// Reads the alerts that are not resolved.
async fn open_episodes(db: &mut SqliteConnection, met: &Met) -> sqlx::Result<Vec<Episode>> {
    let found = sqlx::query(SELECT_OPEN).fetch_all(db).await?;
    let found: Read<OpenEpisode> = unreadable::each(&found)?;
    met.note(&found.unreadable);
    let open = found.rows.into_iter().map(|OpenEpisode(episode)| episode);
    Ok(open.collect())
}

/// Reads the alerts that fire.
pub(super) async fn firing(
    db: &mut SqliteConnection,
    met: &Met,
) -> sqlx::Result<Vec<ServiceAlertRow>> {
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
        if !observed.heard.is_empty() {
            self.write(NoteHeard(observed.heard.clone())).await?;
        }
        let changes = self.service_changes(observed, limits, now).await?;
        if changes.is_empty() {
            return Ok(ServiceAlertChanges::default());
        }
        self.write(RecordChanges { changes, now }).await
    }

    async fn service_changes(
        &self,
        observed: &Observed,
        limits: &AlertLimits,
        now: Time,
    ) -> Result<Vec<EpisodeChange>, StoreError> {
        let mut db = self.readers.begin().await?;
        let open = open_episodes(&mut db, &self.met).await?;
        let projects = sqlx::query(PROJECT_FACTS)
            .bind(now.minus(PARKED_FOR).0)
            .fetch_all(&mut *db)
            .await?;
        let targets = sqlx::query(TARGET_FACTS).fetch_all(&mut *db).await?;
        let mut facts = facts(&projects, &targets, observed)?;
        facts.disk = Some(Disk {
            free_bytes: self.space.free_bytes(),
            refused_below_bytes: self.space.free_min_bytes(),
        });
        Ok(changes(&facts, &open, limits, now))
    }
}

/// Notes of projects when a callback last came.
struct NoteHeard(Vec<(Id, Time)>);

impl WriteCommand for NoteHeard {
    type Reply = ();

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<()> {
        for (project, at) in &self.0 {
            sqlx::query(NOTE_HEARD)
                .bind(project.as_str())
                .bind(at.0)
                .execute(&mut context.db)
                .await?;
        }
        Ok(())
    }
}

/// Records changes of alerts, and the events that tell of them.
struct RecordChanges {
    changes: Vec<EpisodeChange>,
    now: Time,
}

impl WriteCommand for RecordChanges {
    type Reply = ServiceAlertChanges;

    async fn run(&self, context: &mut WriteContext) -> sqlx::Result<ServiceAlertChanges> {
        let db = &mut context.db;
        let (mut events, mut reported) = (Vec::new(), ServiceAlertChanges::default());
        for change in &self.changes {
            if record(db, change).await? {
                tell(change, self.now, &mut events, &mut reported);
            }
        }
        let left = outbox::add(db, &mut context.outbox, Script::default(), &events).await?;
        left.execute(db).await?;
        Ok(reported)
    }
}

/// Records a change; `false`: the alert was changed since.
async fn record(db: &mut SqliteConnection, change: &EpisodeChange) -> sqlx::Result<bool> {
    let episode = &change.episode;
    let alert = code(episode);
    let at = |time: Option<Time>| time.map(|time| time.0);
    let query = match change.write {
        EpisodeWrite::Insert => sqlx::query(INSERT)
            .bind(alert.code)
            .bind(alert.fields)
            .bind(&episode.subject)
            .bind(episode.began_at.0)
            .bind(episode.seen_at.0)
            .bind(at(episode.fired_at)),
        EpisodeWrite::Update => sqlx::query(UPDATE)
            .bind(episode.id)
            .bind(alert.fields)
            .bind(episode.seen_at.0)
            .bind(at(episode.fired_at))
            .bind(at(episode.resolved_at)),
        EpisodeWrite::Remove => sqlx::query(REMOVE).bind(episode.id),
    };
    Ok(query.execute(db).await?.rows_affected() > 0)
}
