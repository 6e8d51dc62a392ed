//! What needs an operator, by tables.

use number_order::Time;
use serde_json::{Value, json};

use super::screen::{changes, open};
use super::trouble::{Found, Trouble};
use super::with_orders_not_fetched;
use crate::commands::invocation::Invocation;

/// Time of the tables: 2026-01-31T12:00:00Z.
const NOW: Time = Time(1_769_860_800_000_000);

fn troubles(status: &Value, unready: Option<&str>, not_configured: &[&str]) -> Vec<String> {
    let found = Found {
        status,
        unready: unready.map(str::to_owned),
        not_configured: not_configured.iter().map(|id| (*id).to_owned()).collect(),
        now: NOW,
    };
    let invocation = Invocation::new(None, None);
    let in_words = |trouble: Trouble| {
        let cures = trouble.cures.iter().map(|cure| cure.in_words(&invocation));
        let cures: Vec<String> = cures.collect();
        format!("{}: {}: {}", trouble.code, trouble.text, cures.join("; "))
    };
    found.troubles().into_iter().map(in_words).collect()
}

#[test]
fn what_is_as_it_should_be_is_no_trouble() {
    let status = json!({
        "quarantined": {"p": {"wrong-signature": 0, "unknown-source": 0}},
        "orders_parked": 0, "deliveries_parked": 0, "clock_set_by_secs": -59, "numbers_late": 0,
        "oldest_pending_at": "2026-01-31T11:59:01Z", "deliveries_waiting": 3,
        "orders_needing_attention": {"overdue": 0}, "numbers_not_ready": {"on-the-way": 2},
        "orders_unsettled_by_project": {"p": 3},
        "callbacks_refused": {
            "signature": {"count": 2, "last_at": "2026-01-31T10:59:00Z"},
            "source": {"count": 9, "last_at": "2026-01-31T11:59:59Z"},
        },
        "api": {"p": {"paused": false, "unanswered": 2, "answered": false}}, "targets": {"crm": {"attention": []}}, "rows_unreadable": [],
        "orders_not_fetched": {"off": 7},
    });
    assert_eq!(troubles(&status, None, &[]), Vec::<String>::new());
    assert_eq!(troubles(&json!({}), None, &[]), Vec::<String>::new());
}

