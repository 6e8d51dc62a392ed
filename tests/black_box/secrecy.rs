//! Data that must not leak: secrets, tokens and telephone numbers, at the most verbose level of the log.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use number_order::State;
use serde_json::{Value, json};
use sinch_callbacks::clock;
use sinch_simulator::{Outage, Reply, World};

use testkit::{
    KEY_SECRET, PATH, PATIENCE, PROJECT, Request, SECRET, Service, Settings, about_number, event,
    folder, id, order_history, play, until, within,
};

const OLD_SECRET: &str = "old-secret-p05fgw";
const TOKEN: &str = "operators-token-c39bnt";
/// First digits of every telephone number in these tests.
const NUMBERS: &str = "4477009001";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one course of events")]
async fn neither_log_nor_answers_give_anything_away() {
    let folder = folder();
    let orders = [
        order_history("o1", &[(0, State::InReview)]),
        order_history(&format!("+{NUMBERS}77"), &[(0, State::InReview)]),
    ];
    let world = World::from_orders(id(PROJECT), orders);
    let settings = Settings::new(folder.path())
        .set("log.filter", "trace")
        .set("operators.token", TOKEN)
        .set_project("secrets", json!([SECRET, OLD_SECRET]));
    let (simulator, settings) = play(world, settings).await;
    let service = Service::start(&settings).await;
    let mut answers = Vec::new();

    // The messages mention secrets and numbers in every way, and go wrong in every way.
    let at = simulator.started_at();
    let number = format!("+{NUMBERS}77");
    let bodies = [
        event("e1", "o1", "IN_REVIEW", at),
        event("e2", &number, "IN_REVIEW", at),
        event("e2", &number, "BLOCKED", at),
        about_number("e3", "ACTIVE_NUMBER", &number),
        json!({"resourceType": "NUMBER_ORDER", "resourceId": number, "eventId": "e4"}).to_string(),
        format!("{{{number}"),
        // The ids contain telephone numbers as people write them, wherever there is room for one.
        event("tel:+44-7700-900-177", "tel:+44-7700-900-177", "IN_REVIEW", at),
        event("(07700) 900 177", "07700.900.177", "+44 7700 900177", at),
        about_number("e5", "+44/7700/900177", &number),
        json!({"resourceType": "NUMBER_ORDER", "resourceId": "07700 900177", "status": "IN_REVIEW"})
            .to_string(),
    ];
    for body in bodies {
        for secret in [SECRET, OLD_SECRET, "a-wrong-secret"] {
            let request = Request::signed(PATH, secret, body.clone());
            answers.push(service.send(&request).await);
        }
    }
    let operator = |method: &str, path: &str| {
        Request::new(method, path).header("Authorization", &format!("Bearer {TOKEN}"))
    };
    let mut request = async |method: &str, path: &str| {
        let answer = service.send_to_operators(&operator(method, path)).await;
        answers.push(answer.clone());
        answer
    };
    let settled = async |order: &str| {
        testkit::until("an answer of Sinch", async || {
            let path = format!("/api/v1/orders/{order}");
            let answer = service.send_to_operators(&operator("GET", &path)).await;
            (answer.json()["settled"] == true).then_some(())
        })
        .await;
    };
    settled("o1").await;
    settled(&number).await;
    let o1 = format!("/api/v1/orders/{PROJECT}/o1/fetch");
    for reply in [
        Reply::Unauthorized,
        Reply::ServerError { status: 500 },
        Reply::Raw {
            status: 200,
            body: format!("{{\"token\":\"{KEY_SECRET}\"}}"),
        },
    ] {
        simulator.push_reply(&id("o1"), reply);
        request("POST", &o1).await;
    }
    simulator.revoke_tokens();
    request("POST", &o1).await;
    testkit::until("a new token", async || {
        (simulator.stats().tokens >= 2).then_some(())
    })
    .await;
    simulator.set_outage(Outage::Unauthorized);
    request("POST", &o1).await;
    let refused = |line: &String| line.contains("check key_id and key_secret");
    testkit::until("the key to be refused", async || {
        service.lines().iter().any(refused).then_some(())
    })
    .await;
    for path in [
        "/status",
        "/api/v1/orders",
        "/api/v1/parked",
        "/api/v1/orders/o1",
        "/nowhere",
    ] {
        request("GET", path).await;
    }
    // A wrong token is a secret as well: it may be the right one with a typing error.
    let wrong = Request::new("GET", "/status").header("Authorization", "Bearer mistyped-token");
    answers.push(service.send_to_operators(&wrong).await);

    let ended = service.stop().await;
    assert_eq!(ended.code, Some(0));
    let log = format!("{}\n{}", ended.out, ended.err);
    assert!(
        log.contains("\"TRACE\""),
        "the log has lines of the lowest level"
    );
    let signed = Request::signed(PATH, SECRET, event("e1", "o1", "IN_REVIEW", at)).head();
    let signature = signed
        .lines()
        .find_map(|line| line.strip_prefix("X-Sinch-Signature: "));
    let basic = "Basic ";
    let secrets = [
        SECRET,
        OLD_SECRET,
        KEY_SECRET,
        TOKEN,
        "mistyped-token",
        "simulated-token",
        basic,
        signature.expect("the request is signed"),
    ];
    for secret in secrets {
        let leak = log.lines().find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret}");
        for answer in &answers {
            let text = format!("{}{}", answer.head, String::from_utf8_lossy(&answer.body));
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    let digits = |line: &&str| -> String { line.chars().filter(char::is_ascii_digit).collect() };
    let leak = log.lines().find(|line| digits(line).contains("7700900177"));
    assert_eq!(leak, None, "a telephone number");
    assert_numbers_are_numbers(&ended.out);
}

/// Names of figures in the log, or the ends of such names.
const FIGURES: [&str; 12] = [
    "_ms",
    "_secs",
    "_us",
    "_bytes",
    "attempts",
    "failures",
    "left_out",
    "status",
    "projects",
    "signatures",
    "delivery",
    "content_length",
];

#[track_caller]
fn assert_numbers_are_numbers(log: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let ours = line["target"]
            .as_str()
            .is_some_and(|target| target.starts_with("sinch_callbacks"));
        for (name, value) in line.as_object().into_iter().flatten().filter(|_| ours) {
            if FIGURES.iter().any(|figure| name.ends_with(figure)) {
                assert!(value.is_number(), "{name}: {line}");
                seen.insert(name.clone());
            }
        }
    }
    for figure in ["age_ms", "took_ms", "attempts", "left_out", "projects"] {
        assert!(seen.contains(figure), "no {figure} among {seen:?}");
    }
}

