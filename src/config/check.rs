//! Converts the keys as written to the configuration that they mean.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::hidden::Kind;
use super::key::Key;
use super::tree::Tree;
use super::values::{Check, in_days};
use super::{
    Callbacks, Config, Database, Loaded, Log, LogFormat, Operators, Retention, Sinch, Worker,
    default_deadlines, filter, raw,
};
use number_order::Limits;

/// Minimum length of a token that protects a listener.
const TOKEN_MIN_CHARS: usize = 16;
/// Bounds of timeouts: zero would fail everything, and longer ones protect nothing.
const TIMEOUT_SECS: RangeInclusive<f64> = 0.01..=3600.0;

/// Bounds of deadlines, up to a year.
const DEADLINE_SECS: RangeInclusive<f64> = 1.0..=31_536_000.0;
/// Bounds of retention periods, from about a second, for simulations, to a hundred years.
const RETENTION_DAYS: RangeInclusive<f64> = 0.00001..=36_500.0;
/// Bounds of spans of time that may be zero.
const SPAN_SECS: RangeInclusive<f64> = 0.0..=3600.0;

/// Checks the keys. Returns the configuration and the faults in it; a value with a fault is replaced by its default.
pub fn check(raw: raw::Root, tree: &Tree) -> (Loaded, Vec<String>) {
    let mut check = Check::new(tree);
    let config = Config {
        callbacks: check.callbacks(raw.callbacks),
        operators: check.operators(raw.operators),
        database: check.database(raw.database),
        worker: check.worker(raw.worker),
        deadlines: check.deadlines(raw.deadlines),
        retention: check.retention(raw.retention),
        sinch: check.sinch(raw.sinch),
        log: check.log(raw.log),
        projects: check.projects(raw.projects),
    };
    let warnings = check.warnings;
    (Loaded { config, warnings }, check.faults)
}

/// Prefixes of texts that SQLite does not take for a path.
const NO_PATHS: [&str; 3] = [":memory:", "file:", "sqlite:"];

