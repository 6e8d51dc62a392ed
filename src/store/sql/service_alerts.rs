//! Alerts about the service: the facts that a database has, the rows of alerts as episodes, and the events that tell of them.

use std::time::Duration;

use serde::Deserialize;

use super::Columns;
use super::codes::{self, Code};
use super::outbox::health_of_row;
use super::quarantine::ADDRESSES_MAX;
use super::time;
use super::unreadable::JsonRow;
use crate::store::changes::{EventSubject, NewEvent};
use crate::store::{Observed, ServiceAlertChanges, ServiceAlertRow};
use notifications::{
    AlertLimits, AlertNews, Episode, EpisodeChange, ProjectFacts, ServiceFacts, TargetFacts,
    sightings, update_episodes,
};
use number_order::{Id, NoAnswer, Time};

/// Time for which a delivery that was parked is news. Its alert ends by itself, unless an operator dismisses it before.
pub(in crate::store) const PARKED_FOR: Duration = Duration::from_secs(86_400);

/// Facts about configured targets.
macro_rules! select_target_facts {
    () => {
        concat!(
            "SELECT ",
            $crate::store::sql::outbox::target_columns!(),
            ", (SELECT count(*) FROM (SELECT 1 FROM notifications AS n WHERE n.target = t.id AND n.phase = 'parked' \
                LIMIT 10000) AS v) AS parked \
             FROM targets AS t WHERE t.active ORDER BY t.name"
        )
    };
}
pub(in crate::store) use select_target_facts;

/// Reads the facts about a target.
pub(in crate::store) fn target_facts(row: &impl Columns) -> sqlx::Result<TargetFacts> {
    Ok(TargetFacts {
        name: row.text("name")?.to_owned(),
        health: health_of_row(row)?,
        parked: count(row, "parked")?,
    })
}

/// Reads the facts about a project; `None`: its row has an id that cannot be read.
pub(in crate::store) fn project_facts(row: &impl Columns) -> sqlx::Result<Option<ProjectFacts>> {
    let Some(project) = row.text("project").ok().and_then(Id::new) else {
        return Ok(None);
    };
    // Any other reason was not written by this program: the next failure writes one that is.
    let circuit = codes::read::<NoAnswer>(row, "pause_reason", "pause_fields");
    Ok(Some(ProjectFacts {
        project,
        active: row.flag("active")?,
        orders_parked: count(row, "orders_parked")?,
        deliveries_parked: count(row, "deliveries_parked")?,
        from_unknown_sources: count(row, "from_unknown_sources")?,
        unknown_sources: addresses(row.text_if_any("unknown_sources")?),
        circuit: circuit.ok().flatten(),
        heard_at: time(row, "heard_at")?,
        unannounced: count(row, "unannounced")?,
        unannounced_at: time(row, "unannounced_at")?,
    }))
}

/// Returns some of the addresses that are a JSON array of texts.
fn addresses(list: Option<&str>) -> Vec<String> {
    let all = serde_json::from_str::<Vec<String>>(list.unwrap_or("[]"));
    let mut addresses = all.unwrap_or_default();
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

fn count(row: &impl Columns, column: &str) -> sqlx::Result<u64> {
    Ok(row.int(column)?.max(0).cast_unsigned())
}

/// Returns the facts that a database and this process have.
pub(in crate::store) fn facts<R: Columns>(
    projects: &[R],
    targets: &[R],
    observed: &Observed,
) -> sqlx::Result<ServiceFacts> {
    let mut facts = ServiceFacts {
        refused: observed.refused.clone(),
        secrets: observed.secrets.clone(),
        silent_workers: observed.silent_workers.clone(),
        ..ServiceFacts::default()
    };
    for row in projects {
        facts.projects.extend(project_facts(row)?);
    }
    for row in targets {
        facts.targets.push(target_facts(row)?);
    }
    Ok(facts)
}

/// Returns what the facts change of the alerts that are not resolved.
pub(in crate::store) fn changes(
    facts: &ServiceFacts,
    open: &[Episode],
    limits: &AlertLimits,
    now: Time,
) -> Vec<EpisodeChange> {
    let seen = sightings(facts, open, limits, now);
    update_episodes(open, &seen, limits, now)
}

/// An alert about the service that is not resolved.
#[derive(Deserialize)]
#[serde(try_from = "EpisodeText")]
pub(in crate::store) struct OpenEpisode(pub Episode);

/// Columns of such an alert's JSON array, in their order.
#[derive(Deserialize)]
struct EpisodeText {
    id: i64,
    kind: String,
    kind_fields: Option<String>,
    subject: String,
    began_at: i64,
    seen_at: i64,
    fired_at: Option<i64>,
}

impl TryFrom<EpisodeText> for OpenEpisode {
    type Error = serde_json::Error;

    fn try_from(row: EpisodeText) -> Result<OpenEpisode, serde_json::Error> {
        Ok(OpenEpisode(Episode {
            id: row.id,
            alert: codes::value(&row.kind, row.kind_fields.as_deref())?,
            subject: row.subject,
            began_at: Time(row.began_at),
            seen_at: Time(row.seen_at),
            fired_at: row.fired_at.map(Time),
            resolved_at: None,
        }))
    }
}

impl JsonRow for OpenEpisode {
    const TABLE: &'static str = "service_alerts";
    const COLUMNS: &'static str = "id, kind, kind_fields, subject, began_at, seen_at, fired_at";
}

/// Returns the code and the fields of an episode's alert, as two columns have them.
pub(in crate::store) fn code(episode: &Episode) -> Code {
    Code::new(&episode.alert)
}

/// Returns an alert as operators see it; `None`: it has not fired.
pub(in crate::store) fn alert_row(episode: &Episode) -> Option<ServiceAlertRow> {
    Some(ServiceAlertRow {
        project: episode.alert.project(&episode.subject),
        alert: episode.alert.clone(),
        fired_at: episode.fired_at?,
    })
}

/// Adds what is to be told of a change to the events and to the changes that are reported.
pub(in crate::store) fn tell(
    change: &EpisodeChange,
    now: Time,
    events: &mut Vec<NewEvent>,
    reported: &mut ServiceAlertChanges,
) {
    let row = alert_row(&change.episode);
    let Some((news, row)) = change.news.zip(row) else {
        return;
    };
    let ServiceAlertRow {
        project,
        alert,
        fired_at,
    } = row.clone();
    let subject = match news {
        AlertNews::Fired => EventSubject::ServiceAlertFired {
            project,
            alert,
            fired_at,
        },
        AlertNews::Resolved => EventSubject::ServiceAlertResolved {
            project,
            alert,
            fired_at,
        },
    };
    events.push(NewEvent {
        recorded_at: now,
        order_id: None,
        subject,
    });
    match news {
        AlertNews::Fired => reported.fired.push(row),
        AlertNews::Resolved => reported.resolved.push(row),
    }
}
