//! Output that nobody takes: a log that is not read, a pipe that is closed, a disk that is full.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, pipe};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sinch_callbacks::clock;
use tokio::net::TcpStream;

use testkit::{ALLOWED, Answer, Connection, PATH, Request, SECRET, Settings, event, folder, until};

/// The program with its output where the test wants it. The process is killed when dropped.
struct Raw(Child);

impl Raw {
    fn start<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        out: impl Into<Stdio>,
        err: impl Into<Stdio>,
    ) -> Raw {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinch-callbacks"));
        command.args(arguments).stdin(Stdio::null());
        Raw(command
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the program starts"))
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), Signal::TERM).expect("the program can be signalled");
    }

    /// Waits until the program ends, and returns the exit code.
    async fn ended(&mut self) -> Option<i32> {
        let status = until("the program's end", async || {
            self.0.try_wait().expect("a child can be waited for")
        })
        .await;
        status.code()
    }

    async fn complaints(&mut self) -> (Option<i32>, String) {
        let code = self.ended().await;
        let mut said = String::new();
        let err = self.0.stderr.as_mut().expect("piped");
        err.read_to_string(&mut said).expect("text");
        (code, said)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The kill fails if the program has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service whose log is read only up to the line with the addresses of its listeners.
struct Unread {
    process: Raw,
    log: Option<BufReader<ChildStdout>>,
    callbacks: SocketAddr,
    operators: SocketAddr,
}

impl Unread {
    fn start(settings: &Settings) -> Unread {
        let config = settings.write();
        let config = config.to_str().expect("text");
        let (out, err) = (Stdio::piped(), Stdio::piped());
        let mut process = Raw::start(["--config", config, "serve"], out, err);
        let mut log = BufReader::with_capacity(64, process.0.stdout.take().expect("piped"));
        loop {
            let mut line = String::new();
            log.read_line(&mut line).expect("the log can be read");
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            if line["message"] == "started" {
                let address = |name: &str| line[name].as_str().and_then(|text| text.parse().ok());
                return Unread {
                    callbacks: address("callbacks").expect("an address"),
                    operators: address("operators").expect("an address"),
                    process,
                    log: Some(log),
                };
            }
        }
    }

    async fn deliver(&self, connection: &mut Connection, events: impl IntoIterator<Item = usize>) {
        for nth in events {
            let (event_id, order) = (format!("e{nth}"), format!("o{nth}"));
            let body = event(&event_id, &order, "IN_REVIEW", clock::now());
            connection
                .send(Request::signed(PATH, SECRET, body).bytes())
                .await;
            let answer = connection.answer().await.expect("an answer");
            assert_eq!(answer.status, 200, "event {nth}");
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let mut connection = Connection::open(ALLOWED, self.operators)
            .await
            .expect("a place");
        connection.send(Request::new("GET", path).bytes()).await;
        connection.answer().await.expect("an answer")
    }

    async fn is_ready(&self) {
        until("readiness", async || {
            (self.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    async fn dropped(&self) -> u64 {
        let status = self.get("/status").await.json();
        status["log_lines_dropped"].as_u64().expect("a count")
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let folder = folder();
    let mut service = Unread::start(&Settings::new(folder.path()));
    let mut connection = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("a place");
    // The load writes three times as much as the pipe takes.
    service.deliver(&mut connection, 0..600).await;
    until("all to be looked at", async || {
        let status = service.get("/status").await.json();
        (status["deliveries_waiting"] == 0).then_some(())
    })
    .await;
    service.deliver(&mut connection, 600..610).await;
    service.is_ready().await;
    service.process.terminate();
    assert_eq!(service.process.ended().await, Some(0));
}

#[tokio::test]
async fn what_the_log_drops_is_counted_and_reported_when_it_flows_again() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("log.filter", "trace");
    let mut service = Unread::start(&settings);
    let mut connection = Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("a place");
    let mut events = 0..;
    until("lines to be dropped", async || {
        service
            .deliver(&mut connection, events.by_ref().take(50))
            .await;
        (service.dropped().await > 0).then_some(())
    })
    .await;
    service.is_ready().await;
    let metrics = service.get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(
        metrics.contains("sinch_callbacks_log_lines_dropped_total "),
        "{metrics}"
    );
    // The log is read again from now on.
    let log = service.log.take().expect("nobody has taken the log yet");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let lines = log.lines().map_while(Result::ok);
        let said = |line: &String| line.contains("lines of the log were dropped");
        for line in lines.filter(said) {
            // The send fails once the test has the line that it waits for.
            let _ = sender.send(line);
        }
    });
    let line: Value = until("a line about it", async || {
        // The loss is reported when the next line is written.
        service.get("/livez").await;
        let line = receiver.try_recv().ok()?;
        serde_json::from_str(&line).ok()
    })
    .await;
    assert!(line["left_out"].as_u64() > Some(0), "{line}");
}

/// Commands that end by themselves, each with its exit code.
fn commands(good: &str, bad: &str) -> Vec<(Vec<String>, i32)> {
    let command = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    vec![
        (command("--help"), 0),
        (command("serve --help"), 0),
        (command("--version"), 0),
        (command(&format!("--config {good} check")), 0),
        (command(&format!("--config {bad} check")), 78),
        (command("demo --exit --seed 1"), 0),
    ]
}

#[tokio::test]
async fn output_that_ends_changes_no_exit_code_and_full_output_is_an_error() {
    let folders = [folder(), folder()];
    let good = Settings::new(folders[0].path());
    let bad = Settings::new(folders[1].path()).set("log.format", "none");
    let [good, bad] = [good, bad].map(|settings| settings.write().display().to_string());
    let mut running = Vec::new();
    for (words, usual_code) in commands(&good, &bad) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (reader, closed) = pipe().expect("a pipe");
        drop(reader);
        let full = File::options().write(true).open("/dev/full");
        let full = full.expect("there is one on Linux");
        for (out, code, complaint) in [
            (Stdio::from(closed), usual_code, ""),
            (Stdio::from(full), 1, "standard output cannot be written"),
        ] {
            let started = Raw::start(words.iter().copied(), out, Stdio::piped());
            running.push((format!("{words:?}"), started, code, complaint));
        }
    }
    for (words, mut process, code, complaint) in running {
        let (ended, said) = process.complaints().await;
        assert_eq!(ended, Some(code), "{words}: {said}");
        if complaint.is_empty() {
            assert_eq!(said, "", "{words}");
        } else {
            assert!(said.contains(complaint), "{words}: {said}");
        }
    }
}

#[tokio::test]
async fn the_simulator_outlives_its_reader() {
    // No other test takes ports of this address.
    let free = std::net::TcpListener::bind("127.0.0.77:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let (reader, closed) = pipe().expect("a pipe");
    drop(reader);
    let listen = address.to_string();
    let words = ["simulate", "--listen", &listen, "--orders", "1"];
    let mut process = Raw::start(words, closed, Stdio::piped());
    until("the API", async || TcpStream::connect(address).await.ok()).await;
    process.terminate();
    assert_eq!(process.complaints().await, (Some(0), String::new()));
}

#[tokio::test]
async fn nothing_but_text_is_written_into_a_pipe() {
    let folder = folder();
    let settings = Settings::new(folder.path()).set("log.format", "text");
    let config = settings.write().display().to_string();
    let (out, err) = (Stdio::piped(), Stdio::piped());
    let mut process = Raw::start(["--config", &config, "serve"], out, err);
    let mut log = BufReader::new(process.0.stdout.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("started") {
        assert!(log.read_line(&mut said).expect("text") > 0, "{said}");
    }
    process.terminate();
    log.read_to_string(&mut said).expect("text");
    assert_eq!(process.ended().await, Some(0));
    assert!(
        said.contains("stopped"),
        "the last line is there, too: {said}"
    );
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
