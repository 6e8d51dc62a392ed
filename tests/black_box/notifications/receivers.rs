//! The receivers of `docs/notifications.md`, run as they stand there: the service tells them of a change, and they refuse
//! what is not genuine.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use notifications::{SigningKey, sign};
use serde_json::json;
use sinch_callbacks::clock;
use tempfile::TempDir;
use tokio::net::TcpStream;

use testkit::{Connection, Output, PROJECT, Process, Request, TARGET_SECRET, Target};
use testkit::{Settings, folder, free_address, not_tried, program, run, until};

use super::told::assert_genuine;
use super::{Played, crm};

/// A secret that the receivers do not know.
const OTHER_SECRET: &str = "whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhlLXRlc3Qtd3g3";

/// Line that each receiver prints of the event that the service tells it.
const LINE: &str = "order.completed o1 COMPLETED";

/// Returns the blocks of code of the document.
fn blocks() -> impl Iterator<Item = &'static str> {
    let document = include_str!("../../../docs/notifications.md");
    let blocks = document.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| Some(block.split_once('\n')?.1))
}

/// Returns the block of the document whose first line, or the one after `#!`, begins with a file's name, after the sign of a comment.
pub fn block(name: &str) -> &'static str {
    let is_named = |text: &&str| {
        let mut lines = text.lines().filter(|line| !line.starts_with("#!"));
        let first = lines.next().unwrap_or_default();
        let first = first.trim_start_matches(['#', '/', '!', ' ']);
        first.starts_with(&format!("{name},"))
    };
    let found = blocks().find(is_named);
    found.unwrap_or_else(|| panic!("docs/notifications.md has no block that begins with {name}"))
}

/// Writes a block of the document to a file of its name.
pub fn write_block(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, block(name)).expect("written");
    path
}

/// Returns `true` if a program is installed; else that is reported.
fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(if program == "openssl" {
        "version"
    } else {
        "--version"
    });
    let tried = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_there = tried.is_ok_and(|status| status.success());
    if !is_there {
        not_tried(&format!(
            "a receiver of docs/notifications.md: {program} is not installed"
        ));
    }
    is_there
}

/// Returns the answer to an event that is signed with the secret as it was before it was sent.
async fn tell(receiver: SocketAddr, secret: &str, age_secs: i64, signed: &str, sent: &str) -> u16 {
    let sent_at = clock::now().0 / 1_000_000 - age_secs;
    let key = SigningKey::new(secret).expect("a key");
    let signature = sign(&[key], "evt_1", sent_at, signed.as_bytes());
    let request = Request::post("/hooks", sent)
        .header("webhook-id", "evt_1")
        .header("webhook-timestamp", &sent_at.to_string())
        .header("webhook-signature", &signature);
    status_of(receiver, &request).await
}

async fn status_of(receiver: SocketAddr, request: &Request) -> u16 {
    let connection = Connection::connect(receiver).await;
    let answer = connection
        .expect("connects")
        .exchange(request.bytes())
        .await;
    answer.expect("an answer").status
}

