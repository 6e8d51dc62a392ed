//! The program under test as a child process.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{
    Pid, Resource, Rlimit, WaitId, WaitIdOptions, getrlimit, kill_process, prlimit, waitid,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::{PATIENCE, program};

/// Destination of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output and standard error are kept, line by line.
    Kept,
    /// Standard output is discarded, so that nobody has to read it; standard error is that of the caller.
    Discarded,
}

/// Lines of an output, which a thread goes on reading.
type SharedLines = Arc<Mutex<Vec<String>>>;

/// A running program, with all its output so far. The program is killed when the value is dropped.
pub struct Process {
    child: Child,
    out: SharedLines,
    err: SharedLines,
    readers: Vec<JoinHandle<()>>,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code of the program; `None`: a signal ended it.
    pub code: Option<i32>,
    /// Text of the program's standard output.
    pub out: String,
    /// Text of the program's standard error.
    pub err: String,
}

/// Makes a command that runs the given program with a maximum number of open files.
pub(crate) fn limited(open_files: u32, program: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -n "$0" && exec "$@""#]);
    shell.arg(open_files.to_string()).arg(program);
    shell
}

/// Runs the program under test to its end.
pub async fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    Process::start(arguments).ended().await
}

impl Process {
    /// Starts the program under test, as it was built with the test.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Process {
        Process::start_in(&[], arguments)
    }

    /// Starts the program under test with the given variables in its environment.
    pub fn start_in<S: AsRef<OsStr>>(
        environment: &[(&'static str, String)],
        arguments: impl IntoIterator<Item = S>,
    ) -> Process {
        let mut command = Command::new(program::of_the_test());
        command.envs(environment.iter().cloned());
        Process::spawn(command, arguments, Output::Kept)
    }

    /// Starts the program under test with a maximum number of open files.
    pub fn start_limited<S: AsRef<OsStr>>(
        open_files: u32,
        arguments: impl IntoIterator<Item = S>,
    ) -> Process {
        let limited = limited(open_files, &program::of_the_test());
        Process::spawn(limited, arguments, Output::Kept)
    }

    /// Starts the program under test as another user.
    pub fn start_as<S: AsRef<OsStr>>(user: u32, arguments: impl IntoIterator<Item = S>) -> Process {
        let mut command = Command::new(program::of_the_test());
        command.uid(user).gid(user);
        Process::spawn(command, arguments, Output::Kept)
    }

    /// Starts any command as a child process. The caller's own environment must not configure it.
    pub fn spawn<S: AsRef<OsStr>>(
        mut command: Command,
        arguments: impl IntoIterator<Item = S>,
        output: Output,
    ) -> Process {
        for (name, _) in std::env::vars_os() {
            let is_set = command.get_envs().any(|(set, _)| set == name);
            let configures = ["SINCH_CALLBACKS_", "OTEL_"];
            let shown = name.to_string_lossy();
            if configures.iter().any(|start| shown.starts_with(start)) && !is_set {
                command.env_remove(name);
            }
        }
        command.args(arguments).stdin(Stdio::null());
        match output {
            Output::Kept => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
            Output::Discarded => command.stdout(Stdio::null()),
        };
        let mut child = command.spawn().expect("the program can be started");
        let (out, err) = (SharedLines::default(), SharedLines::default());
        let readers = [
            child
                .stdout
                .take()
                .map(|from| collect_lines(from, out.clone())),
            child
                .stderr
                .take()
                .map(|from| collect_lines(from, err.clone())),
        ];
        Process {
            child,
            out,
            err,
            readers: readers.into_iter().flatten().collect(),
        }
    }

    /// Returns the process's standard output so far, line by line.
    pub fn lines(&self) -> Vec<String> {
        copied_lines(&self.out)
    }

    /// Returns the process's standard output and standard error so far.
    pub fn said(&self) -> String {
        [copied_lines(&self.out), copied_lines(&self.err)]
            .concat()
            .join("\n")
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a child can be signalled");
    }

    fn pid(&self) -> Pid {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.expect("a child has a pid")
    }

    /// Changes the maximum number of the process's open files from now on.
    pub fn limit_files(&self, files: u64) {
        self.limit(Resource::Nofile, Some(files));
    }

    /// Changes the maximum length of the files that the process writes, in bytes, from now on; `None` lifts it.
    pub fn limit_file_length(&self, bytes: Option<u64>) {
        self.limit(Resource::Fsize, bytes);
    }

    fn limit(&self, resource: Resource, current: Option<u64>) {
        let maximum = getrlimit(resource).maximum;
        let limit = Rlimit { current, maximum };
        prlimit(Some(self.pid()), resource, limit).expect("a child can be limited");
    }

    /// Returns the current and the maximum memory of the process, in MiB.
    pub fn memory_mib(&self) -> (f64, f64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the process is running");
        let mib = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib / 1024.0)
        };
        let both = mib("VmRSS:").zip(mib("VmHWM:"));
        both.expect("the system tells how much memory a process holds")
    }

    /// Returns `true` if the process has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Sends the process SIGTERM, and waits until it has stopped.
    pub async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Stops the process as [`Process::stop`] does; it must end well.
    pub async fn stop_well(self) {
        let ended = self.stop().await;
        assert_eq!(
            ended.code,
            Some(0),
            "the process did not stop well: {ended:?}"
        );
    }

    /// Waits until the process ends by itself.
    pub async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Waits until the process ends by itself, for this time at most.
    pub async fn ended_within(mut self, patience: Duration) -> Ended {
        // A process whose end was seen before cannot be waited for once more.
        if self.is_running() {
            self.end(patience).await;
        }
        let status = self.child.wait().expect("a child can be waited for");
        for reader in self.readers.drain(..) {
            reader.join().expect("reading lines does not panic");
        }
        Ended {
            code: status.code(),
            out: copied_lines(&self.out).join("\n"),
            err: copied_lines(&self.err).join("\n"),
        }
    }

    /// Waits for the end of a process that runs. What a command takes is measured with it, so it looks at nothing in turns.
    async fn end(&self, patience: Duration) {
        let pid = self.pid();
        // The process stays to be waited for. If it does not end in time, dropping it ends it, and with it the wait.
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let end = spawn_blocking(move || waitid(WaitId::Pid(pid), end));
        let end = timeout(patience, end).await;
        let end = end.expect("waited in vain for the program's end");
        end.expect("waiting does not panic")
            .expect("a child can be waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The kill fails if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the program said:\n{}\n---", self.said());
        }
    }
}

fn collect_lines(from: impl Read + Send + 'static, to: SharedLines) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            to.lock().expect("nobody panics with the lock").push(line);
        }
    })
}

fn copied_lines(lines: &SharedLines) -> Vec<String> {
    lines.lock().expect("nobody panics with the lock").clone()
}
