//! What operators ask: requests and commands, each with what it asks about chosen each time.

use std::ops::Range;

use fastrand::Rng;
use testkit::now;

use crate::DELIVERIES_EACH;
use crate::fill::{CHANGES_EACH, PARKED_SHARE, SPAN};

/// Requests; the parts in braces are chosen each time.
pub const REQUESTS: &[&str] = &[
    "/status",
    "/metrics",
    "/readyz",
    "/api/v1/configuration",
    "/api/v1/orders",
    "/api/v1/orders?sort=newest&limit=1000",
    "/api/v1/orders?state=BLOCKED",
    "/api/v1/orders?state=UNKNOWN&sort=newest",
    "/api/v1/orders?settled=false",
    "/api/v1/orders?settled=true&state=EXPIRED",
    "/api/v1/orders?parked=true",
    "/api/v1/orders?park_reason=attempts-used-up",
    "/api/v1/orders?park_reason=row-at-fault&state=COMPLETED",
    "/api/v1/orders?alert=long-in-review",
    "/api/v1/orders?alert=expiring",
    "/api/v1/orders?region=AU&sort=newest",
    "/api/v1/orders?region=NZ",
    "/api/v1/orders?region=XX",
    "/api/v1/orders?region=NZ&state=BLOCKED",
    "/api/v1/orders?number={number}",
    "/api/v1/orders?number={part}",
    "/api/v1/orders?number=99999999",
    "/api/v1/orders?readiness=not-linked",
    "/api/v1/orders?readiness=failed",
    "/api/v1/orders?readiness=late",
    "/api/v1/orders?changed_since={time}",
    "/api/v1/orders?changed_since={lately}",
    "/api/v1/orders?changed_since={lately}&sort=newest",
    "/api/v1/orders/{order}",
    "/api/v1/orders/{project}/{order}",
    "/api/v1/projects/{project}",
    "/api/v1/deliveries?order={order}",
    "/api/v1/deliveries?sort=newest",
    "/api/v1/deliveries?decision=after-final",
    "/api/v1/deliveries?decision=out-of-order",
    "/api/v1/deliveries?decision=other-resource",
    "/api/v1/deliveries?phase=waiting",
    "/api/v1/deliveries?phase=recorded",
    "/api/v1/deliveries?phase=parked",
    "/api/v1/deliveries?since={time}",
    "/api/v1/deliveries?since={lately}",
    "/api/v1/deliveries?{period}",
    "/api/v1/deliveries?until={time}&sort=newest",
    "/api/v1/deliveries?since={lately}&decision=stale",
    "/api/v1/deliveries?project={project}&kind=number&sort=newest",
    "/api/v1/deliveries/{delivery}/body",
    "/api/v1/parked",
    "/api/v1/projects",
    "/api/v1/projects/{project}/secrets",
    "/api/v1/transitions?order={order}",
    "/api/v1/transitions?order={order}&state=COMPLETED",
    "/api/v1/transitions?project={project}&sort=newest",
    "/api/v1/transitions?state=BLOCKED&since={time}",
    "/api/v1/transitions?{period}",
    "/api/v1/transitions?since={lately}&sort=newest",
    "/api/v1/alerts",
    "/api/v1/alerts?since={lately}",
    "/api/v1/alerts?order={order}",
    "/api/v1/alerts?project={project}&open=true",
    "/api/v1/alerts?kind=overdue&{period}",
    "/api/v1/alerts?about=service",
    "/api/v1/quarantine",
    "/api/v1/quarantine?reason=unknown-source&sort=newest",
    "/api/v1/actions",
    "/api/v1/actions?since={time}",
    "/api/v1/retention",
    "/api/v1/retention?bodies_days=1&deliveries_days=20&quarantine_days=1&events_days=10",
    "/api/v1/retention?bodies_days=1&deliveries_days=2&parked_days=3&events_days=1&orders_days=5",
    "/api/v1/targets",
    "/api/v1/notifications",
    "/api/v1/notifications?phase=waiting",
    "/api/v1/notifications?phase=parked&target=crm",
    "/api/v1/notifications?type=number.failed",
    "/api/v1/notifications?type=order.expiring",
    "/api/v1/notifications?since={time}",
    "/api/v1/notifications?since={lately}",
    "/api/v1/notifications?until={time}&sort=newest",
    "/api/v1/events?after={event}",
    "/api/v1/events?since={time}",
    "/api/v1/events?after=oldest&order={order}",
    "/api/v1/events/schemas",
    "/api/v1/events?after=oldest&types=order.expiring",
    "/api/v1/events?after=oldest&types=number.failed",
];