/// Has the service tell a receiver of a change, and others try to.
#[expect(clippy::too_many_lines, reason = "a list of what others try")]
pub async fn takes_what_is_genuine(mut command: Command) {
    let address = free_address();
    command.env("WEBHOOK_SECRET", TARGET_SECRET);
    command.env("PORT", address.port().to_string());
    let receiver = Process::spawn(command, [""; 0], Output::Kept);
    until("the receiver to listen", async || {
        TcpStream::connect(address).await.ok()
    })
    .await;

    let url = format!("http://{address}/hooks");
    let played = Played::with(&["o1"], |settings| crm(settings, &url)).await;
    played.enter("o1", "COMPLETED", 2).await;
    until("the line of the event", async || {
        receiver.lines().contains(&LINE.to_owned()).then_some(())
    })
    .await;
    until("the answer to be recorded", async || {
        let delivered = played
            .service
            .list("/api/v1/notifications?phase=delivered")
            .await;
        (delivered.len() == 1).then_some(())
    })
    .await;

    let lines = receiver.lines();
    let body = r#"{"type":"order.moved","new":1,"data":{"order":"o2","state":"MOVED","new":[{}]}}"#;
    let tampered = body.replace("o2", "o3");
    for (secret, age_secs, sent) in [
        (TARGET_SECRET, 0, tampered.as_str()),
        (OTHER_SECRET, 0, body),
        (TARGET_SECRET, 1000, body),
        (TARGET_SECRET, -1000, body),
    ] {
        let status = tell(address, secret, age_secs, body, sent).await;
        assert!(
            (400..500).contains(&status),
            "{secret} {age_secs}: {status}"
        );
    }
    for signature in [
        "",
        "v1",
        "v1,",
        "garbage",
        "v1,AAAA v1a,AAAA",
        "v1,\u{e9} ,,",
    ] {
        let request = Request::post("/hooks", body)
            .header("webhook-id", "evt_1")
            .header(
                "webhook-timestamp",
                &(clock::now().0 / 1_000_000).to_string(),
            )
            .header("webhook-signature", signature);
        let status = status_of(address, &request).await;
        assert!((400..500).contains(&status), "{signature}: {status}");
    }
    let status = status_of(address, &Request::post("/hooks", body)).await;
    assert!(
        (400..500).contains(&status),
        "without a signature: {status}"
    );
    assert_eq!(
        receiver.lines(),
        lines,
        "nothing is made of what is not genuine"
    );

    // What a later version may add.
    assert_eq!(tell(address, TARGET_SECRET, 0, body, body).await, 204);
    until("the line of an unknown type", async || {
        receiver
            .lines()
            .contains(&"order.moved o2 MOVED".to_owned())
            .then_some(())
    })
    .await;
    played.service.stop_well().await;
}

/// Runs a receiver that one program reads as it stands in the document.
async fn script(program: &str, name: &str) {
    if !is_there(program) {
        return;
    }
    let folder = folder();
    let mut command = Command::new(program);
    command.arg(write_block(folder.path(), name));
    takes_what_is_genuine(command).await;
}

#[tokio::test]
async fn a_receiver_in_python() {
    script("python3", "receiver.py").await;
}

#[tokio::test]
async fn a_receiver_in_node() {
    script("node", "receiver.mjs").await;
}

#[tokio::test]
async fn a_receiver_in_rust() {
    let source = include_str!("../../../examples/receiver.rs");
    assert_eq!(
        block("receiver.rs"),
        source,
        "the document has the example as it is"
    );
    let built = program::of_the_test()
        .with_file_name("examples")
        .join("receiver");
    if !built.exists() {
        return not_tried("the receiver in Rust: `cargo build --example receiver` makes it");
    }
    takes_what_is_genuine(Command::new(built)).await;
}