impl Check<'_> {
    fn callbacks(&mut self, raw: raw::Callbacks) -> Callbacks {
        let at = |name| Key::new("callbacks").name(name);
        let default = Callbacks::default();
        if raw.allow.as_ref().is_some_and(Vec::is_empty) {
            let what = "no address could call; list Sinch's addresses, or leave the key out";
            self.fault(&at("allow"), what);
        }
        Callbacks {
            listen: self.address(&at("listen"), raw.listen, default.listen),
            allow: self.networks(&at("allow"), raw.allow, default.allow),
            trusted_proxies: self.networks(
                &at("trusted_proxies"),
                raw.trusted_proxies,
                default.trusted_proxies,
            ),
            body_max_bytes: self.whole(
                &at("body_max_bytes"),
                raw.body_max_bytes,
                default.body_max_bytes,
                1..=16 << 20,
            ),
            header_timeout: self.seconds(
                &at("header_timeout_secs"),
                raw.header_timeout_secs,
                default.header_timeout,
                TIMEOUT_SECS,
            ),
            body_timeout: self.seconds(
                &at("body_timeout_secs"),
                raw.body_timeout_secs,
                default.body_timeout,
                TIMEOUT_SECS,
            ),
            idle_timeout: self.seconds(
                &at("idle_timeout_secs"),
                raw.idle_timeout_secs,
                default.idle_timeout,
                TIMEOUT_SECS,
            ),
            connections_max: self.whole(
                &at("connections_max"),
                raw.connections_max,
                default.connections_max,
                1..=1_000_000,
            ),
        }
    }

    fn operators(&mut self, raw: raw::Operators) -> Operators {
        let wanted = raw.token.is_some() || raw.token_file.is_some();
        let operators = self.route(raw);
        let listen = operators.listen;
        if !wanted && !listen.ip().to_canonical().is_loopback() {
            let what = format!(
                "needed, as other machines can reach {listen}; set one, or listen on 127.0.0.1"
            );
            self.fault(&Key::new("operators").name("token"), &what);
        }
        operators
    }

    /// Checks the address of the service, and the bearer token for it, if any.
    pub fn route(&mut self, raw: raw::Operators) -> Operators {
        let at = |name| Key::new("operators").name(name);
        let listen = self.operators_listen(raw.listen);
        let token = self.secret(
            Kind::Other,
            (at("token"), raw.token),
            (at("token_file"), raw.token_file),
        );
        if let Some((key, token)) = &token {
            let token = token.expose_secret();
            if token.chars().count() < TOKEN_MIN_CHARS {
                let what = format!(
                    "too short to keep people out; take at least {TOKEN_MIN_CHARS} characters"
                );
                self.fault(key, &what);
            } else if !is_visible(token) {
                self.fault(
                    key,
                    "no header can carry it; use visible ASCII characters only",
                );
            }
        }
        let token = token.map(|(_, token)| token);
        Operators { listen, token }
    }

    /// Checks the address of the service.
    pub fn operators_listen(&mut self, given: Option<String>) -> SocketAddr {
        let at = Key::new("operators").name("listen");
        self.address(&at, given, Operators::default().listen)
    }

    pub fn database(&mut self, raw: raw::Database) -> Database {
        let at = |name| Key::new("database").name(name);
        let default = Database::default();
        if raw
            .path
            .as_ref()
            .is_some_and(|path| path.as_os_str().is_empty())
        {
            self.fault(&at("path"), "empty; write the path of a file");
        }
        // SQLite has such names for databases that are no plain file.
        let text = raw.path.as_ref().map(|path| path.to_string_lossy());
        if text.is_some_and(|text| NO_PATHS.iter().any(|form| text.starts_with(form))) {
            self.fault(
                &at("path"),
                "not a path; write that of a file on a local disk",
            );
        }
        Database {
            path: raw.path.unwrap_or(default.path),
            waiting_max: self.whole(
                &at("waiting_max"),
                raw.waiting_max,
                default.waiting_max,
                1..=1_000_000,
            ),
            free_min_bytes: self.whole(
                &at("free_min_bytes"),
                raw.free_min_bytes,
                default.free_min_bytes,
                0..=1 << 50,
            ),
        }
    }

    fn worker(&mut self, raw: raw::Worker) -> Worker {
        let at = |name| Key::new("worker").name(name);
        let default = Worker::default();
        let worker = Worker {
            staleness: self.seconds(
                &at("staleness_secs"),
                raw.staleness_secs,
                default.staleness,
                SPAN_SECS,
            ),
            staleness_max: self.seconds(
                &at("staleness_max_secs"),
                raw.staleness_max_secs,
                default.staleness_max,
                SPAN_SECS,
            ),
            attempts_max: self.whole(
                &at("attempts_max"),
                raw.attempts_max,
                default.attempts_max,
                1..=1000,
            ),
            backoff_base: self.seconds(
                &at("backoff_base_secs"),
                raw.backoff_base_secs,
                default.backoff_base,
                TIMEOUT_SECS,
            ),
            backoff_cap: self.seconds(
                &at("backoff_cap_secs"),
                raw.backoff_cap_secs,
                default.backoff_cap,
                0.01..=86_400.0,
            ),
            shutdown_grace: self.seconds(
                &at("shutdown_grace_secs"),
                raw.shutdown_grace_secs,
                default.shutdown_grace,
                SPAN_SECS,
            ),
        };
        if worker.backoff_cap < worker.backoff_base {
            let base = worker.backoff_base.as_secs_f64();
            let what = format!("below backoff_base_secs; write {base} or more");
            self.fault(&at("backoff_cap_secs"), &what);
        }
        if worker.staleness_max < worker.staleness {
            let usual = worker.staleness.as_secs_f64();
            let what = format!("below staleness_secs; write {usual} or more");
            self.fault(&at("staleness_max_secs"), &what);
        }
        worker
    }

    fn sinch(&mut self, raw: raw::Sinch) -> Sinch {
        let at = |name| Key::new("sinch").name(name);
        let default = Sinch::default();
        let sinch = Sinch {
            api_url: self.url(&at("api_url"), raw.api_url, default.api_url),
            token_url: self.url(&at("token_url"), raw.token_url, default.token_url),
            max_in_flight: self.whole(
                &at("max_in_flight"),
                raw.max_in_flight,
                default.max_in_flight,
                1..=1024,
            ),
            requests_per_second: self.number(
                &at("requests_per_second"),
                raw.requests_per_second,
                default.requests_per_second,
                0.001..=100_000.0,
            ),
            request_timeout: self.seconds(
                &at("request_timeout_secs"),
                raw.request_timeout_secs,
                default.request_timeout,
                TIMEOUT_SECS,
            ),
            connect_timeout: self.seconds(
                &at("connect_timeout_secs"),
                raw.connect_timeout_secs,
                default.connect_timeout,
                TIMEOUT_SECS,
            ),
            proxy_from_environment: raw
                .proxy_from_environment
                .unwrap_or(default.proxy_from_environment),
        };
        if has_path(&sinch.api_url) {
            let what = "has a path, and /v1/projects/… is put behind it; leave it out, or every order is \
                        unknown there, unless a gateway wants it";
            self.warn(&at("api_url"), what);
        }
        if !has_path(&sinch.token_url) {
            let what = "has no path; Sinch's is https://auth.sinch.com/oauth2/token";
            self.warn(&at("token_url"), what);
        }
        sinch
    }

    fn log(&mut self, raw: raw::Log) -> Log {
        let at = |name| Key::new("log").name(name);
        let default = Log::default();
        if let Some(Err(what)) = raw.filter.as_deref().map(filter::check) {
            self.fault(&at("filter"), &what);
        }
        let formats = [
            ("auto", LogFormat::Auto),
            ("json", LogFormat::Json),
            ("text", LogFormat::Text),
        ];
        Log {
            format: self.word(&at("format"), raw.format, &formats),
            filter: raw.filter.unwrap_or(default.filter),
        }
    }

    fn deadlines(&mut self, raw: raw::Deadlines) -> Limits {
        let at = |name| Key::new("deadlines").name(name);
        let default = default_deadlines();
        let expiring = match raw.expiring_secs {
            None => default.expiring,
            Some(spans) => {
                let at = |index| at("expiring_secs").index(index);
                let spans = spans.into_iter().enumerate();
                let read = |(index, span)| {
                    self.seconds(&at(index), Some(span), Duration::ZERO, DEADLINE_SECS)
                };
                spans.map(read).collect()
            }
        };
        Limits {
            expiring,
            review: self.seconds(
                &at("review_secs"),
                raw.review_secs,
                default.review,
                DEADLINE_SECS,
            ),
            blocked: self.seconds(
                &at("blocked_secs"),
                raw.blocked_secs,
                default.blocked,
                DEADLINE_SECS,
            ),
        }
    }

    fn retention(&mut self, raw: raw::Retention) -> Retention {
        let at = |name| Key::new("retention").name(name);
        let default = Retention::default();
        let retention = Retention {
            bodies: self.days(
                &at("bodies_days"),
                raw.bodies_days,
                default.bodies,
                RETENTION_DAYS,
            ),
            deliveries: self.days(
                &at("deliveries_days"),
                raw.deliveries_days,
                default.deliveries,
                RETENTION_DAYS,
            ),
            parked: self.days(
                &at("parked_days"),
                raw.parked_days,
                default.parked,
                RETENTION_DAYS,
            ),
            orders: self.days(
                &at("orders_days"),
                raw.orders_days,
                default.orders,
                RETENTION_DAYS,
            ),
        };
        if retention.deliveries < retention.bodies {
            let bodies = in_days(retention.bodies);
            let what = format!("below bodies_days; write {bodies} or more");
            self.fault(&at("deliveries_days"), &what);
        }
        if retention.parked < retention.deliveries {
            let deliveries = in_days(retention.deliveries);
            let what = format!("below deliveries_days; write {deliveries} or more");
            self.fault(&at("parked_days"), &what);
        }
        if retention.orders < retention.parked {
            let parked = in_days(retention.parked);
            let what = format!("below parked_days; write {parked} or more");
            self.fault(&at("orders_days"), &what);
        }
        retention
    }
}

/// Returns `true` if a header can carry the text.
pub fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// Returns `true` if the URL contains more than the host.
fn has_path(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    host.contains('/')
}