#[test]
fn drift_is_no_trouble_any_more_once_a_comparison_shows_its_cure() {
    let status = |code: &str| {
        json!({
            "service_alerts": [{"project": "p", "alert": {"code": "secret-drift", "text": "why"}}],
            "secrets": {"p": {"comparison": {"code": code}}, "q": {"comparison": {"code": "matches"}}},
        })
    };
    assert_eq!(troubles(&status("other-secret"), None, &[]).len(), 1);
    assert_eq!(
        troubles(&status("matches"), None, &[]),
        Vec::<String>::new()
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_trouble_comes_with_its_cure() {
    let attention =
        |code: &str| json!({"targets": {"crm": {"attention": [{"code": code, "text": "why"}]}}});
    for (status, code, words) in [
        (
            json!({"orders_parked": 2}),
            "orders-parked",
            "2 orders are parked: they are not fetched any more: ",
        ),
        (
            json!({"orders_parked": 1}),
            "orders-parked",
            "fetch --parked",
        ),
        (
            json!({"deliveries_parked": 1}),
            "deliveries-parked",
            "1 callback is parked: it changed no order: why, and what to do:; ",
        ),
        (
            json!({"quarantined": {"p": {"wrong-signature": 2, "unknown-source": 0}, "q": {"wrong-signature": 1}}}),
            "quarantined",
            "3 callbacks were refused and are perhaps genuine: none of the project's secrets",
        ),
        (
            json!({"quarantined": {"p": {"unknown-source": 1}}}),
            "quarantined",
            "put it into callbacks.allow and reload; then:",
        ),
        (
            json!({"clock_set_by_secs": -60}),
            "clock-set",
            "restart the service",
        ),
        (
            json!({"oldest_pending_at": "2026-01-31T11:50:00Z", "deliveries_waiting": 3}),
            "callbacks-wait",
            "3 callbacks wait to be processed, the oldest for 10 min",
        ),
        (
            json!({"orders_needing_attention": {"overdue": 1, "long-blocked": 0}}),
            "orders-need-attention",
            "Orders need attention: 1 overdue: ",
        ),
        (
            json!({"numbers_not_ready": {"failed": 1}}),
            "numbers-failed",
            "orders --readiness failed",
        ),
        (
            json!({
                "api": {"p": {
                    "paused": false, "unanswered": 3, "unanswered_since": "2026-01-31T11:59:20Z",
                    "outcome": {"text": "no answer: it answered 503"},
                }},
                "orders_unsettled_by_project": {"p": 2},
            }),
            "fetches-fail",
            "Project p: the last 3 fetches failed, the first 40 s ago (no answer: it answered 503); 2 orders wait for an \
             answer: ",
        ),
        (
            json!({"numbers_late": 1}),
            "numbers-late",
            "orders --readiness late",
        ),
        (
            json!({"api": {"p": {"paused": true, "paused_until": "then", "pause_reason": {"text": "why"}}}}),
            "circuit-open",
            "resume p",
        ),
        (
            json!({"callbacks_refused": {"signature": {"count": 2, "last_at": "2026-01-31T11:01:00Z"}}}),
            "callbacks-refused",
            "2 requests were refused since the start because of the signature, the last 59 min ago: compare the project's",
        ),
        (
            json!({
                "callbacks_refused": {"size": {"count": 1, "last_at": "2026-01-31T11:01:00Z"}},
                "reloaded_at": "2026-01-31T11:00:00Z",
            }),
            "callbacks-refused",
            "1 request was refused since the reload 60 min ago because of the size",
        ),
        (
            attention("parked"),
            "target-needs-attention",
            "events redrive --target crm",
        ),
        (
            attention("switched-off"),
            "target-needs-attention",
            "events resume crm",
        ),
        (
            attention("not-configured"),
            "target-needs-attention",
            "configure a target",
        ),
        (
            json!({"service_alerts": [
                {"project": "p", "fired_at": "2026-01-31T09:00:00Z", "alert": {"code": "silence", "text": "no callback came"}},
                {"project": "p", "alert": {"code": "orders-parked", "text": "told by the count"}},
            ]}),
            "silence",
            "p: no callback came (as of 3 h ago): compare the callback URL",
        ),
        (
            json!({"service_alerts": [
                {"project": "p", "alert": {"code": "secret-drift", "text": "Sinch signs otherwise"}},
            ]}),
            "secret-drift",
            "rotate-secret p",
        ),
        (
            json!({"rows_unreadable": [{}]}),
            "rows-unreadable",
            "docs/operate.md",
        ),
    ] {
        let found = troubles(&status, None, &[]);
        let [trouble] = &found[..] else {
            panic!("{code}: {found:?}");
        };
        assert!(trouble.starts_with(&format!("{code}: ")), "{trouble}");
        assert!(trouble.contains(words), "{trouble}");
        assert!(!trouble.contains(" replay"), "{trouble}");
    }
    let status = json!({"orders_not_fetched": {"old": 7}});
    let found = troubles(&status, Some("the disk is full"), &["old"]);
    assert!(found[0].starts_with("not-ready: The service is not ready: the disk is full"));
    assert!(
        found[1].contains("Of project old, 7 orders are not")
            && found[1].ends_with("drop-project old")
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn a_project_without_orders_needs_no_attention() {
    let status = json!({"orders_not_fetched": {"empty": 0, "off": 1, "old": 7}});
    assert_eq!(with_orders_not_fetched(&status), ["off", "old"]);
    assert!(with_orders_not_fetched(&json!({})).is_empty());
}

#[test]
fn the_screen_says_how_many_orders_are_not_fetched() {
    for (not_fetched, words) in [
        (json!({}), "due for a fetch"),
        (json!({"off": 1}), "due for a fetch; 1 more is not fetched"),
        (
            json!({"off": 30, "old": 6}),
            "due for a fetch; 36 more are not fetched",
        ),
    ] {
        let status =
            json!({"orders_unsettled": 2, "orders_due": 1, "orders_not_fetched": not_fetched});
        let found = Found {
            status: &status,
            unready: None,
            not_configured: Vec::new(),
            now: NOW,
        };
        let line = open(&found);
        assert!(
            line.starts_with("2 orders of which") && line.ends_with(words),
            "{line}"
        );
    }
}

#[test]
fn the_screen_says_how_many_changes_no_callback_announced() {
    for (convergence, words) in [
        (json!(null), "none is confirmed yet"),
        (
            json!({"changes": 0, "unannounced": 0}),
            "none is confirmed yet",
        ),
        (
            json!({"changes": 7, "unannounced": 0}),
            "7 confirmed last; a callback announced each",
        ),
        (
            json!({"changes": 1000, "unannounced": 12}),
            "1000 confirmed last; no callback announced 12 of them",
        ),
    ] {
        assert_eq!(changes(&json!({ "convergence": convergence })), words);
    }
}