/// Requests that change something, each a write of its own and recorded: path and body. Those about all that a filter chooses
/// work for two seconds each, so they are none of these.
pub const WRITES: &[(&str, &str)] = &[
    ("/api/v1/deliveries/{parked}/replay", ""),
    ("/api/v1/deliveries/{parked}/dismiss", ""),
    (
        "/api/v1/orders/{project}/{order}/forget",
        r#"{"dry_run":false}"#,
    ),
    (
        "/api/v1/notifications/redrive",
        r#"{"all":true,"dry_run":true}"#,
    ),
];

/// Commands, without the program's name and its configuration.
pub const COMMANDS: &[&str] = &[
    "status",
    "orders",
    "orders --state BLOCKED",
    "order show {order}",
    "order show +{number}",
    "parked",
    "alerts",
    "quarantine",
    "actions",
    "events list --after {latest}",
    "events targets",
    "events notifications",
    "tail --since 2h --until 110min",
    "tail {order} --since 60d --until 1min",
    "forget {order}",
    "forget --project {project} --state BLOCKED --region XX",
    "replay --all --dry-run",
    "events redrive --all --dry-run",
    "reverify --dry-run",
    "drop-project {project}",
    "prune --dry-run --bodies 7d",
    "config show",
];

/// Number of orders that there are, and the choice of what is asked about.
pub struct Choice {
    orders: usize,
    rng: Rng,
}

impl Choice {
    pub fn new(orders: usize, seed: u64) -> Choice {
        Choice {
            orders,
            rng: Rng::with_seed(seed),
        }
    }

    /// Returns a question about what is chosen now.
    pub fn ask(&mut self, question: &str) -> String {
        let mut rest = question;
        let mut asked = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (what, behind) = after.split_once('}').expect("a brace is closed");
            asked += before;
            asked += &self.choose(what);
            rest = behind;
        }
        asked + rest
    }

    fn choose(&mut self, what: &str) -> String {
        let order = self.rng.usize(1..=self.orders);
        match what {
            "order" => format!("01h{order:023}"),
            "project" => testkit::PROJECT.to_owned(),
            "number" => format!("44{order:010}"),
            "part" => format!("{:05}", self.rng.usize(1..100_000)),
            // The newest third, of which retention keeps the bodies.
            "delivery" => {
                let all = self.orders * DELIVERIES_EACH;
                self.rng.usize(all - all / 3..=all).to_string()
            }
            "parked" => {
                let last = self.orders * DELIVERIES_EACH / PARKED_SHARE;
                (self.rng.usize(0..last) * PARKED_SHARE + 9).to_string()
            }
            // The command lists all that follow.
            "latest" => {
                let all = self.orders * CHANGES_EACH;
                self.rng.usize(all - 1000..all).to_string()
            }
            "event" => self.rng.usize(1..=self.orders).to_string(),
            "time" => self.time(1..SPAN.as_secs()),
            "lately" => self.time(1..24 * 3600),
            "period" => {
                let middle = SPAN.as_secs() / 2;
                let since = self.time(middle..SPAN.as_secs());
                format!("since={since}&until={}", self.time(1..middle))
            }
            other => panic!("{other} cannot be asked about"),
        }
    }

    /// Returns a time that lies this number of seconds back.
    fn time(&mut self, secs: Range<u64>) -> String {
        let ago = self.rng.u64(secs) as i64 * 1_000_000;
        let at = jiff::Timestamp::from_microsecond(now().0 - ago).expect("a time");
        format!("{at:.0}")
    }
}
