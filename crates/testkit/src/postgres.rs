//! PostgreSQL for tests: a server of the test's own, from what is installed on this machine.

mod cutter;
mod machine;
mod power;
#[cfg(test)]
mod tests;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::wait::{PATIENCE, not_tried};
pub use cutter::{Cuts, Cutter};
use machine::{children_of, find_programs, is_zombie, unprivileged_user};
use power::PowerDisk;

/// Script that keeps a server, whose program and arguments it gets after the server's folder, for as long as its standard
/// input is open. Also when the test is killed, the server ends with it, by its process id. The folder goes too, unless
/// the input says that it is kept.
const KEEPER: &str = r#"
    folder=$0 kept=
    "$@" </dev/null &
    server=$!
    while read -r line; do kept=$line; done
    kill -CONT $server; kill -QUIT $server
    wait $server
    [ "$kept" ] || rm -rf "$folder""#;

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// `true` lets the server wait for its disk, which tests of durability need.
    pub fsync: bool,
    /// `true` lets the server listen on this machine's loopback address, too.
    pub tcp: bool,
    /// `true` lets the server's power be cut, in a model of a disk.
    pub power_can_be_cut: bool,
    /// Further settings of the server's.
    pub settings: Vec<(&'static str, String)>,
}

/// A server of PostgreSQL in a temporary folder. It ends when the value is dropped, or with the test's process.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    options: ServerOptions,
    port: u16,
    power: Option<PowerDisk>,
    keeper: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Server {
    /// Starts a server. Where none is installed, this is reported, and `None` is returned: the test cannot be tried.
    pub fn start(options: ServerOptions) -> Option<Server> {
        let Some(programs) = find_programs() else {
            not_tried("a store on PostgreSQL: no server is installed (package postgresql)");
            return None;
        };
        let user = geteuid().is_root().then(unprivileged_user);
        let folder = crate::folder();
        let port = if options.tcp {
            crate::free_address().port()
        } else {
            5432
        };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("root gives its folder away");
        }
        let power = if options.power_can_be_cut {
            Some(PowerDisk::make(folder.path(), &data_of(&folder))?)
        } else {
            None
        };
        let server = Server {
            folder,
            programs,
            user,
            options,
            port,
            power,
            keeper: Mutex::default(),
            databases: AtomicU32::new(0),
        };
        server.make_data();
        if let Some(power) = &server.power {
            power.begin();
        }
        server.start_again();
        Some(server)
    }

    /// Makes an empty database, and returns its name.
    pub fn database(&self) -> String {
        self.database_like("template0")
    }

    /// Makes a copy of a database that nobody is connected to, and returns its name.
    pub fn database_like(&self, template: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Relaxed));
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        );
        name
    }

    /// Returns the address of a database on the server's Unix socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display();
        format!(
            "postgres://tester@localhost:{}/{database}?host={folder}",
            self.port
        )
    }

    /// Returns the address of a database on the server's loopback port, which it has only if that was asked for.
    pub fn tcp_url(&self, database: &str) -> String {
        format!("postgres://tester@127.0.0.1:{}/{database}", self.port)
    }

    /// Opens a way to the server on which connections are cut at random: at the given share of the requests, and
    /// more often at commits.
    pub async fn cutter(&self, seed: u64, share: f64) -> Cutter {
        let socket = self.folder.path().join(format!(".s.PGSQL.{}", self.port));
        Cutter::start(socket, seed, share).await
    }

    /// Returns the loopback port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Executes statements in a database, and returns the rows that they select, with `|` between columns.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        self.try_sql(database, statements)
            .unwrap_or_else(|said| panic!("the server refused {statements}: {said}"))
    }

    /// Executes statements as [`Server::sql`] does.
    ///
    /// # Errors
    ///
    /// What the server said, if it refused them or cannot be reached.
    pub fn try_sql(&self, database: &str, statements: &str) -> Result<String, String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "tester",
        ]);
        psql.arg("-h").arg(self.folder.path());
        psql.args(["-p", &self.port.to_string(), "-d", database, "-f", "-"]);
        psql.stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut psql = psql.spawn().expect("psql can be started");
        let mut input = psql.stdin.take().expect("psql reads its input");
        // It may have ended already, since it could not connect.
        let _ = input.write_all(statements.as_bytes());
        drop(input);
        let said = psql.wait_with_output().expect("psql ends");
        if said.status.success() {
            Ok(String::from_utf8_lossy(&said.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&said.stderr).trim_end().to_owned())
        }
    }

    /// Kills all of the server's processes, as when its machine dies.
    pub fn kill(&self) {
        self.signal_all(Signal::KILL);
        self.end_keeper();
    }

    /// Cuts the power of the server's machine: the server is killed, and of what it has written and not synced some is lost.
    pub fn cut_power(&self, random: &mut Rng) {
        self.kill();
        let power = self.power.as_ref().expect("the power can be cut");
        power.cut(random);
    }

    /// Stops the server: its sessions are terminated, and everything is on its disk.
    pub fn stop(&self) {
        self.signal_server(Signal::INT);
        self.end_keeper();
    }

    /// Stops the server, and starts it again.
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Stops the server, and starts it again as a standby, which takes no writes.
    pub fn restart_as_standby(&self) {
        self.stop();
        self.put("standby.signal", b"");
        self.start_again();
    }

    /// Writes a file into the server's data folder. It belongs to the server's user, who alone can read it.
    pub fn put(&self, name: &str, content: &[u8]) {
        let path = self.data().join(name);
        fs::write(&path, content).expect("the data folder can be written to");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("the file is ours");
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid)).expect("root gives its file away");
        }
    }

    /// Holds all of the server's processes.
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets the server's processes go on.
    pub fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Starts a server that was killed or stopped, and waits until it takes connections.
    pub fn start_again(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.spawn();
            // After a kill, what is left of the old server may keep the new one from starting for a moment.
            while !self.has_ended() {
                if self.try_sql("postgres", "SELECT 1").is_ok() {
                    return;
                }
                assert!(Instant::now() < deadline, "{}", self.log());
                pause();
            }
            assert!(Instant::now() < deadline, "{}", self.log());
            self.end_keeper();
            pause();
        }
    }

    /// Returns what the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn make_data(&self) {
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(self.data());
        initdb.args([
            "-A",
            "trust",
            "-U",
            "tester",
            "-E",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]);
        if self.power.is_some() {
            // The disk compares the whole of a file with each sync.
            initdb.arg("--wal-segsize=1");
        }
        let made = initdb.output().expect("initdb can be started");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "no database could be made: {said}");
    }

    fn spawn(&self) {
        let path = self.folder.path().join("log");
        let log = fs::File::options().create(true).append(true).open(path);
        let log = log.expect("the log can be written");
        let mut keeper = Command::new("sh");
        if let Some((uid, gid)) = self.user {
            keeper.uid(uid).gid(gid);
        }
        if let Some(power) = &self.power {
            power.give_to(&mut keeper);
        }
        keeper.args(["-c", KEEPER]).arg(self.folder.path());
        keeper.arg(self.programs.join("postgres"));
        keeper.arg("-D").arg(self.data());
        keeper.arg("-k").arg(self.folder.path());
        let on = |on| if on { "on" } else { "off" };
        let address = if self.options.tcp { "127.0.0.1" } else { "" };
        let mut settings = vec![
            ("listen_addresses", address.to_owned()),
            ("port", self.port.to_string()),
            ("fsync", on(self.options.fsync).to_owned()),
            ("max_connections", "200".to_owned()),
            ("shared_buffers", "64MB".to_owned()),
        ];
        settings.extend(self.options.settings.iter().cloned());
        for (name, value) in settings {
            keeper.arg("-c").arg(format!("{name}={value}"));
        }
        keeper.current_dir(self.folder.path()).stdin(Stdio::piped());
        keeper
            .stdout(log.try_clone().expect("the log is open"))
            .stderr(log);
        *self.lock_keeper() = Some(keeper.spawn().expect("a shell can be started"));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.folder.path());
        command
    }

    fn data(&self) -> PathBuf {
        data_of(&self.folder)
    }

    fn lock_keeper(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the server has ended. The keeper has not: it waits for its input, and only then for the server.
    fn has_ended(&self) -> bool {
        let keeper = self.lock_keeper();
        let keeper = keeper.as_ref().map(Pid::from_child);
        keeper.is_some_and(|keeper| children_of(keeper).into_iter().any(is_zombie))
    }

    /// Ends the keeper, which ends the server if it still runs.
    fn end_keeper(&self) {
        if let Some(mut keeper) = self.lock_keeper().take() {
            let input = keeper.stdin.take();
            // It has ended already if somebody else killed it.
            let _ = input.map(|mut input| input.write_all(b"kept\n"));
            let _ = keeper.wait();
        }
    }

    fn server_pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
    }

    fn signal_server(&self, signal: Signal) {
        if let Some(pid) = self.server_pid() {
            // It may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal to the server and to all of its sessions, which are its children. It is held meanwhile: it starts
    /// no more of them, and is not gone while they are looked for by its id.
    fn signal_all(&self, signal: Signal) {
        let Some(server) = self.server_pid() else {
            return;
        };
        let _ = kill_process(server, Signal::STOP);
        for process in children_of(server).into_iter().chain([server]) {
            let _ = kill_process(process, signal);
        }
    }
}

fn data_of(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go_on();
        self.end_keeper();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server is started by one thread, which waits for it"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
