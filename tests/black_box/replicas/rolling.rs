//! Two replicas behind a balancer with the settings that are deployed: whatever becomes of one of them, every callback is
//! answered 200.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use testkit::load::{Plan, Report};
use testkit::postgres::Server;
use testkit::{
    Callbacks, Connection, Load, Process, Service, Settings, folder, free_address, not_tried,
    until, within,
};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::haproxy;

/// The configuration that is deployed.
const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/haproxy.cfg");

/// Callbacks in a second.
const RATE: f64 = 200.0;

/// Callbacks between two steps of a test.
const BETWEEN: usize = 300;

/// Number of connections to the balancer.
const CONNECTIONS: usize = 16;

/// Line of the deployed configuration by which a callback is sent again.
const SENT_AGAIN: &str = "retry-on all-retryable-errors";

/// Two replicas on one database, the balancer before them, and a load on it.
struct Balanced {
    settings: [Settings; 2],
    listen: SocketAddr,
    load: Load,
    _balancer: Process,
    _folders: [TempDir; 3],
}

impl Balanced {
    /// Starts everything, with the line by which the balancer is told when to send a callback again; `None`: this machine
    /// lacks the server or the balancer.
    async fn start(server: &Server, sent_again: &str) -> Option<(Balanced, [Service; 2])> {
        let Some(program) = haproxy::find() else {
            not_tried("replicas behind a balancer: it is not installed (package haproxy)");
            return None;
        };
        let folders = [folder(), folder(), folder()];
        let url = server.url(&server.database());
        let settings = [&folders[0], &folders[1]].map(|folder| {
            Settings::new(folder.path())
                .fix_addresses()
                .set("callbacks.trusted_proxies", vec!["127.0.0.1"])
                .set("database.url", url.as_str())
                .set_project("api", "off")
        });
        let replicas = [
            Service::start(&settings[0]).await,
            Service::start(&settings[1]).await,
        ];
        let listen = free_address();
        let configuration = folders[2].path().join("haproxy.cfg");
        let text = configuration_text(&listen.to_string(), &settings);
        let text = text.replace(SENT_AGAIN, sent_again);
        fs::write(&configuration, text).expect("is written");
        let balancer = haproxy::run(&program, &configuration);
        until("the balancer to listen", async || {
            Connection::connect(listen).await.ok()
        })
        .await;
        let plan = Plan {
            rate: Some(RATE),
            ..Plan::closed(CONNECTIONS, Duration::ZERO)
        };
        let callbacks = Callbacks::about_a_number(100_000);
        let load = Load::start(listen, &callbacks, &plan).await;
        let balanced = Balanced {
            settings,
            listen,
            load: load.expect("the balancer listens"),
            _balancer: balancer,
            _folders: folders,
        };
        for replica in &replicas {
            balanced.reaches(replica).await;
        }
        Some((balanced, replicas))
    }

    /// Waits until the balancer sends callbacks to a replica: to stop the other one before that leaves it with none.
    async fn reaches(&self, replica: &Service) {
        until("callbacks at the replica", async || {
            self.is_called();
            let accepted = replica.status().await["callbacks_accepted"]["new"].take();
            accepted["count"].as_i64().filter(|count| *count > 0)
        })
        .await;
    }

    fn is_called(&self) {
        assert!(!self.load.has_ended(), "the balancer hung up on everybody");
    }

    /// Waits until further callbacks were answered 200.
    async fn goes_on(&self) {
        let enough = self.load.count() + BETWEEN;
        until("further acknowledgements", async || {
            self.is_called();
            (self.load.count() >= enough).then_some(())
        })
        .await;
    }

    /// Ends the load, and returns what became of it: an error if the balancer hung up without an answer.
    async fn ends(mut self) -> io::Result<Report> {
        self.load.stop().await
    }
}

/// Asserts that every callback was answered 200, over a connection that stayed.
fn all_taken(ended: io::Result<Report>) {
    let report = ended.expect("the balancer hangs up on nobody");
    println!(
        "{} callbacks answered 200, in {:.0} ms at most",
        report.acknowledged.len(),
        report.percentile_ms(1.0)
    );
    assert_eq!(report.refused, 0, "refused callbacks");
}

/// Callers that send each callback in two parts, a moment apart, over connections that they keep. Each ends with what was
/// not answered 200, or when it is told to.
struct InParts {
    callers: JoinSet<Result<(), String>>,
    stop: Arc<AtomicBool>,
}

