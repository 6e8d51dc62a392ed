//! Writes of a start: projects are registered, and the state that an earlier run left is made ready.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::{Connection, Row, SqliteConnection};

use super::Settings;
use super::batch::BEGIN;
use super::removal;
use crate::store::TargetSettings;
use crate::store::outbox::OutboxTarget;
use crate::store::sql::open_states;
use number_order::{Id, Time};

/// Selects the first id for a new delivery. An id up to `processed_through` counts as processed, also when retention
/// has left no row that has it.
const SELECT_NEXT_DELIVERY: &str = "
    SELECT max((SELECT coalesce(max(id), 0) FROM deliveries), processed_through) + 1 FROM service";

/// Makes due those orders that wait for a fetch, which was not possible while the project's API was off.
static RESUME_FETCHES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE OR IGNORE orders SET fetch_at = ?1 WHERE project = ?2 AND fetch_at IS NULL AND parked IS NULL \
         AND (confirmed_state IS NULL OR hints <> '[]' OR doubts <> '[]' OR tie_state IS NOT NULL \
         OR fetch_requested_at IS NOT NULL OR confirmed_state IN ({}))",
        open_states()
    )
});

/// Corrects requests of operators: a fetch that was requested later than now, by a clock that was set back since, is
/// requested now: otherwise every fetch would count as sent before the request.
const CLAMP_REQUESTS: &str = "
    UPDATE OR IGNORE orders SET fetch_requested_at = ?1, fetch_at = CASE WHEN parked IS NULL THEN ?1 END
    WHERE project = ?2 AND fetch_requested_at > ?1";

/// Plans fetches: after an unclean end every open order is fetched again, since callbacks may have been missed while
/// the service was down. The fetches are spread over as long as the rate limit needs for all, and none is later than
/// planned.
static SPREAD_FETCHES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE OR IGNORE orders SET fetch_at = min(fetch_at, ?1 + abs(random() % (1 + CAST(1000000 / ?3 AS INTEGER) * (\
         SELECT count(*) FROM orders WHERE project = ?2 AND fetch_at IS NOT NULL)))) \
         WHERE project = ?2 AND fetch_at > ?1 AND (confirmed_state IS NULL OR confirmed_state IN ({}))",
        open_states()
    )
});

/// Maximum time by which a planned fetch of an order lies ahead, unless the clock was set back since it was planned.
const AHEAD_MAX: Duration = Duration::from_secs(25 * 3600);
// A row that the schema would not take stays as it is: see `row_fault`.
const CLAMP_FETCHES: &str =
    "UPDATE OR IGNORE orders SET fetch_at = ?1 WHERE project = ?2 AND fetch_at > ?1";

/// Notes that a run is under way. Progress of retention that cannot be true, which this program never writes, starts over
/// within its bounds: otherwise the database would refuse all progress.
const BEGIN_SERVICE: &str = "
    UPDATE service SET clean_shutdown = 0,
        bodies_emptied_through = max(0, min(bodies_emptied_through, processed_through)),
        deliveries_pruned_through = max(0, min(deliveries_pruned_through, processed_through)),
        fetches_pruned_through = max(0, fetches_pruned_through)";

/// Does for numbers what [`CLAMP_FETCHES`] and [`CLAMP_REQUESTS`] do for orders: an event that seems to come from the future
/// would never be included in an answer.
const CLAMP_NUMBERS: &str = "
    UPDATE OR IGNORE order_numbers SET fetch_at = min(fetch_at, ?1), hinted_at = min(hinted_at, ?3)
    WHERE project = ?2 AND (fetch_at > ?1 OR hinted_at > ?3)";

/// State of the database with which a run of the service begins.
pub(super) struct Begun {
    /// Ids of the projects' rows.
    pub(super) projects: HashMap<Id, i64>,
    /// Targets that are configured in this run.
    pub(super) targets: Vec<OutboxTarget>,
    /// First id that no delivery has been given yet.
    pub(super) next_delivery: i64,
    /// Warnings about orders that are not fetched.
    pub(super) not_fetched: Vec<String>,
}

/// Notes in the database that a run of the service has begun.
pub(super) async fn begin(db: &mut SqliteConnection, settings: &Settings) -> sqlx::Result<Begun> {
    let mut tx = db.begin_with(BEGIN).await?;
    let begun = begin_run(&mut tx, settings).await?;
    tx.commit().await?;
    Ok(begun)
}

