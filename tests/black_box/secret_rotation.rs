//! `rotate-secret`: the secret changes under load, nothing is refused, and a run that is killed goes on where it was.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sinch_simulator::{Simulator, World};
use tempfile::TempDir;
use testkit::{
    ALLOWED, Ended, PATH, PROJECT, Process, Request, SECRET, Service, Settings, Signal, event,
    folder, id, now, play, send_and_receive, until,
};
use tokio::task::JoinSet;

use crate::played::client;

/// Number of callers, each with a new connection for each callback.
const CALLERS: usize = 3;

/// Time for which Sinch goes on to send what it signed before the change.
const STALE_FOR: Duration = Duration::from_millis(1500);

/// A service whose secret stands in a file, and the simulated Sinch.
struct Place {
    simulator: Arc<Simulator>,
    settings: Settings,
    service: Service,
    file: PathBuf,
    _folder: TempDir,
}

impl Place {
    async fn with(secrets: &str) -> Place {
        Place::starting(secrets, |settings| settings).await
    }

    async fn starting(secrets: &str, change: impl FnOnce(Settings) -> Settings) -> Place {
        let folder = folder();
        let file = folder.path().join("callback-secrets");
        fs::write(&file, secrets).expect("is written");
        let settings = Settings::new(folder.path())
            .fix_addresses()
            .set("log.filter", "trace")
            .unset_project("secrets")
            .set_project("secrets_file", file.display().to_string());
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, change(settings)).await;
        let service = Service::start(&settings).await;
        Place {
            simulator: Arc::new(simulator),
            settings,
            service,
            file,
            _folder: folder,
        }
    }

    fn start(&self, arguments: &[&str]) -> Process {
        let config = self.settings.path().display().to_string();
        let command = ["--config", &config, "rotate-secret"];
        Process::start(command.iter().chain(arguments))
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    fn at_sinch(&self) -> String {
        self.simulator.secret().expose_secret().to_owned()
    }

    fn in_file(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).expect("is read");
        text.lines().map(str::to_owned).collect()
    }

    /// Sends a callback as Sinch would sign it now.
    async fn send(&self, name: &str) -> u16 {
        let body = event(name, name, "IN_REVIEW", now());
        let request = Request::signed(PATH, &self.at_sinch(), body);
        self.service.send(&request).await.status
    }

    /// Asserts that the rotation is done, and that nothing has told a secret.
    async fn is_done(&self, ended: &Ended) {
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let secret = self.at_sinch();
        assert_eq!(self.in_file(), std::slice::from_ref(&secret));
        let path = format!("/api/v1/projects/{PROJECT}/secrets");
        let shown = self.service.get(&path).await.json();
        assert_eq!(
            shown["secrets"].as_array().map(Vec::len),
            Some(1),
            "{shown}"
        );
        assert_eq!(self.send("at the end").await, 200);
        let stale = Request::signed(PATH, SECRET, event("stale", "stale", "IN_REVIEW", now()));
        assert_eq!(self.service.send(&stale).await.status, 401);
        for said in [&ended.out, &ended.err, &self.service.said()] {
            assert!(!said.contains(&secret) && !said.contains(SECRET), "{said}");
        }
        assert!(
            !self
                .service
                .get("/status")
                .await
                .json()
                .to_string()
                .contains(&secret)
        );
    }
}

/// Callers that sign as Sinch does at that moment, and for a while after a change also as it did before.
struct Callers {
    running: JoinSet<Vec<String>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

/// Secrets that Sinch has signed with, each with the time at which it was first seen.
type Signed = Arc<Mutex<Vec<(String, Instant)>>>;

fn secret_of_a_callback(signed: &Signed, now_at_sinch: &str, n: usize) -> String {
    let mut signed = signed.lock().expect("nobody panics with it");
    if signed.last().is_none_or(|(last, _)| last != now_at_sinch) {
        signed.push((now_at_sinch.to_owned(), Instant::now()));
    }
    match &signed[..] {
        [.., (before, _), (_, since)] if n.is_multiple_of(3) && since.elapsed() < STALE_FOR => {
            before.clone()
        }
        [.., (current, _)] => current.clone(),
        [] => now_at_sinch.to_owned(),
    }
}

impl Callers {
    fn start(callbacks: SocketAddr, simulator: &Arc<Simulator>) -> Callers {
        let mut callers = Callers {
            running: JoinSet::new(),
            stop: Arc::default(),
            sent: Arc::default(),
        };
        let signed = Signed::default();
        for caller in 0..CALLERS {
            let (stop, sent) = (callers.stop.clone(), callers.sent.clone());
            let (simulator, signed) = (simulator.clone(), signed.clone());
            callers.running.spawn(async move {
                let mut faults = Vec::new();
                for n in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let name = format!("{caller}-{n}");
                    let body = event(&name, &name, "IN_REVIEW", now());
                    let at_sinch = simulator.secret();
                    let secret = secret_of_a_callback(&signed, at_sinch.expose_secret(), n);
                    let request = Request::signed(PATH, &secret, body);
                    match send_and_receive(ALLOWED, callbacks, &request).await {
                        Ok(answer) if answer.status == 200 => {}
                        Ok(answer) => faults.push(format!("{name}: {}", answer.status)),
                        Err(error) => faults.push(format!("{name}: {error}")),
                    }
                    sent.fetch_add(1, Relaxed);
                }
                faults
            });
        }
        callers
    }

