//! Commands as targets: what they get, how they end, and what is left of them.

use std::time::{Duration, Instant};

use notifications::{Attempt, Awaited, DeliveryFailure};
use testkit::{folder, until};

use super::EVENT;
use crate::worker::Command;

const PATIENCE: Duration = Duration::from_secs(60);

/// Tells a shell script an event.
async fn run(script: &str, timeout: Duration) -> Attempt {
    let command = ["/bin/sh", "-c", script].map(str::to_owned);
    let command = Command::new("local".to_owned(), &command, timeout);
    command.run(EVENT, "order.completed", b"{\"x\":1}").await
}

#[tokio::test]
async fn a_command_gets_the_event_and_little_else() {
    let folder = folder();
    let path = folder.path().join("got").display().to_string();
    let script = format!("cat >{path}; pwd >>{path}; env | sort >>{path}");
    assert_eq!(run(&script, PATIENCE).await, Attempt::Delivered);
    let got = std::fs::read_to_string(&path).expect("the file");
    let lines: Vec<&str> = got.lines().collect();
    assert_eq!(lines[0], "{\"x\":1}/");
    let names = lines[1..]
        .iter()
        .map(|line| line.split('=').next().unwrap_or_default());
    // The shell adds some of its own.
    let names: Vec<&str> = names
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    assert_eq!(names, ["PATH", "WEBHOOK_ID", "WEBHOOK_TYPE"]);
    assert!(lines.contains(&"WEBHOOK_ID=evt_0123456789abcdef"));
}

#[tokio::test]
async fn the_exit_decides() {
    for (script, expected) in [
        ("exit 0", Attempt::Delivered),
        // The input is not read.
        ("exec <&-; exit 0", Attempt::Delivered),
        ("exit 3", DeliveryFailure::Exit { code: 3 }.into()),
        (
            "kill -9 $$",
            DeliveryFailure::Killed { signal: Some(9) }.into(),
        ),
        (
            "yes | head -c 5000000 >&2; exit 4",
            DeliveryFailure::Exit { code: 4 }.into(),
        ),
        ("yes | head -c 5000000; exit 0", Attempt::Delivered),
        // What it leaves running holds its output open.
        ("sleep 600 & exit 0", Attempt::Delivered),
    ] {
        let began = Instant::now();
        assert_eq!(run(script, PATIENCE).await, expected, "{script}");
        assert!(began.elapsed() < PATIENCE, "{script}");
    }
    let absent = ["/no/such/program".to_owned()];
    let absent = Command::new("local".to_owned(), &absent, PATIENCE);
    assert_eq!(absent.run(EVENT, "x", b"").await.code(), "could-not-start");
}

#[tokio::test]
async fn an_input_that_is_large_and_not_read_holds_up_nothing() {
    let command = ["/bin/sh", "-c", "exec <&-; exit 0"].map(str::to_owned);
    let command = Command::new("local".to_owned(), &command, PATIENCE);
    let input = vec![b'x'; 1 << 20];
    assert_eq!(command.run(EVENT, "x", &input).await, Attempt::Delivered);
}

/// The whole group is killed, and no process is left that nobody has waited for.
#[tokio::test]
async fn a_command_that_hangs_is_killed_with_what_it_has_started() {
    let folder = folder();
    let path = folder.path().join("ids").display().to_string();
    let script = format!("sleep 600 & echo $$ $! >{path}; wait");
    let attempt = run(&script, Duration::from_secs(2)).await;
    let awaited = Awaited::Command;
    assert_eq!(attempt, DeliveryFailure::TimedOut { awaited }.into());
    let ids = std::fs::read_to_string(&path).expect("the script has begun");
    for id in ids.split_whitespace() {
        until("the process to be gone", async || is_gone(id)).await;
    }
}

#[tokio::test]
async fn a_command_that_is_abandoned_is_killed_too() {
    let folder = folder();
    let path = folder.path().join("ids").display().to_string();
    let script = format!("sleep 600 & echo $$ $! >{path}; wait");
    let began = until("the script to begin", async || {
        let _ = tokio::time::timeout(Duration::from_secs(2), run(&script, PATIENCE)).await;
        std::fs::read_to_string(&path)
            .ok()
            .filter(|ids| ids.ends_with('\n'))
    });
    for id in began.await.split_whitespace() {
        until("the process to be gone", async || is_gone(id)).await;
    }
}

/// Returns `Some` if no process has the id, unless one waits for the process that has adopted it.
fn is_gone(id: &str) -> Option<()> {
    match std::fs::read_to_string(format!("/proc/{id}/stat")) {
        Err(_) => Some(()),
        Ok(stat) => {
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
            // A grandchild is left to the machine's first process, which may take its time.
            (state.starts_with('Z') && !is_own_child(&stat)).then_some(())
        }
    }
}

fn is_own_child(stat: &str) -> bool {
    let after = stat.rsplit(')').next().unwrap_or_default();
    after.split_whitespace().nth(1) == Some(&std::process::id().to_string())
}