/// Runs a shell script of the document to its end; returns what it printed.
async fn shell(folder: &TempDir, name: &str, secret: &str, argument: &str) -> String {
    let mut command = Command::new("sh");
    command.env("WEBHOOK_SECRET", secret);
    let path = write_block(folder.path(), name).display().to_string();
    let ended = Process::spawn(command, [path.as_str(), argument], Output::Kept)
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

#[tokio::test]
async fn a_request_by_hand_is_signed() {
    if !(is_there("curl") && is_there("openssl")) {
        return;
    }
    let folder = folder();
    let target = Target::willing().await;
    let out = shell(&folder, "send.sh", TARGET_SECRET, &target.url()).await;
    assert_eq!(out, "204");
    let told = target.told();
    assert_genuine(&told[0], TARGET_SECRET);
    assert_eq!(told[0].id(), told[0].json()["id"]);
    assert_eq!(told[0].json()["test"], true);
}

#[tokio::test]
async fn the_feed_is_read_by_a_shell() {
    if !(is_there("curl") && is_there("jq")) {
        return;
    }
    let folder = folder();
    let path = write_block(folder.path(), "feed.sh");
    let played = Played::with(&["o1", "o2"], |settings| settings).await;
    let start = || {
        let mut command = Command::new("sh");
        command.env("SERVICE", format!("http://{}", played.service.operators));
        command.current_dir(folder.path());
        Process::spawn(command, [&path], Output::Kept)
    };
    let prints = async |reader: &Process, line: &str| {
        until(line, async || {
            reader.lines().contains(&line.to_owned()).then_some(())
        })
        .await;
    };
    let reader = start();
    played.enter("o1", "COMPLETED", 2).await;
    prints(&reader, LINE).await;
    let place = folder.path().join("place");
    until("the place to be stored", async || {
        let newest = played.service.status().await["newest_event"].to_string();
        let place = fs::read_to_string(&place).ok()?;
        (place.split_whitespace().next() == Some(&newest)).then_some(())
    })
    .await;
    drop(reader);
    played.enter("o2", "COMPLETED", 2).await;
    let reader = start();
    prints(&reader, "order.completed o2 COMPLETED").await;
    let lines = reader.lines();
    assert!(!lines.contains(&LINE.to_owned()), "read twice: {lines:?}");
}

/// A program in the place of mail(1) keeps what it is given.
#[tokio::test]
async fn operators_are_told_by_mail_and_in_a_chat() {
    let folder = folder();
    let mail = folder.path().join("mail");
    fs::write(&mail, "#!/bin/sh\n{ echo \"$@\"; cat; } >\"${0%/*}/mailed.new\" && mv \"${0%/*}/mailed.new\" \"${0%/*}/mailed\"\n").expect("written");
    fs::set_permissions(&mail, fs::Permissions::from_mode(0o700)).expect("set");
    let path = write_block(folder.path(), "mail-operators")
        .display()
        .to_string();
    // The service gives a command a search path of its own.
    let search = format!("PATH={}:/usr/bin:/bin", folder.path().display());
    let command = ["/usr/bin/env", &search, "sh", &path, "numbers@example.com"];
    let chat = Target::willing().await;
    let played = Played::with(&["o1"], |settings| {
        let settings = settings.add_command("mail", &command);
        let settings = settings.set_target("types", json!(["order.*"]));
        let settings = crm(settings.set_target("format", "text"), &chat.url());
        settings.set_target("format", "slack")
    })
    .await;
    played.enter("o1", "COMPLETED", 2).await;
    let mailed = until("the mail", async || {
        fs::read_to_string(folder.path().join("mailed")).ok()
    })
    .await;
    let subject = format!("Order o1 of project {PROJECT} is COMPLETED");
    assert!(
        mailed.starts_with(&format!("-s {subject} numbers@example.com\n")),
        "{mailed}"
    );
    assert!(mailed.contains("\nState: COMPLETED\n"), "{mailed}");
    let told = chat.told_when(1).await;
    let text = told[0].json()["text"].as_str().expect("a text").to_owned();
    assert!(text.starts_with(&subject), "{text}");
    played.service.stop_well().await;
}

/// The targets of the document, as they stand there, but for the place of the secret.
#[tokio::test]
async fn the_targets_of_the_document_are_good_configuration() {
    let folder = folder();
    let secrets = folder.path().join("secrets");
    fs::write(&secrets, format!("{TARGET_SECRET}\n")).expect("written");
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).expect("set");
    let tables: Vec<&str> = blocks()
        .filter(|text| text.contains("[[targets]]"))
        .collect();
    assert_eq!(tables.len(), 3);
    let tables = tables.join("\n");
    let secrets = secrets.display().to_string();
    let tables = tables.replace("/run/secrets/crm-secrets", &secrets);
    assert!(tables.contains(&secrets), "the control: {tables}");
    let config = Settings::new(folder.path()).write();
    let text = fs::read_to_string(&config).expect("is there");
    fs::write(&config, format!("{text}\n{tables}")).expect("written");
    let ended = run([Path::new("--config"), &config, Path::new("check")]).await;
    // Their names and programs are not those of this machine.
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines.contains(&"ok      configuration"), "{ended:?}");
    let is_unwise = |line: &&&str| line.starts_with("unwise") && line.contains("targets[");
    assert_eq!(lines.iter().find(is_unwise), None, "{ended:?}");
}
