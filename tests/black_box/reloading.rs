//! SIGHUP: the service goes over to what its configuration says now, and no caller is refused while it does.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use serde_json::json;
use tempfile::TempDir;
use testkit::{
    ALLOWED, Output, PATH, Process, Request, SECRET, Service, Settings, Signal, Sockets, Target,
    UNALLOWED, event, folder, free_address, not_tried, now, send_and_receive, until,
};
use tokio::task::JoinSet;

use crate::haproxy;

/// The configuration that is deployed before one service.
const PROXY: &str = include_str!("../../deploy/haproxy-one.cfg");

/// Number of callers, each with a new connection for each callback.
const CALLERS: usize = 4;

/// Number of callbacks that each of them has sent at least between two steps of a test.
const CALLS: usize = 25;

/// Callers that send genuine callbacks until they are stopped.
struct Callers {
    running: JoinSet<Vec<String>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Callers {
    fn start(callbacks: SocketAddr) -> Callers {
        let mut callers = Callers {
            running: JoinSet::new(),
            stop: Arc::default(),
            sent: Arc::default(),
        };
        for caller in 0..CALLERS {
            let (stop, sent) = (callers.stop.clone(), callers.sent.clone());
            callers.running.spawn(async move {
                let mut faults = Vec::new();
                for n in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let name = format!("{caller}-{n}");
                    let body = event(&name, &name, "IN_REVIEW", now());
                    let request = Request::signed(PATH, SECRET, body);
                    match send_and_receive(ALLOWED, callbacks, &request).await {
                        Ok(answer) if answer.status == 200 => {}
                        other => faults.push(format!("{name}: {other:?}")),
                    }
                    sent.fetch_add(1, Relaxed);
                }
                faults
            });
        }
        callers
    }

    /// Waits until more callbacks have been sent.
    async fn go_on(&self) {
        let from = self.sent.load(Relaxed);
        until("callbacks to be sent", async || {
            (self.sent.load(Relaxed) >= from + CALLERS * CALLS).then_some(())
        })
        .await;
    }

    /// Stops. Returns the number of callbacks, and what became of those that were not answered 200.
    async fn end(mut self) -> (usize, Vec<String>) {
        self.stop.store(true, Relaxed);
        let mut faults = Vec::new();
        while let Some(found) = self.running.join_next().await {
            faults.extend(found.expect("a caller does not panic"));
        }
        (self.sent.load(Relaxed), faults)
    }
}

/// Settings of a service at addresses that stay, whose orders are never fetched.
fn settings(folder: &TempDir) -> Settings {
    let settings = Settings::new(folder.path()).fix_addresses();
    settings.set_project("api", "off")
}

/// Asserts that the service has every callback that was answered 200, or a full page of them.
async fn all_kept(service: &Service, answered: usize) {
    let kept = service.list("/api/v1/deliveries?limit=1000").await.len();
    assert_eq!(kept, answered.min(1000), "of {answered}");
}

/// Sends SIGHUP and waits for the line that reports what became of it.
async fn reload(service: &Service, says: &str) {
    let before = count(service, says);
    service.signal(Signal::HUP);
    until("the reload to be reported", async || {
        (count(service, says) > before).then_some(())
    })
    .await;
}

fn count(process: &Process, says: &str) -> usize {
    let lines = process.lines();
    lines.iter().filter(|line| line.contains(says)).count()
}

const RELOADED: &str = "\"reloaded\"";
const NOT_RELOADED: &str = "not reloaded";

#[tokio::test]
async fn callbacks_are_answered_200_through_reloads() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let callers = Callers::start(service.callbacks);
    for n in 1..=4 {
        callers.go_on().await;
        settings
            .clone()
            .set_project(
                "secrets",
                json!([format!("secret of turn {n}, never used"), SECRET]),
            )
            .write();
        reload(&service, RELOADED).await;
    }
    callers.go_on().await;
    let (sent, faults) = callers.end().await;
    assert_eq!(faults, Vec::<String>::new());
    all_kept(&service, sent).await;
    service.stop_well().await;
}

#[tokio::test]
async fn a_reload_takes_over_secrets_token_sources_targets_and_the_filter() {
    let folder = folder();
    let target = Target::willing().await;
    let old = settings(&folder);
    let service = Service::start(&old).await;
    let signed = |secret: &str, name: &str| {
        Request::signed(PATH, secret, event(name, name, "IN_REVIEW", now()))
    };
    assert_eq!(service.send(&signed(SECRET, "old")).await.status, 200);

    let token = folder.path().join("token");
    fs::write(&token, "a-token-that-is-long-enough\n").expect("is written");
    let new = old
        .clone()
        .set_project("secrets", json!(["another secret of callbacks"]))
        .set("operators.token_file", token.display().to_string())
        .set(
            "callbacks.allow",
            json!(["127.0.0.0/8", UNALLOWED.to_string()]),
        )
        .set("log.filter", "sinch_callbacks=debug")
        .add_target("crm", &target.url())
        .set_target("provisional", true);
    new.write();
    reload(&service, RELOADED).await;

    assert_eq!(service.send(&signed(SECRET, "stale")).await.status, 401);
    let fresh = signed("another secret of callbacks", "fresh");
    assert_eq!(service.send(&fresh).await.status, 200);
    let from_elsewhere = signed("another secret of callbacks", "elsewhere");
    let answer = service.send_from(UNALLOWED, &from_elsewhere).await;
    assert_eq!(answer.status, 200);
    assert_eq!(service.get("/status").await.status, 401);
    target.told_when(1).await;
    service.stop_well().await;
}

