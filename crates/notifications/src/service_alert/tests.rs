//! When alerts about the service fire and are resolved.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::TargetHealth;
use number_order::Endpoint;

const LIMITS: AlertLimits = AlertLimits {
    trouble: Duration::from_secs(300),
    silence: Duration::from_secs(1000),
    quiet: Duration::from_secs(100),
};

fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

fn id(text: &str) -> Id {
    Id::new(text).expect("an id")
}

/// A project that is fetched, of which all is well.
fn well() -> ProjectFacts {
    ProjectFacts {
        project: id("p1"),
        active: true,
        orders_parked: 0,
        deliveries_parked: 0,
        from_unknown_sources: 0,
        unknown_sources: Vec::new(),
        circuit: None,
        heard_at: None,
        unannounced: 0,
        unannounced_at: None,
    }
}

fn down() -> ProjectFacts {
    let endpoint = Endpoint::Orders;
    ProjectFacts {
        circuit: Some(NoAnswer::TimedOut { endpoint }),
        ..well()
    }
}

/// A project with a change at 100 s that no callback announced; the last one came at the given time.
fn unannounced(heard_at: Option<i64>) -> ProjectFacts {
    ProjectFacts {
        heard_at: heard_at.map(at),
        unannounced: 2,
        unannounced_at: Some(at(100)),
        ..well()
    }
}

fn of_projects(projects: Vec<ProjectFacts>) -> ServiceFacts {
    ServiceFacts {
        projects,
        ..ServiceFacts::default()
    }
}

fn target(health: TargetHealth, parked: u64) -> ServiceFacts {
    ServiceFacts {
        targets: vec![TargetFacts {
            name: "crm".to_owned(),
            health,
            parked,
        }],
        ..ServiceFacts::default()
    }
}

fn refused(secs: i64) -> ServiceFacts {
    ServiceFacts {
        refused: vec![RefusedCallback {
            refusal: CallbackRefusal::Signature,
            project: Some(id("p1")),
            at: at(secs),
        }],
        ..ServiceFacts::default()
    }
}

fn disk(free_bytes: u64) -> ServiceFacts {
    ServiceFacts {
        disk: Some(Disk {
            free_bytes,
            refused_below_bytes: 100,
        }),
        ..ServiceFacts::default()
    }
}

fn secret(finding: SecretFinding) -> ServiceFacts {
    ServiceFacts {
        secrets: vec![SecretFacts {
            project: id("p1"),
            finding,
        }],
        ..ServiceFacts::default()
    }
}