    async fn go_on(&self) {
        let from = self.sent.load(Relaxed);
        until("callbacks to be sent", async || {
            (self.sent.load(Relaxed) >= from + 20).then_some(())
        })
        .await;
    }

    /// Stops. Returns what became of the callbacks that were not answered 200.
    async fn end(mut self) -> Vec<String> {
        self.stop.store(true, Relaxed);
        let mut faults = Vec::new();
        while let Some(found) = self.running.join_next().await {
            faults.extend(found.expect("a caller does not panic"));
        }
        faults
    }
}

#[tokio::test]
async fn the_secret_changes_under_load_and_nothing_is_refused() {
    let place = Place::with(&format!("{SECRET}\n")).await;
    let callers = Callers::start(place.service.callbacks, &place.simulator);
    callers.go_on().await;
    let began = Instant::now();
    let ended = place.run(&["--quiet-for", "3s"]).await;
    let took = began.elapsed();
    callers.go_on().await;
    assert_eq!(callers.end().await, Vec::<String>::new());
    assert_eq!(place.service.refused("signature").await, 0);
    place.is_done(&ended).await;
    assert_ne!(place.at_sinch(), SECRET);
    println!("took {took:?}");
    place.service.stop_well().await;
}

/// The control: a secret that Sinch has before the service does costs callbacks.
#[tokio::test]
async fn a_secret_that_sinch_has_first_is_refused() {
    let place = Place::with(&format!("{SECRET}\n")).await;
    let callers = Callers::start(place.service.callbacks, &place.simulator);
    callers.go_on().await;
    let new = SecretString::from("0123456789-0123456789-0123456789");
    let sinch = client(&place.simulator);
    let changed = sinch.update_callback_configuration(&new).await;
    changed.expect("Sinch takes it");
    callers.go_on().await;
    let faults = callers.end().await;
    assert!(
        faults.iter().any(|fault| fault.ends_with("401")),
        "{faults:?}"
    );
    place.service.stop_well().await;
}

#[tokio::test]
async fn drift_is_cured_and_no_event_is_lost() {
    let place = Place::with(&format!("{SECRET}\n")).await;
    let at_sinch = "a-secret-set-by-somebody-else-in-the-dashboard";
    place.simulator.set_secret(SecretString::from(at_sinch));
    assert_eq!(place.send("first").await, 401);
    let command = place.start(&["--quiet-for", "1s"]);
    // Sinch sends again what was refused.
    until("the event to be taken", async || {
        (place.send("first").await == 200).then_some(())
    })
    .await;
    let ended = command.ended().await;
    place.is_done(&ended).await;
    assert_eq!(place.at_sinch(), at_sinch, "it is taken over");
    let kept = place.service.list("/api/v1/deliveries").await;
    assert!(kept.iter().any(|row| row["order"] == "first"), "{kept:?}");
    place.service.stop_well().await;
}

/// Beginnings of what the command prints after each of its steps.
const STEPS: [&str; 5] = [
    "the file has the new secret",
    "the service verifies",
    "Sinch was given",
    "callbacks are verified by",
    "the file has the secret that Sinch has",
];

/// Returns the step that a line reports.
fn step_of(line: &str) -> Option<&'static str> {
    STEPS.into_iter().find(|step| line.starts_with(step))
}

/// Moment at which a run is killed.
#[derive(Clone, Copy)]
enum Moment {
    /// As soon as it has reported a step.
    AfterAStep,
    /// After this number of milliseconds.
    Millis(u64),
}

/// Starts the command and kills it, unless it ends before. Returns the steps that it has reported.
async fn run_killed(place: &Place, moment: Moment) -> Vec<&'static str> {
    let began = Instant::now();
    let mut command = place.start(&["--quiet-for", "2s"]);
    until("the moment", async || {
        let is_now = match moment {
            Moment::AfterAStep => command.lines().iter().any(|line| step_of(line).is_some()),
            Moment::Millis(millis) => began.elapsed() > Duration::from_millis(millis),
        };
        (is_now || !command.is_running()).then_some(())
    })
    .await;
    if command.is_running() {
        command.signal(Signal::KILL);
    }
    let ended = command.ended().await;
    assert!(matches!(ended.code, None | Some(0)), "{ended:?}");
    ended.out.lines().filter_map(step_of).collect()
}

