//! What is found in a database that replicas have shared, and at the Sinch that they have asked.

use std::collections::BTreeMap;
use std::time::Duration;

use number_order::Time;
use sinch_simulator::Simulator;
use testkit::ledger::{self, Acknowledged, lost};
use testkit::postgres::Server;

/// Faults that were found, each with its number or its names.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    /// Events that were answered 200, and are missing or changed.
    pub lost: Vec<String>,
    /// Number of events that are stored more than once.
    pub doubled: i64,
    /// Number of deliveries on which nothing is decided.
    pub undecided: i64,
    /// Number of confirmed states that were recorded twice in a row.
    pub repeated: i64,
    /// Number of changes of state that begin where no earlier change ended.
    pub torn: i64,
    /// Number of confirmed changes that Sinch made before an earlier one, or that left a final state.
    pub backwards: i64,
    /// Number of fetches that reached Sinch while another fetch of the same order was in flight.
    pub at_once: u64,
    /// Number of fetches beyond the rate, at the worst time.
    pub beyond_the_rate: usize,
}

const COUNT_DOUBLED: &str = "
    SELECT count(*) FROM (SELECT 1 FROM deliveries GROUP BY project, dedup_key HAVING count(*) > 1) AS doubled";

const COUNT_UNDECIDED: &str = "
    SELECT (SELECT count(*) FROM pending) + count(*) FROM deliveries AS d
    WHERE kind = 'order' AND NOT EXISTS (SELECT 1 FROM decisions WHERE delivery_id = d.id)";

const COUNT_BACKWARDS: &str = "
    SELECT count(*) FROM (
        SELECT said_at, lag(said_at) OVER story AS said_before, lag(to_state) OVER story AS state_before
        FROM transitions WHERE confirmed WINDOW story AS (PARTITION BY order_id ORDER BY id)) AS changes
    WHERE said_at < said_before OR state_before IN ('COMPLETED', 'REJECTED', 'EXPIRED')";

impl Findings {
    /// Looks for faults in a database whose replicas have stopped.
    pub fn of(server: &Server, database: &str, acknowledged: &Acknowledged) -> Findings {
        let count = |sql: &str| {
            let counted = server.sql(database, sql).parse();
            counted.expect("a number")
        };
        Findings {
            lost: lost(acknowledged, &stored(server, database)),
            doubled: count(COUNT_DOUBLED),
            undecided: count(COUNT_UNDECIDED),
            repeated: count(&ledger::repeated_query()),
            torn: count(&ledger::torn_query()),
            backwards: count(COUNT_BACKWARDS),
            ..Findings::default()
        }
    }

    /// Adds what the simulated Sinch has seen of fetches.
    pub fn with_fetches(self, simulator: &Simulator, allowed: Allowed) -> Findings {
        let fetches = simulator.fetches();
        let came: Vec<Time> = fetches.iter().map(|fetch| fetch.at).collect();
        Findings {
            at_once: simulator.stats().fetches_at_once,
            beyond_the_rate: allowed.exceeded(&came),
            ..self
        }
    }
}

/// Returns the bodies of all deliveries, by the ids of their events.
pub fn stored(server: &Server, database: &str) -> BTreeMap<String, Vec<u8>> {
    let rows = server.sql(
        database,
        "SELECT dedup_key, encode(body, 'hex') FROM deliveries",
    );
    let rows = rows.lines().filter_map(|row| row.split_once('|'));
    rows.map(|(event, body)| (event.to_owned(), from_hex(body)))
        .collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair));
    let byte = |pair: Result<&str, _>| u8::from_str_radix(pair.ok()?, 16).ok();
    pairs
        .map(|pair| byte(pair).expect("a byte in hex"))
        .collect()
}

/// Number of fetches that are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// Number of fetches in a second, of all replicas together.
    pub per_second: f64,
    /// Number of fetches that may come together: what the rate allows at once, and what is on its way.
    pub together: usize,
}

impl Allowed {
    /// Returns the maximum number of fetches beyond what is allowed, over all spans of time from one fetch to another.
    fn exceeded(self, came: &[Time]) -> usize {
        let beyond = |from: usize| {
            let spans = came[from..].iter().enumerate();
            let beyond = spans.map(move |(n, at)| {
                let allowed = self.within(at.since(came[from]));
                (n + 1).saturating_sub(allowed)
            });
            beyond.max().unwrap_or(0)
        };
        (0..came.len()).map(beyond).max().unwrap_or(0)
    }

    fn within(self, span: Duration) -> usize {
        self.together + (self.per_second * span.as_secs_f64()).ceil() as usize
    }
}

#[test]
fn more_fetches_than_are_allowed_are_found_over_any_span() {
    let allowed = Allowed {
        per_second: 10.0,
        together: 2,
    };
    let came = |millis: &[i64]| millis.iter().map(|ms| Time(ms * 1000)).collect::<Vec<_>>();
    assert_eq!(allowed.exceeded(&came(&[0, 0, 100, 200, 300])), 0);
    assert_eq!(allowed.exceeded(&came(&[0, 0, 0])), 1);
    // Twice the rate.
    let twice: Vec<i64> = (0..20).map(|n| n * 50).collect();
    assert_eq!(allowed.exceeded(&came(&twice)), 8);
}
