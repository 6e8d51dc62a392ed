//! A program that crashes leaves no core: neither the service nor a command with a form in its memory.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sinch_simulator::ordering::Script;
use testkit::{Output, Process, Settings, Signal, folder, not_tried, program, until, until_ready};

use crate::interposer::{Harm, Interposer, Point};
use crate::placed::Placed;
use crate::places::{Places, REGISTERED};

/// Signals of which each leaves a core.
const CRASHES: [Signal; 2] = [Signal::ABORT, Signal::SEGV];

/// Makes a command that runs a program in a folder, and lets it leave a core there.
fn with_core(program: &Path, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    let script = r#"ulimit -c unlimited || ulimit -c "$(ulimit -H -c)"; exec "$0" "$@""#;
    shell.args(["-c", script]).arg(program).current_dir(folder);
    shell
}

/// Lets a process crash. A program may ignore the first signal, which its handler takes.
async fn crash(mut process: Process, signal: Signal) {
    until("the crash", async || {
        if process.is_running() {
            process.signal(signal);
            return None;
        }
        Some(())
    })
    .await;
    assert_eq!(process.ended().await.code, None);
}

/// Returns the files of the folder in which a process has crashed.
fn cores(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("a folder");
    files.map(|file| file.expect("a file").path()).collect()
}

/// Number of bytes of a memory that are read at once.
const PART_BYTES: usize = 1 << 20;

/// Returns `true` if the memory of a process holds the text; `None` if the system does not let it be read.
fn memory_holds(process: &Process, text: &str) -> Option<bool> {
    let file = |name: &str| PathBuf::from(format!("/proc/{}/{name}", process.id()));
    let ranges = fs::read_to_string(file("maps")).ok()?;
    let memory = fs::File::open(file("mem")).ok()?;
    // Most of a heap is reserved and never used.
    let unused = vec![0; PART_BYTES + text.len()];
    let mut part = unused.clone();
    for (from, to) in ranges.lines().filter_map(writable_range) {
        for at in (from..to).step_by(PART_BYTES) {
            let read = memory.read_at(&mut part, at).unwrap_or_default();
            let part = &part[..read];
            let mut windows = part.windows(text.len());
            if *part != unused[..read] && windows.any(|window| window == text.as_bytes()) {
                return Some(true);
            }
        }
    }
    Some(false)
}

/// Returns the range of addresses in a line of a process's `maps`, if the process can write there.
fn writable_range(line: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let address = |hex| u64::from_str_radix(hex, 16).ok();
    let range = (address(from)?, address(to)?);
    rest.starts_with("rw").then_some(range)
}

/// The control: a shell that has read the form leaves a core, and what is registered is found in it. Returns `false` if
/// this system writes no core into the folder in which a process crashes.
async fn a_shell_leaves_the_form(form: &Path, signal: Signal) -> bool {
    let folder = folder();
    let script = r#"held=$(cat "$0"); echo held; while :; do :; done"#;
    let arguments = ["-c".as_ref(), script.as_ref(), form.as_os_str()];
    let shell = with_core(Path::new("/bin/sh"), folder.path());
    let shell = Process::spawn(shell, arguments, Output::Kept);
    until("the form is read", async || {
        shell.lines().contains(&"held".to_owned()).then_some(())
    })
    .await;
    crash(shell, signal).await;
    if cores(folder.path()).is_empty() {
        return false;
    }
    let mut places = Places::default();
    places.add_files(folder.path());
    assert_eq!(places.with(REGISTERED).len(), 1, "a core with the form");
    true
}

#[tokio::test]
async fn a_crash_leaves_no_core() {
    let mut placed = Placed::new(Script::by_seed(42)).await;
    for signal in CRASHES {
        if !a_shell_leaves_the_form(&placed.form, signal).await {
            let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern");
            not_tried(&format!(
                "cores of crashes: a shell leaves none in its folder; core_pattern is {}",
                pattern.unwrap_or_default()
            ));
            return;
        }
    }
    for signal in CRASHES {
        a_service_leaves_no_core(signal).await;
        a_command_leaves_no_core(&mut placed, signal).await;
    }
}

async fn a_service_leaves_no_core(signal: Signal) {
    let (data, folder) = (folder(), folder());
    let settings = Settings::new(data.path()).fix_addresses();
    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), "serve".as_ref()];
    let service = with_core(&program::of_the_test(), folder.path());
    let mut service = Process::spawn(service, arguments, Output::Kept);
    until_ready(&mut service, settings.addresses()[1]).await;
    crash(service, signal).await;
    let left = cores(folder.path());
    assert!(left.is_empty(), "{signal:?}: {left:?}");
}

/// The command crashes while its registration is on the way to Sinch.
async fn a_command_leaves_no_core(placed: &mut Placed, signal: Signal) {
    let harm = Some((Point::Registration, Harm::HeldBack));
    let api = placed.simulator.api_url();
    let proxy = Interposer::start(&api, placed.service.operators, harm).await;
    let settings = placed.settings.clone();
    placed.settings = settings.set("sinch.api_url", proxy.sinch.as_str());
    placed.settings.write();
    let folder = folder();
    let form = placed.form.to_str().expect("a path");
    let command = with_core(&program::of_the_test(), folder.path());
    let arguments = placed.arguments(&["order", "place", form]);
    let command = Process::spawn(command, arguments, Output::Kept);
    until("the registration", async || proxy.holds().then_some(())).await;
    match memory_holds(&command, REGISTERED) {
        Some(holds) => assert!(holds, "the form is in memory"),
        None => not_tried("cores of crashes: whether the form is in memory; only root may look"),
    }
    crash(command, signal).await;
    let left = cores(folder.path());
    assert!(left.is_empty(), "{signal:?}: {left:?}");
}