impl InParts {
    fn start(to: SocketAddr) -> InParts {
        let stop = Arc::new(AtomicBool::new(false));
        let callbacks = Callbacks::about_a_number(100_000);
        let next = Arc::new(AtomicUsize::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (stop, callbacks, next) = (stop.clone(), callbacks.clone(), next.clone());
            callers.spawn(async move {
                let mut connection = Connection::connect(to).await.map_err(|e| e.to_string())?;
                while !stop.load(Ordering::Relaxed) {
                    let request = callbacks.request(next.fetch_add(1, Ordering::Relaxed));
                    let (head, rest) = request.split_at(request.len() - 20);
                    connection.send(head).await;
                    sleep(Duration::from_millis(10)).await;
                    connection.send(rest).await;
                    match connection.answer().await {
                        Ok(answer) if answer.status == 200 => {}
                        other => return Err(format!("{other:?}")),
                    }
                }
                Ok(())
            });
        }
        InParts { callers, stop }
    }

    async fn all_taken(self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.callers.join_all().await;
        let failed: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
        assert!(failed.is_empty(), "{failed:?}");
    }
}

/// Returns the deployed configuration with addresses on this machine.
fn configuration_text(listen: &str, settings: &[Settings; 2]) -> String {
    let mut text = fs::read_to_string(CONFIGURATION).expect("is there");
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "no {from:?} in {CONFIGURATION}");
        text = text.replace(from, to);
    };
    replace(SENT_AGAIN, SENT_AGAIN);
    replace("bind :8080", &format!("bind {listen}"));
    replace("bind :9090", &format!("bind {}", free_address()));
    // The names and ports of the containers.
    replace(" port 9090", "");
    replace(" init-addr last,libc,none resolvers docker", "");
    for (name, settings) in ["one", "two"].iter().zip(settings) {
        let [callbacks, operators] = settings.addresses();
        let checked = format!("port {}", operators.port());
        let server = |address| format!("server {name} {address} {checked}");
        replace(&format!("server {name} {name}:8080"), &server(callbacks));
        replace(&format!("server {name} {name}:9090"), &server(operators));
    }
    text
}

#[tokio::test]
async fn a_rolling_restart_behind_a_balancer_refuses_no_callback() {
    let Some(server) = super::server() else {
        return;
    };
    let Some((balanced, [one, two])) = Balanced::start(&server, SENT_AGAIN).await else {
        return;
    };
    balanced.goes_on().await;
    one.stop_well().await;
    balanced.goes_on().await;
    let one = Service::start(&balanced.settings[0]).await;
    balanced.reaches(&one).await;
    two.stop_well().await;
    balanced.goes_on().await;
    let two = Service::start(&balanced.settings[1]).await;
    balanced.reaches(&two).await;
    balanced.goes_on().await;
    all_taken(balanced.ends().await);
    drop((one, two));
}

#[tokio::test]
async fn the_death_of_either_replica_behind_a_balancer_costs_no_callback() {
    let Some(server) = super::server() else {
        return;
    };
    let Some((balanced, [one, two])) = Balanced::start(&server, SENT_AGAIN).await else {
        return;
    };
    let in_parts = InParts::start(balanced.listen);
    balanced.goes_on().await;
    one.kill().await;
    balanced.goes_on().await;
    let one = Service::start(&balanced.settings[0]).await;
    balanced.reaches(&one).await;
    two.kill().await;
    balanced.goes_on().await;
    in_parts.all_taken().await;
    all_taken(balanced.ends().await);
    drop(one);
}

/// The control: it is the balancer's sending again that compensates for a death.
#[tokio::test]
async fn without_sending_again_a_death_costs_callbacks() {
    let Some(server) = super::server() else {
        return;
    };
    let started = Balanced::start(&server, "retry-on none").await;
    let Some((balanced, [one, two])) = started else {
        return;
    };
    balanced.goes_on().await;
    one.kill().await;
    // The balancer may have hung up on all callers.
    let enough = balanced.load.count() + BETWEEN;
    within(Duration::from_secs(5), async || {
        (balanced.load.count() >= enough).then_some(())
    })
    .await;
    let ended = balanced.ends().await;
    assert!(
        ended.is_err() || ended.is_ok_and(|report| report.refused > 0),
        "the test can tell"
    );
    drop(two);
}