/// What a store does with the changes: rows as it keeps them, and what is told.
#[derive(Default)]
struct Kept {
    open: Vec<Episode>,
    next_id: i64,
    told: Vec<(&'static str, AlertNews)>,
}

impl Kept {
    fn check(&mut self, facts: &ServiceFacts, secs: i64) -> Vec<(&'static str, AlertNews)> {
        let seen = sightings(facts, &self.open, &LIMITS, at(secs));
        let mut told = Vec::new();
        for change in update_episodes(&self.open, &seen, &LIMITS, at(secs)) {
            let mut episode = change.episode;
            if change.write == EpisodeWrite::Insert {
                self.next_id += 1;
                episode.id = self.next_id;
            } else {
                self.open.retain(|one| one.id != episode.id);
            }
            told.extend(change.news.map(|news| (episode.alert.code(), news)));
            if change.write != EpisodeWrite::Remove && episode.resolved_at.is_none() {
                self.open.push(episode);
            }
        }
        self.told.extend(&told);
        told
    }
}

const NOTHING: [(&str, AlertNews); 0] = [];

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_fact_is_seen_as_its_alert() {
    let failing = TargetHealth {
        failures: 5,
        failing_since: Some(at(1)),
        ..TargetHealth::default()
    };
    let answers = TargetHealth {
        failures: 4,
        ..failing
    };
    let off = TargetHealth::default().switched_off(at(1));
    let parked = ProjectFacts {
        orders_parked: 1,
        deliveries_parked: 2,
        ..well()
    };
    let inactive = ProjectFacts {
        active: false,
        ..parked.clone()
    };
    let silent = ProjectFacts {
        active: false,
        ..unannounced(None)
    };
    // Callbacks of a project that is not fetched are kept, too.
    let foreign = ProjectFacts {
        active: false,
        from_unknown_sources: 1,
        unknown_sources: vec!["198.51.100.7".to_owned()],
        ..well()
    };
    let workers = ServiceFacts {
        silent_workers: vec!["inbox".to_owned()],
        ..ServiceFacts::default()
    };
    let rows: [(ServiceFacts, &[&str]); 25] = [
        (ServiceFacts::default(), &[]),
        (of_projects(vec![well()]), &[]),
        (
            of_projects(vec![parked]),
            &["orders-parked", "deliveries-parked"],
        ),
        (of_projects(vec![inactive]), &["deliveries-parked"]),
        (of_projects(vec![foreign]), &["unknown-source"]),
        (of_projects(vec![down()]), &["provider-trouble"]),
        // Changes at 100 s, checked at 2000 s, more than the limit later.
        (of_projects(vec![unannounced(None)]), &["silence"]),
        (of_projects(vec![unannounced(Some(99))]), &["silence"]),
        (of_projects(vec![unannounced(Some(100))]), &[]),
        (of_projects(vec![silent]), &[]),
        (target(TargetHealth::default(), 0), &[]),
        (target(failing, 0), &["target-failing"]),
        (target(answers, 0), &[]),
        (
            target(off, 3),
            &["target-switched-off", "notifications-parked"],
        ),
        (refused(1), &["callbacks-refused"]),
        (secret(SecretFinding::NotCompared), &[]),
        (secret(SecretFinding::Agrees), &[]),
        (
            secret(SecretFinding::Drift(SecretDrift::OtherSecret)),
            &["secret-drift"],
        ),
        (
            secret(SecretFinding::Drift(SecretDrift::NoSecret)),
            &["secret-drift"],
        ),
        (disk(200), &[]),
        (disk(199), &["disk-low"]),
        (disk(100), &["disk-low"]),
        (disk(99), &["disk-full"]),
        (disk(0), &["disk-full"]),
        (workers, &["worker-silent"]),
    ];
    for (facts, expected) in rows {
        let seen = sightings(&facts, &[], &LIMITS, at(2000));
        let codes: Vec<&str> = seen.iter().map(|one| one.alert.code()).collect();
        assert_eq!(codes, expected, "{facts:?}");
    }
}

#[test]
fn a_target_that_has_not_failed_for_long_is_no_alert() {
    let failing = TargetHealth {
        failures: 5,
        failing_since: Some(at(1)),
        ..TargetHealth::default()
    };
    let codes = |secs| sightings(&target(failing, 0), &[], &LIMITS, at(secs)).len();
    assert_eq!((codes(300), codes(301)), (0, 1));
}

#[test]
fn trouble_with_the_provider_fires_once_it_has_lasted_and_is_resolved_once_it_is_over() {
    use AlertNews::{Fired, Resolved};
    let (up, down) = (of_projects(vec![well()]), of_projects(vec![down()]));
    let mut kept = Kept::default();
    // What ends before it has lasted is never told.
    assert_eq!(kept.check(&down, 0), NOTHING);
    assert_eq!(kept.check(&up, 100), NOTHING);
    assert!(kept.open.is_empty());
    // What comes and goes is one episode.
    assert_eq!(kept.check(&down, 1000), NOTHING);
    assert_eq!(kept.check(&up, 1060), NOTHING);
    assert_eq!(kept.check(&down, 1090), NOTHING);
    assert_eq!(kept.check(&down, 1180), NOTHING);
    assert_eq!(kept.check(&down, 1270), NOTHING);
    assert_eq!(kept.check(&down, 1300), [("provider-trouble", Fired)]);
    assert_eq!(kept.check(&down, 1310), NOTHING);
    assert_eq!(kept.check(&up, 1399), NOTHING);
    assert_eq!(kept.check(&down, 1400), NOTHING);
    assert_eq!(kept.check(&up, 1499), NOTHING);
    assert_eq!(kept.check(&up, 1500), [("provider-trouble", Resolved)]);
    assert_eq!(kept.check(&up, 1510), NOTHING);
}

#[test]
fn refused_callbacks_are_told_until_none_was_refused_for_a_while() {
    use AlertNews::{Fired, Resolved};
    let mut kept = Kept::default();
    let fired = [("callbacks-refused", Fired)];
    assert_eq!(kept.check(&refused(5), 10), fired);
    // The process remembers the last refusal. Another process saw none.
    assert_eq!(kept.check(&refused(5), 20), NOTHING);
    assert_eq!(kept.check(&ServiceFacts::default(), 30), NOTHING);
    assert_eq!(kept.check(&refused(90), 95), NOTHING);
    assert_eq!(kept.check(&ServiceFacts::default(), 185), NOTHING);
    assert_eq!(
        kept.check(&refused(90), 190),
        [("callbacks-refused", Resolved)]
    );
    assert_eq!(kept.check(&refused(90), 200), NOTHING, "it is long ago");
    assert_eq!(kept.check(&refused(205), 210), fired);
}

#[test]
fn drift_of_a_secret_lasts_until_a_comparison_shows_its_end() {
    use AlertNews::{Fired, Resolved};
    let drift = secret(SecretFinding::Drift(SecretDrift::OtherSecret));
    let unknown = secret(SecretFinding::NotCompared);
    let agrees = secret(SecretFinding::Agrees);
    let mut kept = Kept::default();
    assert_eq!(kept.check(&unknown, 0), NOTHING, "a failure is no drift");
    assert_eq!(kept.check(&drift, 10), [("secret-drift", Fired)]);
    // A restart has compared nothing yet, and Sinch may not answer for long.
    assert_eq!(kept.check(&unknown, 105), NOTHING);
    assert_eq!(kept.check(&unknown, 190), NOTHING);
    // A replica with another configuration agrees, which ends no alert of the one that does not.
    assert_eq!(kept.check(&agrees, 200), NOTHING);
    assert_eq!(kept.check(&drift, 250), NOTHING);
    assert_eq!(kept.check(&agrees, 349), NOTHING);
    assert_eq!(kept.check(&agrees, 350), [("secret-drift", Resolved)]);
    assert_eq!(kept.check(&unknown, 360), NOTHING);
}

#[test]
fn silence_ends_with_a_callback_alone() {
    use AlertNews::{Fired, Resolved};
    let mut kept = Kept::default();
    let silent = of_projects(vec![unannounced(Some(50))]);
    assert_eq!(kept.check(&silent, 1099), NOTHING);
    assert_eq!(kept.check(&silent, 1100), [("silence", Fired)]);
    // The changes are too old to be looked at.
    let forgotten = ProjectFacts {
        heard_at: Some(at(50)),
        ..well()
    };
    assert_eq!(kept.check(&of_projects(vec![forgotten]), 9000), NOTHING);
    let heard = ProjectFacts {
        heard_at: Some(at(9001)),
        ..well()
    };
    assert_eq!(
        kept.check(&of_projects(vec![heard]), 9002),
        [("silence", Resolved)]
    );
}

#[test]
fn a_disk_that_fills_up_fires_once_for_each_line_that_it_crosses() {
    use AlertNews::{Fired, Resolved};
    let mut kept = Kept::default();
    assert_eq!(kept.check(&disk(150), 0), [("disk-low", Fired)]);
    assert_eq!(kept.check(&disk(50), 100), [("disk-full", Fired)]);
    assert_eq!(kept.check(&disk(150), 199), NOTHING);
    assert_eq!(kept.check(&disk(50), 200), NOTHING);
    assert_eq!(kept.check(&disk(150), 300), [("disk-full", Resolved)]);
    assert_eq!(kept.check(&disk(500), 350), NOTHING);
    assert_eq!(kept.check(&disk(500), 400), [("disk-low", Resolved)]);
}

#[test]
fn an_alert_about_parked_orders_follows_them_at_once() {
    use AlertNews::{Fired, Resolved};
    let parked = |orders_parked| {
        of_projects(vec![ProjectFacts {
            orders_parked,
            ..well()
        }])
    };
    let mut kept = Kept::default();
    assert_eq!(kept.check(&parked(1), 0), [("orders-parked", Fired)]);
    assert_eq!(kept.check(&parked(9), 10), NOTHING);
    assert_eq!(kept.open[0].alert, ServiceAlert::OrdersParked { orders: 1 });
    assert_eq!(kept.check(&parked(0), 20), [("orders-parked", Resolved)]);
}

proptest! {
    /// Of each kind and subject what is told alternates, whatever is seen when, also where several processes see parts of
    /// it, and an alert fires within its time if it is seen without a pause.
    #[test]
    fn what_is_told_alternates(
        checks in prop::collection::vec((0_usize..8, 1_i64..200), 1..200),
    ) {
        let mut all = [
            ServiceFacts::default(),
            of_projects(vec![down()]),
            of_projects(vec![down(), ProjectFacts { project: id("p2"), ..down() }]),
            disk(150),
            disk(50),
            refused(0),
            of_projects(vec![unannounced(None)]),
            target(TargetHealth::default().switched_off(at(1)), 1),
        ];
        let mut kept = Kept::default();
        let mut now = 0;
        let mut firing = std::collections::BTreeSet::new();
        for (facts, pause) in checks {
            now += pause;
            all[5] = refused(now);
            let before: Vec<Episode> = kept.open.clone();
            let seen = sightings(&all[facts], &before, &LIMITS, at(now));
            for change in update_episodes(&before, &seen, &LIMITS, at(now)) {
                let key = (change.episode.alert.code(), change.episode.subject.clone());
                match change.news {
                    Some(AlertNews::Fired) => prop_assert!(firing.insert(key)),
                    Some(AlertNews::Resolved) => prop_assert!(firing.remove(&key)),
                    None => {}
                }
            }
            kept.check(&all[facts], now);
            let open = kept.open.iter().filter(|one| one.fired_at.is_some());
            prop_assert_eq!(open.count(), firing.len());
        }
        // All ends when nothing is seen any more.
        kept.check(&ServiceFacts::default(), now + 100);
        let left = kept.open.iter().map(|one| one.alert.code());
        prop_assert_eq!(left.collect::<Vec<_>>(), Vec::<&str>::new());
    }

    /// That it is seen is noted seldom, but often enough for others who do not see it.
    #[test]
    fn what_lasts_is_written_seldom(pause in 1_i64..20) {
        let mut kept = Kept::default();
        let facts = disk(150);
        let mut written = 0;
        for check in 0..100 {
            let now = check * pause;
            let seen = sightings(&facts, &kept.open, &LIMITS, at(now));
            written += update_episodes(&kept.open, &seen, &LIMITS, at(now)).len();
            kept.check(&facts, now);
            kept.check(&ServiceFacts::default(), now);
        }
        prop_assert_eq!(&kept.told, &[("disk-low", AlertNews::Fired)]);
        prop_assert!(written as i64 <= 2 + 100 * pause / 25, "{}", written);
    }
}

#[test]
fn a_subject_leads_back_to_its_project() {
    for alert in crate::sample::SERVICE_ALERTS.iter() {
        let project = id("p1");
        let subject = alert.subject(Some(&project));
        let back = alert.project(&subject);
        assert!(back.is_none() || back == Some(project), "{alert}");
        assert_eq!(alert.target().is_some(), subject == "crm");
        let json = serde_json::to_value(alert).expect("JSON");
        let read: ServiceAlert = serde_json::from_value(json.clone()).expect("an alert");
        assert_eq!((&read, &json["code"]), (alert, &alert.code().into()));
    }
    assert_eq!(
        crate::sample::SERVICE_ALERTS.len(),
        ServiceAlert::VARIANTS.len()
    );
}
