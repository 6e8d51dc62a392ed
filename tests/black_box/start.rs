//! Command lines, configurations and exit codes.

use std::net::TcpListener;

use serde_json::{Value, json};
use sinch_callbacks::clock;

use testkit::{PATH, PROJECT, Request, SECRET, Service, Settings, event, folder, run, until};

const OK: Option<i32> = Some(0);
const FAILURE: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const CONFIG: Option<i32> = Some(78);

/// Runs a command with the given configuration.
async fn with(settings: &Settings, command: &str) -> (Option<i32>, String, String) {
    let config = settings.write();
    let ended = run(["--config".as_ref(), config.as_os_str(), command.as_ref()]).await;
    (ended.code, ended.out, ended.err)
}

#[tokio::test]
async fn the_command_line_explains_itself() {
    let version = run(["--version"]).await;
    assert_eq!(version.code, OK);
    assert_eq!(
        version.out,
        concat!("sinch-callbacks ", env!("CARGO_PKG_VERSION"))
    );
    let help = run(["--help"]).await;
    assert_eq!(help.code, OK);
    for command in ["serve", "demo", "simulate", "check", "healthcheck"] {
        assert!(help.out.contains(command), "{command}: {}", help.out);
        assert_eq!(run([command, "--help"]).await.code, OK);
    }
    let offered = [
        ("serve", true),
        ("watch", true),
        ("demo", false),
        ("simulate", false),
    ];
    for (command, offers) in offered {
        let help = run([command, "--help"]).await.out;
        assert_eq!(help.contains("--config"), offers, "{help}");
    }
    let wrong: [&[&str]; 7] = [
        &[],
        &["dance"],
        &["serve", "--loudly"],
        &["demo", "--seed", "x"],
        &["demo", "--config", "x"],
        &["--config", "x", "demo"],
        &["simulate", "--config=x"],
    ];
    for arguments in wrong {
        let ended = run(arguments).await;
        assert_eq!(ended.code, USAGE, "{arguments:?}");
        assert!(
            ended.out.is_empty() && !ended.err.is_empty(),
            "{arguments:?}"
        );
    }
}

/// Configurations that must not start, each with the key that the message must name, and its words.
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn unfit(good: &Settings) -> Vec<(Settings, &'static str, &'static str)> {
    let set = |key, value: Value| good.clone().set(key, value);
    let project = |name, value: Value| good.clone().set_project(name, value);
    vec![
        (
            set("callbacks.lissen", json!("x")),
            "callbacks.lissen",
            "no such key",
        ),
        (
            set("callbacks.listen", json!("here")),
            "callbacks.listen",
            "IP address",
        ),
        (
            set("callbacks.allow", json!([])),
            "callbacks.allow",
            "no address could call",
        ),
        (
            set("callbacks.allow", json!(["0.0.0.0/0"])),
            "callbacks.allow[0]",
            "every address",
        ),
        (
            set("callbacks.allow", json!(["::/0"])),
            "callbacks.allow[0]",
            "every address",
        ),
        (
            set(
                "callbacks.trusted_proxies",
                json!(["127.0.0.1", "0.0.0.0/0"]),
            ),
            "callbacks.trusted_proxies[1]",
            "every address",
        ),
        (
            set("callbacks.body_max_bytes", json!(0)),
            "callbacks.body_max_bytes",
            "from 1 to",
        ),
        (
            set("operators.token", json!("short")),
            "operators.token",
            "too short",
        ),
        (
            set("sinch.max_in_flight", json!("four")),
            "sinch.max_in_flight",
            "whole number",
        ),
        (
            set("sinch.api_url", json!("http://192.0.2.1")),
            "sinch.api_url",
            "https://",
        ),
        (
            project("secrets", json!([""])),
            "projects[0].secrets",
            "empty",
        ),
        (
            project("secrets", json!([SECRET, " "])),
            "projects[0].secrets[1]",
            "empty",
        ),
        (
            project("secrets", json!(["replace-me"])),
            "projects[0].secrets",
            "replace",
        ),
        (
            project("key_secret", json!("")),
            "projects[0].key_secret",
            "empty",
        ),
        (
            project("path", json!("callbacks")),
            "projects[0].path",
            "slash",
        ),
        (
            project("id", json!("a/b")),
            "projects[0].id",
            "not a project's id",
        ),
        (
            good.clone().add_project(PROJECT, "/second", "x"),
            "projects[1].id",
            "the same id",
        ),
        (
            good.clone().add_project("second", PATH, "x"),
            "projects[1].path",
            "own",
        ),
    ]
}

/// Returns the number of the line in which the file has the key.
fn line_of(settings: &Settings, key: &str) -> usize {
    let (table, name) = key.split_once('.').expect("a key is table.name");
    let name = name.split('[').next().unwrap_or(name);
    let (head, nth) = match table {
        "projects[0]" => ("[[projects]]".to_owned(), 0),
        "projects[1]" => ("[[projects]]".to_owned(), 1),
        table => (format!("[{table}]"), 0),
    };
    let text = settings.text();
    let lines = || text.lines().enumerate();
    let mut heads = lines().filter(|(_, line)| *line == head);
    let (begin, _) = heads.nth(nth).expect("the table is in the file");
    let found = lines()
        .skip(begin)
        .find(|(_, line)| line.starts_with(&format!("{name} = ")));
    let (line, _) = found.expect("the key is in the file");
    line + 1
}

