//! Cuts the power, in a model of a disk: each sector that was not synced is there or not, by chance.
//!
//! The real program runs under strace, which records its operations on the database, and their times. From
//! these the files are reconstructed as a power cut at any moment would have left them. Three things are
//! taken for granted: that a sector is written whole or not at all, that a sync does what it promises, and
//! that the name of a file is on disk with its first sector.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use testkit::{File as Database, Outcome};
use tokio::time::sleep;

const SECTOR: u64 = 512;

/// Maximum time that strace may take to write its last lines after the program has ended.
const TRACE_MAX: Duration = Duration::from_secs(20);

/// Microseconds since 1970 UTC.
type Micros = i64;

/// Effect of `fsync` and `fdatasync`. They always report success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    /// Every sync does what it promises.
    Honest,
    /// Every other sync has no effect. A cut then loses the last commit or, during a checkpoint of the log into
    /// the database, much.
    Half,
    /// No sync has an effect.
    Off,
}

/// Makes a command that runs a program under strace, in a process that is the program's own. The caller adds the
/// program's arguments.
pub fn traced(program: &Path, database: &Path, trace: &Path, syncs: Syncs) -> Outcome<Command> {
    let version = Command::new("strace").arg("--version").output();
    version.map_err(|error| format!("strace, which --cuts 0 does without: {error}"))?;
    let mut strace = Command::new("strace");
    strace
        .args(["-D", "-f", "-y", "-ttt", "-T", "-xx", "-s", "1048576"])
        .args(["--seccomp-bpf", "--quiet=all", "-o"])
        .arg(trace)
        .arg("-P")
        .arg(database)
        .arg("-P")
        .arg(Database::beside(database, "-wal"))
        .args(["-e", "trace=lseek,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync"]);
    match syncs {
        Syncs::Honest => &mut strace,
        Syncs::Half => strace.args(["-e", "inject=fsync,fdatasync:retval=0:when=2+2"]),
        Syncs::Off => strace.args(["-e", "inject=fsync,fdatasync:retval=0"]),
    };
    strace.arg("--").arg(program);
    Ok(strace)
}

/// Operations of a program on a database and on its write-ahead log, in order.
pub struct Trace {
    /// Bytes of the database before the program ran.
    base: Vec<u8>,
    calls: Vec<SystemCall>,
}

struct SystemCall {
    is_wal: bool,
    began: Micros,
    ended: Micros,
    effect: Effect,
}

enum Effect {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
    Sync,
}

