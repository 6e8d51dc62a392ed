//! Telling a command: it is run for each attempt, with the event on its standard input.

use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

use super::cause::cause;
use crate::redact::{Throttle, output_text};
use crate::worker::frame::LOG_INTERVAL;
use notifications::{Attempt, Awaited, DeliveryFailure};

/// Search path of the command: the service's own is left out, as all of its environment is.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Maximum number of bytes at the end of a command's standard error that the log quotes.
const STDERR_MAX_BYTES: usize = 400;

/// Maximum time, after the end of a command, for the rest of its standard error. What it has left running may hold that
/// open.
const STDERR_MAX: Duration = Duration::from_millis(100);

/// A command that is told events.
pub struct Command {
    target: String,
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
    logged: Throttle<()>,
}

/// Group of a running command's processes. It is killed with the value, unless the command has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }

    /// Notes that the command has ended: its id may be another's now.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in the meantime. It was not waited for, so its id is still its own.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Command {
    /// Returns a command, for the target of the given name: a program's absolute path, and its arguments.
    pub fn new(target: String, command: &[String], timeout: Duration) -> Command {
        let (program, arguments) = command.split_first().map_or_else(
            || (String::new(), Vec::new()),
            |(program, arguments)| (program.clone(), arguments.to_vec()),
        );
        Command {
            target,
            program,
            arguments,
            timeout,
            logged: Throttle::new(LOG_INTERVAL),
        }
    }

    /// Returns the absolute path of the program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Makes one attempt to tell the event of the given id.
    pub(super) async fn run(&self, event: &str, event_type: &str, input: &[u8]) -> Attempt {
        let mut child = match self.spawn(event, event_type) {
            Ok(child) => child,
            Err(error) => {
                let cause = cause(&error);
                return DeliveryFailure::CouldNotStart { cause }.into();
            }
        };
        let group = Group::of(&child);
        let mut tail = Tail::default();
        let ended = timeout(self.timeout, talk(&mut child, input, &mut tail)).await;
        let Ok(ended) = ended else {
            drop(group);
            // A killed process ends at once.
            let _ = child.wait().await;
            self.log(event, &tail);
            let awaited = Awaited::Command;
            return DeliveryFailure::TimedOut { awaited }.into();
        };
        group.ended();
        let attempt = match ended {
            Ok(status) => {
                let signal = std::os::unix::process::ExitStatusExt::signal(&status);
                Attempt::of_exit(status.code(), signal)
            }
            Err(error) => {
                let cause = cause(&error);
                DeliveryFailure::BrokenOff { cause }.into()
            }
        };
        if attempt != Attempt::Delivered {
            self.log(event, &tail);
        }
        attempt
    }

    fn spawn(&self, event: &str, event_type: &str) -> io::Result<Child> {
        tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("WEBHOOK_ID", event)
            .env("WEBHOOK_TYPE", event_type)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Reports the end of what a command that failed has said.
    fn log(&self, event: &str, tail: &Tail) {
        if tail.0.is_empty() {
            return;
        }
        if let Some(left_out) = self.logged.pass((), Instant::now()) {
            let target = &self.target;
            let said = output_text(&String::from_utf8_lossy(&tail.0));
            tracing::warn!(%target, %event, said, left_out, "the command that failed has said");
        }
    }
}

/// Gives a command its event, and waits for its end.
async fn talk(
    child: &mut Child,
    input: &[u8],
    tail: &mut Tail,
) -> io::Result<std::process::ExitStatus> {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let writing = async {
        if let Some(mut stdin) = stdin {
            // A command need not read what it is given.
            let _ = stdin.write_all(input).await;
        }
    };
    let ended = async {
        // The input is closed as soon as it is written, and nobody waits for it once the command has ended.
        let (mut waiting, mut writing) = (std::pin::pin!(child.wait()), std::pin::pin!(writing));
        tokio::select! {
            status = &mut waiting => status,
            () = &mut writing => waiting.await,
        }
    };
    let Some(stderr) = stderr else {
        return ended.await;
    };
    let mut reading = std::pin::pin!(tail.read(stderr));
    let mut ended = std::pin::pin!(ended);
    tokio::select! {
        status = &mut ended => {
            let _ = timeout(STDERR_MAX, reading).await;
            status
        }
        () = &mut reading => ended.await,
    }
}

/// End of what a command has written to its standard error.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Reads to the end, and keeps the last bytes.
    async fn read(&mut self, mut stderr: ChildStderr) {
        let mut bytes = [0; 4096];
        while let Ok(count) = stderr.read(&mut bytes).await
            && count > 0
        {
            self.0.extend_from_slice(&bytes[..count]);
            let beyond = self.0.len().saturating_sub(STDERR_MAX_BYTES);
            self.0.drain(..beyond);
        }
    }
}