/// Does all that [`begin`] does at a start, and then undoes it.
pub(super) async fn rehearse(
    db: &mut SqliteConnection,
    settings: &Settings,
) -> sqlx::Result<Begun> {
    let mut tx = db.begin_with(BEGIN).await?;
    let begun = begin_run(&mut tx, settings).await;
    tx.rollback().await?;
    begun
}

/// Registers the projects, and makes the state ready that an earlier run of the service left. That run's leases are
/// void.
async fn begin_run(db: &mut SqliteConnection, settings: &Settings) -> sqlx::Result<Begun> {
    let clean: bool = sqlx::query("SELECT clean_shutdown FROM service")
        .fetch_one(&mut *db)
        .await?
        .try_get("clean_shutdown")?;
    sqlx::query(BEGIN_SERVICE).execute(&mut *db).await?;
    sqlx::query("UPDATE projects SET active = 0")
        .execute(&mut *db)
        .await?;
    let mut projects = HashMap::new();
    for (project, requests_per_second) in &settings.projects {
        sqlx::query("INSERT INTO projects (sinch_id) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(project.as_str())
            .execute(&mut *db)
            .await?;
        let id: i64 = sqlx::query("SELECT id FROM projects WHERE sinch_id = ?")
            .bind(project.as_str())
            .fetch_one(&mut *db)
            .await?
            .try_get("id")?;
        projects.insert(project.clone(), id);
        if let Some(requests_per_second) = requests_per_second {
            plan_fetches(db, id, settings.now).await?;
            if !clean {
                sqlx::query(SPREAD_FETCHES.as_str())
                    .bind(settings.now.0)
                    .bind(id)
                    .bind(requests_per_second)
                    .execute(&mut *db)
                    .await?;
            }
        }
    }
    sqlx::query(
        "UPDATE OR IGNORE orders SET lease = NULL, leased_until_at = NULL WHERE lease IS NOT NULL",
    )
    .execute(&mut *db)
    .await?;
    let next_delivery = sqlx::query(SELECT_NEXT_DELIVERY)
        .fetch_one(&mut *db)
        .await?;
    Ok(Begun {
        projects,
        targets: register_targets(db, &settings.targets).await?,
        next_delivery: next_delivery.try_get(0)?,
        not_fetched: removal::not_fetched(db, settings).await?,
    })
}

/// Registers the targets of this run. The others are told nothing more until they are configured again. Leases of an
/// earlier run are void: what it had claimed is due at once.
async fn register_targets(
    db: &mut SqliteConnection,
    targets: &[TargetSettings],
) -> sqlx::Result<Vec<OutboxTarget>> {
    for sql in [
        "UPDATE targets SET active = 0",
        "UPDATE notification_queues SET due_at = 0, lease = NULL WHERE lease IS NOT NULL",
    ] {
        sqlx::query(sql).execute(&mut *db).await?;
    }
    let mut registered = Vec::new();
    for target in targets {
        let row = sqlx::query(
            "INSERT INTO targets (name, active) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET active = 1 RETURNING id",
        )
        .bind(&target.name)
        .fetch_one(&mut *db)
        .await?;
        registered.push(OutboxTarget {
            id: row.try_get("id")?,
            name: target.name.clone(),
            filter: target.filter.clone(),
        });
    }
    Ok(registered)
}

/// Notes that a project's orders are fetched in this run, and gives each of them a time at which it is fetched.
async fn plan_fetches(db: &mut SqliteConnection, project: i64, now: Time) -> sqlx::Result<()> {
    sqlx::query("UPDATE projects SET active = 1 WHERE id = ?")
        .bind(project)
        .execute(&mut *db)
        .await?;
    for (sql, time) in [
        (CLAMP_REQUESTS, now),
        (RESUME_FETCHES.as_str(), now),
        (CLAMP_FETCHES, now.plus(AHEAD_MAX)),
    ] {
        sqlx::query(sql)
            .bind(time.0)
            .bind(project)
            .execute(&mut *db)
            .await?;
    }
    sqlx::query(CLAMP_NUMBERS)
        .bind(now.plus(AHEAD_MAX).0)
        .bind(project)
        .bind(now.0)
        .execute(db)
        .await?;
    Ok(())
}