#[tokio::test]
async fn a_faulty_configuration_changes_nothing_and_each_fault_is_named() {
    let folder = folder();
    let settings = Settings::new(folder.path()).fix_addresses();
    let service = Service::start(&settings).await;
    let taken = TcpListener::bind(free_address()).expect("a free address");
    let address = taken.local_addr().expect("an address").to_string();
    for (faulty, named) in [
        (
            settings.clone().set("worker.attempts_max", 0),
            "worker.attempts_max",
        ),
        (
            settings.clone().set("log.filter", "sinch_callbacks=loud"),
            "log.filter",
        ),
        (
            settings.clone().set("callbacks.listen", address.as_str()),
            "is something else listening there?",
        ),
    ] {
        faulty.write();
        reload(&service, NOT_RELOADED).await;
        let said = service.said();
        let mut lines = said.lines().filter(|line| line.contains(NOT_RELOADED));
        let line = lines.next_back().unwrap_or_default();
        assert!(line.contains(named), "{named}: {line}");
        service
            .deliver(event(named, "01horder", "IN_REVIEW", now()))
            .await;
    }
    service.stop_well().await;
}

#[tokio::test]
async fn a_configuration_with_which_nothing_starts_leaves_the_old_one_in_force() {
    let folders = [folder(), folder()];
    let settings = Settings::new(folders[0].path()).fix_addresses();
    let other = Service::start(&Settings::new(folders[1].path())).await;
    let service = Service::start(&settings).await;
    let held = folders[1].path().join("service.db");
    settings
        .clone()
        .set("database.path", held.display().to_string())
        .write();
    reload(&service, NOT_RELOADED).await;
    service
        .deliver(event("still", "01horder", "IN_REVIEW", now()))
        .await;
    assert_eq!(service.list("/api/v1/deliveries").await.len(), 1);
    service.stop_well().await;
    other.stop_well().await;
}

#[tokio::test]
async fn a_restart_on_sockets_that_stay_open_refuses_no_callback() {
    let folder = folder();
    let settings = settings(&folder);
    let sockets = Sockets::bind(&settings.addresses());
    let mut service = sockets.start(&settings).await;
    let callers = Callers::start(service.callbacks);
    for _ in 0..3 {
        callers.go_on().await;
        service.stop_well().await;
        service = sockets.start(&settings).await;
    }
    callers.go_on().await;
    let (sent, faults) = callers.end().await;
    assert_eq!(faults, Vec::<String>::new());
    all_kept(&service, sent).await;
    service.stop_well().await;
}

/// The control of the test above: without the sockets, callbacks are refused while the service is down.
#[tokio::test]
async fn a_restart_without_them_refuses_some() {
    let folder = folder();
    let settings = settings(&folder);
    let service = Service::start(&settings).await;
    let callers = Callers::start(service.callbacks);
    callers.go_on().await;
    service.stop_well().await;
    callers.go_on().await;
    let service = Service::start(&settings).await;
    let (_, faults) = callers.end().await;
    assert!(!faults.is_empty());
    service.stop_well().await;
}

#[tokio::test]
async fn a_proxy_that_waits_covers_a_restart() {
    let Some(program) = haproxy::find() else {
        return not_tried("a proxy that waits: it is not installed (package haproxy)");
    };
    let folder = folder();
    let settings = settings(&folder).set("callbacks.trusted_proxies", json!(["127.0.0.1"]));
    let service = Service::start(&settings).await;
    let listen = free_address();
    let text = PROXY.replace("bind :8080", &format!("bind {listen}"));
    let text = text.replace("sinch-callbacks:8080", &service.callbacks.to_string());
    let configuration = folder.path().join("haproxy.cfg");
    fs::write(&configuration, text).expect("is written");
    let _proxy = haproxy::run(&program, &configuration);
    until("the proxy to listen", async || {
        TcpStream::connect(listen).ok()
    })
    .await;
    let callers = Callers::start(listen);
    callers.go_on().await;
    service.stop_well().await;
    let service = Service::start(&settings).await;
    callers.go_on().await;
    let (_, faults) = callers.end().await;
    assert_eq!(faults, Vec::<String>::new());
    service.stop_well().await;
}

#[tokio::test]
async fn a_socket_that_is_none_of_the_two_is_refused_by_name() {
    let folder = folder();
    let settings = Settings::new(folder.path()).fix_addresses();
    let [callbacks, _] = settings.addresses();
    let foreign = free_address();
    let sockets = Sockets::bind(&[callbacks, foreign]);
    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), "serve".as_ref()];
    let command = sockets.command(&settings);
    let process = Process::spawn(command, arguments, Output::Kept);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    let named = format!("LISTEN_FDS: {foreign} is passed");
    assert!(ended.err.contains(&named), "{ended:?}");
}