#[tokio::test]
async fn a_bad_configuration_is_refused_with_key_and_line() {
    let folder = folder();
    let good = Settings::new(folder.path());
    for (settings, key, words) in unfit(&good) {
        let place = format!("config.toml line {}: {key}", line_of(&settings, key));
        let (code, out, err) = with(&settings, "serve").await;
        assert_eq!(code, CONFIG, "{key}: {err}");
        assert!(
            err.contains(&place) && err.contains(words),
            "{place}, {words}: {err}"
        );
        assert!(!err.contains(SECRET), "{err}");
        assert_eq!(out, "");
        let (code, out, _) = with(&settings, "check").await;
        assert_eq!(code, CONFIG, "{key}");
        assert!(out.contains("FAILED") && out.contains(&place), "{out}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named_too() {
    let folder = folder();
    let good = Settings::new(folder.path());
    for (settings, key) in [
        (
            good.clone().set("operators.listen", "0.0.0.0:0"),
            "operators.token",
        ),
        (
            good.clone().set("operators.listen", "[::]:0"),
            "operators.token",
        ),
        (good.clone().unset_project("secrets"), "projects[0].secrets"),
        (good.clone().unset_project("key_id"), "projects[0].key_id"),
        (
            good.clone().unset_project("key_secret"),
            "projects[0].key_secret",
        ),
        (good.clone().unset_project("id"), "projects[0].id"),
    ] {
        let (code, _, err) = with(&settings, "serve").await;
        assert_eq!(code, CONFIG, "{key}");
        assert!(err.contains(&format!("not set: {key}")), "{key}: {err}");
    }
    let nowhere = folder.path().join("nowhere.toml");
    let ended = run(["--config".as_ref(), nowhere.as_os_str(), "serve".as_ref()]).await;
    assert_eq!(ended.code, CONFIG);
    assert!(
        ended.err.contains("nowhere.toml: cannot be read"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn check_gives_a_result_for_each_thing() {
    let folder = folder();
    let good = Settings::new(folder.path());
    let (code, out, err) = with(&good, "check").await;
    assert_eq!(code, OK, "{out}{err}");
    for what in [
        "configuration",
        "callbacks.listen",
        "operators.listen",
        "database",
        "API client",
    ] {
        let decision = out.lines().find(|line| line.contains(what));
        assert!(
            decision.is_some_and(|line| line.starts_with("ok ")),
            "{what}: {out}"
        );
    }
    assert!(!out.contains(SECRET));
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for key in ["callbacks.listen", "operators.listen"] {
        let settings = Settings::new(folder.path()).set(key, address.as_str());
        let (code, _, err) = with(&settings, "serve").await;
        assert_eq!(code, FAILURE, "{err}");
        assert!(err.contains(key) && err.contains(&address), "{err}");
        let (code, out, _) = with(&settings, "check").await;
        assert_eq!(code, FAILURE, "{out}");
        let failed = |line: &str| line.starts_with("FAILED") && line.contains(key);
        assert!(out.lines().any(failed), "{out}");
    }
}

#[tokio::test]
async fn projects_are_kept_apart() {
    let folder = folder();
    let settings = Settings::new(folder.path())
        .set_project("api", "off")
        .add_project("second", "/second/callbacks", "second-secret");
    let service = Service::start(&settings).await;
    let own = event("e1", "o1", "IN_REVIEW", clock::now());
    let others = own.replace(PROJECT, "second");
    for (path, secret, body, expected) in [
        (PATH, "second-secret", &own, 401),
        (PATH, "second-secret", &others, 401),
        ("/second/callbacks", SECRET, &others, 401),
        (PATH, SECRET, &own, 200),
        ("/second/callbacks", "second-secret", &others, 200),
        // The callback is genuine, but in another project's name: the path and its secret decide whose it is.
        ("/second/callbacks", "second-secret", &own, 200),
    ] {
        let answer = service
            .send(&Request::signed(path, secret, body.clone()))
            .await;
        assert_eq!(answer.status, expected, "{path} {secret} {body}");
    }
    let parked = service.list("/api/v1/parked").await;
    // The last callback has the id of a stored event, so it is kept as a second delivery with that id.
    let strange: Vec<_> = parked
        .iter()
        .filter(|row| row["decision"]["code"] == "project-mismatch")
        .collect();
    assert_eq!(strange.len(), 1, "{parked:?}");
    assert_eq!(strange[0]["project"], "second");
    until("both orders to be known", async || {
        (service.list("/api/v1/orders").await.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn healthcheck_asks_the_running_service() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    let there = settings
        .clone()
        .set("operators.listen", service.operators.to_string());
    // On a busy machine the answer of the health check can come too late.
    until("health", async || {
        let (code, _, _) = with(&there, "healthcheck").await;
        (code == OK).then_some(())
    })
    .await;
    // For the service, the test's own connection locks the file as another program would.
    let mut file = testkit::File::open(&settings.database()).await;
    file.execute("BEGIN EXCLUSIVE").await;
    // The second reason is given if something else waits for the lock already.
    let known = ["the database is locked", "the database does not answer"];
    until("the reason", async || {
        let (code, _, err) = with(&there, "healthcheck").await;
        assert_eq!(code, FAILURE, "{err}");
        known.iter().any(|why| err.contains(why)).then_some(())
    })
    .await;
    file.execute("ROLLBACK").await;
    service.stop().await;
    let (code, _, err) = with(&there, "healthcheck").await;
    assert_eq!(code, FAILURE, "{err}");
    assert!(err.contains("no service can be reached"), "{err}");
}