/// A run is killed after each step that it reports, and others at any moment. The next one goes on.
#[tokio::test]
async fn a_run_that_is_killed_goes_on_where_it_was() {
    let place = Place::with(&format!("{SECRET}\n")).await;
    let callers = Callers::start(place.service.callbacks, &place.simulator);
    callers.go_on().await;
    let (mut kills, mut seen) = (0, BTreeSet::new());
    let mut at_any_moment = 0;
    while at_any_moment < 8 {
        let moment = if seen.len() < STEPS.len() {
            Moment::AfterAStep
        } else {
            at_any_moment += 1;
            Moment::Millis(fastrand::u64(20..900))
        };
        seen.extend(run_killed(&place, moment).await);
        kills += 1;
        assert!(kills < 100, "it never ends: {seen:?}");
        assert_eq!(place.send(&format!("after kill {kills}")).await, 200);
        assert!(place.in_file().contains(&place.at_sinch()));
    }
    let ended = place.run(&["--quiet-for", "2s"]).await;
    callers.go_on().await;
    assert_eq!(callers.end().await, Vec::<String>::new());
    place.is_done(&ended).await;
    println!("killed {kills} times");
    let names = fs::read_dir(place.file.parent().expect("a folder")).expect("is read");
    let names = names.filter_map(|name| name.ok()?.file_name().into_string().ok());
    assert_eq!(names.filter(|name| name.contains("rotating")).count(), 0);
    place.service.stop_well().await;
}

/// Each replica has a file of its own, of which the command knows one.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn where_several_instances_serve_the_project_nothing_is_changed() {
    use testkit::postgres::{Server, ServerOptions};

    let Some(server) = Server::start(ServerOptions::default()) else {
        return testkit::not_tried("replicas: no PostgreSQL server is installed");
    };
    let url = server.url(&server.database());
    let on_server = |settings: Settings| {
        settings
            .set("database.url", url.as_str())
            .set("database.lossy_commits", true)
    };
    let place = Place::starting(&format!("{SECRET}\n"), on_server).await;
    let others = folder();
    let other = Settings::new(others.path())
        .set("sinch.api_url", place.simulator.api_url())
        .set("sinch.token_url", place.simulator.token_url());
    let other = Service::start(&on_server(other)).await;
    let ended = place.run(&["--quiet-for", "0s"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("2 processes serve this project"),
        "{ended:?}"
    );
    assert_eq!(
        (place.at_sinch(), place.in_file()),
        (SECRET.to_owned(), vec![SECRET.to_owned()])
    );

    // Alone again, it is changed as on a file.
    other.stop_well().await;
    let command = place.start(&["--quiet-for", "0s"]);
    until("Sinch to have another one", async || {
        (place.at_sinch() != SECRET).then_some(())
    })
    .await;
    assert_eq!(place.send("seen").await, 200);
    place.is_done(&command.ended().await).await;
    place.service.stop_well().await;
}

#[tokio::test]
async fn a_given_secret_is_taken_and_a_dry_run_changes_nothing() {
    let place = Place::with(&format!("{SECRET}\n")).await;
    let given = place.file.with_file_name("given");
    let new = "0123456789-0123456789-0123456789";
    fs::write(&given, format!("{new}\n")).expect("is written");
    let given = given.display().to_string();
    let dry = place.run(&["--dry-run", "--new-secret-file", &given]).await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    for words in [
        "1. add a new secret",
        "2. have the service read",
        "3. give Sinch",
        "6. have",
    ] {
        assert!(dry.out.contains(words), "{words}: {dry:?}");
    }
    assert_eq!(
        (place.at_sinch(), place.in_file()),
        (SECRET.to_owned(), vec![SECRET.to_owned()])
    );

    let command = place.start(&["--quiet-for", "0s", "--new-secret-file", &given]);
    until("Sinch to have it", async || {
        (place.at_sinch() == new).then_some(())
    })
    .await;
    assert_eq!(place.send("seen").await, 200);
    place.is_done(&command.ended().await).await;
    let again = place.run(&["--new-secret-file", &given]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("nothing is to be done"), "{again:?}");
    place.service.stop_well().await;
}

#[tokio::test]
async fn what_cannot_be_done_safely_is_refused_with_the_cure() {
    let mut place = Place::with(&format!("{SECRET}\nanother-one-of-somebody\n")).await;
    let ended = place.run(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("line 2 of ") && ended.err.contains("--new-secret-file"),
        "{ended:?}"
    );
    assert!(!ended.err.contains("somebody"), "{ended:?}");

    let bad = place.file.with_file_name("bad");
    fs::write(&bad, "too short\n").expect("is written");
    let ended = place
        .run(&["--new-secret-file", &bad.display().to_string()])
        .await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.err.contains("32 to 64") && !ended.err.contains("too short"),
        "{ended:?}"
    );

    place.settings = place
        .settings
        .unset_project("secrets_file")
        .set_project("secrets", json!([SECRET]));
    place.settings.write();
    let ended = place.run(&[]).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    assert!(ended.err.contains("projects[0].secrets_file"), "{ended:?}");
    assert_eq!(place.at_sinch(), SECRET);
    place.service.stop_well().await;
}