#[tokio::test]
async fn nobody_else_on_the_machine_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let settings = Settings::new(folder.path());
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "IN_REVIEW", clock::now()))
        .await;
    let entries = std::fs::read_dir(folder.path()).expect("the folder can be read");
    let mut seen = 0;
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("service.db") {
            seen += 1;
            let mode = entry
                .metadata()
                .expect("the file is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
        }
    }
    assert!(seen >= 3, "database, log and lock");
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_flood_the_log() {
    let folder = folder();
    let service = Service::start(&Settings::new(folder.path())).await;
    let began = std::time::Instant::now();
    let forged = Request::post(PATH, "{}");
    for _ in 0..300 {
        service.send(&forged).await.assert_refusal(401, "forged");
    }
    let refused = || {
        let lines = service.lines();
        let refused = lines.iter();
        refused
            .filter(|line| line.contains("refused a request"))
            .count()
    };
    until("a line in the log", async || (refused() > 0).then_some(())).await;
    let refused = refused();
    let most = 2 + began.elapsed().div_duration_f64(Duration::from_secs(1)) as usize;
    assert!(refused <= most, "{refused} lines: one a second at most");
    assert_eq!(
        service.refused("signature").await,
        300,
        "and yet each is counted"
    );
}

#[tokio::test]
async fn nobody_of_the_same_user_can_read_the_memory() {
    let folder = folder();
    // Nothing answers for Sinch, so the command that places an order tries for a while.
    let form = folder.path().join("form.toml");
    let text = "reference = \"form\"\n[order]\nregion = \"AU\"\ntype = \"MOBILE\"\nquantity = 1\n";
    std::fs::write(&form, text).expect("is written");
    let form = form.to_str().expect("a path");
    for arguments in [vec!["serve"], vec!["order", "place", form]] {
        let mut process = private_process(folder.path(), &arguments);
        let hidden = is_hidden(process.id()).await;
        process.kill().expect("the program runs");
        process.wait().expect("a child can be waited for");
        assert!(hidden, "memory and variables are root's: {arguments:?}");
    }
}

/// Starts the program, as another user than root.
fn private_process(folder: &Path, arguments: &[&str]) -> Child {
    const NOBODY: u32 = 65534;
    let config = Settings::new(folder).write();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinch-callbacks"));
    command.arg("--config").arg(&config).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // If root runs the test, another user runs the program: the files of a process of root's belong to root in any
    // case.
    if rustix::process::geteuid().is_root() {
        let files = std::fs::read_dir(folder).expect("a folder");
        let files = files.map(|file| file.expect("a file").path());
        for path in files.chain([folder.to_owned()]) {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    command.spawn().expect("the program starts")
}

/// Returns `true` once the memory of a process, and its variables, are hidden from its own user, and no core of it is
/// written.
async fn is_hidden(process: u32) -> bool {
    // If the process may be dumped, its files in `/proc` belong to its user, otherwise to root. The owner decides who
    // may read them.
    let owner = |name: &str| {
        let path = format!("/proc/{process}/{name}");
        std::fs::metadata(path).expect("the program runs").uid()
    };
    let has_core = || {
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits"));
        let limits = limits.expect("the program runs");
        let core = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"));
        let core = core.expect("a limit").split_whitespace().next();
        core != Some("0")
    };
    let hidden = within(PATIENCE / 10, async || {
        let is_roots = ["mem", "environ", "maps"]
            .into_iter()
            .all(|name| owner(name) == 0);
        (is_roots && !has_core()).then_some(())
    });
    hidden.await.is_some()
}