impl Trace {
    /// Reads the record of strace about a program that has ended well, and compares it with the database that
    /// the program left. `base` is the database that the program found, with nothing in a log.
    pub async fn read(trace: &Path, database: &Path, base: Vec<u8>) -> Outcome<Trace> {
        let began = Instant::now();
        loop {
            let read = Trace {
                calls: calls(trace, database)?,
                base: base.clone(),
            };
            // strace may not have written its last lines yet.
            if read.adds_up(database)? {
                return Ok(read);
            }
            if began.elapsed() > TRACE_MAX {
                return Err("what strace wrote down does not add up to the database".into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns `true` if all recorded operations together result in the database file that is on disk.
    fn adds_up(&self, database: &Path) -> Outcome<bool> {
        let mut file = self.base.clone();
        for call in self.calls.iter().filter(|call| !call.is_wal) {
            apply(&mut file, &call.effect);
        }
        Ok(file == fs::read(database)?)
    }

    /// Writes the files into `folder` as a power cut at the given moment would have left them.
    pub fn cut(&self, at: Micros, folder: &Path, rng: &mut Rng) -> Outcome<PathBuf> {
        let synced = [false, true].map(|is_wal| {
            let syncs = self.calls.iter();
            let syncs = syncs.filter(|call| call.is_wal == is_wal && call.ended <= at);
            let syncs = syncs.filter(|call| matches!(call.effect, Effect::Sync));
            syncs.map(|call| call.began).max()
        });
        let (mut file, mut log) = (self.base.clone(), Vec::new());
        for call in self.calls.iter().take_while(|call| call.began <= at) {
            let image = if call.is_wal { &mut log } else { &mut file };
            let is_safe = synced[usize::from(call.is_wal)].is_some_and(|sync| call.ended <= sync);
            if is_safe {
                apply(image, &call.effect);
            } else {
                apply_by_chance(image, &call.effect, rng);
            }
        }
        let database = folder.join("callbacks.db");
        fs::write(&database, file)?;
        fs::write(Database::beside(&database, "-wal"), log)?;
        Ok(database)
    }
}

fn apply(image: &mut Vec<u8>, effect: &Effect) {
    match effect {
        Effect::Write { at, bytes } => {
            let at = *at as usize;
            let end = at + bytes.len();
            image.resize(image.len().max(end), 0);
            image[at..end].copy_from_slice(bytes);
        }
        Effect::Truncate(length) => image.resize(*length as usize, 0),
        Effect::Sync => {}
    }
}

fn apply_by_chance(image: &mut Vec<u8>, effect: &Effect, rng: &mut Rng) {
    match effect {
        Effect::Write { at, bytes } => {
            let (mut at, mut rest) = (*at, bytes.as_slice());
            while !rest.is_empty() {
                let room = (SECTOR - at % SECTOR) as usize;
                let (sector, more) = rest.split_at(room.min(rest.len()));
                if rng.bool() {
                    let bytes = sector.to_vec();
                    apply(image, &Effect::Write { at, bytes });
                }
                (at, rest) = (at + sector.len() as u64, more);
            }
        }
        Effect::Truncate(_) if rng.bool() => apply(image, effect),
        Effect::Truncate(_) | Effect::Sync => {}
    }
}

/// Parses the operations that strace recorded as done.
fn calls(trace: &Path, database: &Path) -> Outcome<Vec<SystemCall>> {
    let mut reader = Reader {
        names: [database.to_owned(), Database::beside(database, "-wal")],
        places: HashMap::new(),
        begun: HashMap::new(),
        calls: Vec::new(),
    };
    for line in BufReader::new(File::open(trace)?).lines() {
        let line = line?;
        if reader.line(&line).is_none() {
            let begin: String = line.chars().take(200).collect();
            return Err(format!("strace wrote what is not understood: {begin}").into());
        }
    }
    reader.calls.sort_by_key(|call| call.began);
    Ok(reader.calls)
}

struct Reader {
    /// Paths of the database and its log.
    names: [PathBuf; 2],
    /// Offset of the next byte in each open file.
    places: HashMap<String, u64>,
    /// System calls that have begun and not ended, by thread.
    begun: HashMap<String, (Micros, String)>,
    calls: Vec<SystemCall>,
}

impl Reader {
    /// Parses a line: `THREAD SECONDS CALL(FILE<PATH>, …) = RESULT <SECONDS>`, in two parts if another thread
    /// did something in between.
    fn line(&mut self, line: &str) -> Option<()> {
        let (thread, rest) = line.trim_start().split_once(' ')?;
        let (stamp, text) = rest.trim_start().split_once(' ')?;
        // A line about a signal or about the end of a thread is no system call.
        if text.starts_with("---") || text.starts_with("+++") {
            return Some(());
        }
        let stamp = micros(stamp)?;
        if let Some(begin) = text.strip_suffix("<unfinished ...>") {
            let begun = (stamp, begin.trim_end().to_owned());
            self.begun.insert(thread.to_owned(), begun);
            return Some(());
        }
        match text.strip_prefix("<... ") {
            None => self.call(stamp, text),
            Some(end) => {
                let (_, end) = end.split_once(" resumed>")?;
                let (began, begin) = self.begun.remove(thread)?;
                self.call(began, &(begin + end))
            }
        }
    }

    fn call(&mut self, began: Micros, text: &str) -> Option<()> {
        let (call, rest) = text.split_once('(')?;
        // The first closing parenthesis ends the arguments, since paths and bytes are in hex.
        let (arguments, result) = rest.split_once(')')?;
        let result = result.trim_start().strip_prefix("= ")?;
        let (result, took) = result.rsplit_once(" <")?;
        let took = micros(took.strip_suffix('>')?)?;
        // A sync that only reported success had no effect, and neither had a call that failed.
        if result.contains("INJECTED") || result.starts_with('-') {
            return Some(());
        }
        let result: u64 = result.split(' ').next()?.parse().ok()?;
        let arguments: Vec<&str> = arguments.split(", ").map(str::trim).collect();
        let file = *arguments.first()?;
        let (_, path) = file.strip_suffix('>')?.split_once('<')?;
        let path = PathBuf::from(String::from_utf8(bytes(path)?).ok()?);
        let is_wal = self.names.iter().position(|name| *name == path)? == 1;
        let effect = match call {
            "lseek" => {
                self.places.insert(file.to_owned(), result);
                return Some(());
            }
            "write" => {
                let place = self.places.get_mut(file)?;
                let at = *place;
                *place += result;
                write(at, arguments.get(1)?, result)?
            }
            "pwrite64" => write(arguments.get(3)?.parse().ok()?, arguments.get(1)?, result)?,
            "ftruncate" => Effect::Truncate(arguments.get(1)?.parse().ok()?),
            "fsync" | "fdatasync" => Effect::Sync,
            // As far as is known, SQLite makes no other calls.
            _ => return None,
        };
        self.calls.push(SystemCall {
            is_wal,
            began,
            ended: began + took,
            effect,
        });
        Some(())
    }
}

fn write(at: u64, quoted: &str, written: u64) -> Option<Effect> {
    let mut bytes = bytes(quoted.strip_prefix('"')?.strip_suffix('"')?)?;
    bytes.truncate(usize::try_from(written).ok()?);
    (bytes.len() as u64 == written).then_some(Effect::Write { at, bytes })
}

/// Parses bytes in the form `\x68\x69`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let byte = |four: &[u8]| match four {
        [b'\\', b'x', high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(4).map(byte).collect()
}

/// Parses a time in the form `1764078375.123456`.
fn micros(seconds: &str) -> Option<Micros> {
    let (seconds, fraction) = seconds.split_once('.')?;
    let (seconds, fraction): (Micros, Micros) = (
        seconds.parse().ok()?,
        match fraction.len() {
            6 => fraction.parse().ok()?,
            _ => return None,
        },
    );
    Some(seconds * 1_000_000 + fraction)
}
