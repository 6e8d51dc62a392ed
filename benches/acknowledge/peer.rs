//! The receiver of Fastify and Redis in `benches/peers/fastify-redis`, which users could start themselves.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{Connection, Outcome, Output, PATH, Process, Request, SECRET, until_ready};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/peers/fastify-redis/run"
);

/// Exit code of the script where the machine lacks what the receiver needs.
const LACKING: i32 = 77;

/// Installs the receiver's packages beside what Cargo builds. Returns their folder; `None` where the machine lacks a program
/// that the receiver needs, which is said.
pub fn install() -> Outcome<Option<PathBuf>> {
    let own = env::current_exe()?;
    let built = own.ancestors().nth(3).ok_or("no folder of Cargo's")?;
    let installed = built.join("peers/fastify-redis");
    let mut script = Command::new(SCRIPT);
    script.arg("install").arg(&installed);
    let output = script.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(Some(installed)),
        Some(LACKING) => {
            println!("\nNOT COMPARED with Fastify and Redis: {}", said.trim_end());
            Ok(None)
        }
        _ => Err(format!("{SCRIPT}: {said}").into()),
    }
}

/// Starts the receiver, which keeps its data in the given folder.
pub async fn start(installed: &Path, folder: &Path, listen: SocketAddr) -> Process {
    let mut script = Command::new(SCRIPT);
    script.arg(installed).arg(folder);
    let port = listen.port().to_string();
    let mut process = Process::spawn(script, [&port, PATH, SECRET], Output::Discarded);
    until_ready(&mut process, listen).await;
    process
}

/// Returns the number of callbacks that the receiver keeps.
pub async fn count(listen: SocketAddr) -> Outcome<usize> {
    let mut connection = Connection::connect(listen).await?;
    let answer = connection
        .exchange(&Request::new("GET", "/count").bytes())
        .await?;
    Ok(String::from_utf8_lossy(&answer.body).trim().parse()?)
}
