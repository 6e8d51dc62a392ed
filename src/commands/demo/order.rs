//! Order that the demo places beside the others, with the commands that a person would type.
//!
//! Each command is this program again, as a process of its own, in the demo's folder. There it finds a configuration
//! and, from the first command on, the form.

use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::commands::output::{print_line, print_wrapped};
use crate::config::VARIABLE_PREFIX;
use sinch_simulator::Simulator;

/// Name of the file with the form of the demo's order.
pub(super) const FORM_FILE: &str = "form.toml";

/// Name of the file with the document that the registration needs.
pub(super) const LETTER_FILE: &str = "letter.pdf";

/// Id of the service plan with which the demo links its number.
pub(super) const PLAN: &str = "demo-plan";

/// Word at which the simulated review blocks an order once.
const BLOCKING_WORD: &str = " BLOCK-ONCE";

/// Maximum width of a command that is shown in one line.
const COMMAND_MAX_COLUMNS: usize = 78;

/// Exit code of a command whose order is blocked.
const BLOCKED_EXIT_CODE: i32 = 11;

/// Keys that stand empty in the form, with the values that the demo gives them. All of them are invented.
const FILLED: [(&str, &str); 13] = [
    ("purposeOfTheTraffic", "\"News of deliveries BLOCK-ONCE\""),
    ("intendedUseOfMobileNumbers", "\"Transactional\""),
    ("iConfirmThatMyBusinessHasAValidUseCaseForThisLn", "true"),
    ("endBusinessName", "\"Example Parcels Pty\""),
    ("endBusinessAddress", "\"1 Example Street\""),
    ("city", "\"Sydney\""),
    ("state", "\"NSW\""),
    ("country", "\"AU\""),
    ("postalCode", "\"2000\""),
    ("firstName", "\"Robin\""),
    ("lastName", "\"Example\""),
    ("phoneNumber", "\"+61255501234\""),
    ("file", "\"letter.pdf\""),
];

/// Content of the document: just enough to be taken for a PDF.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

/// Reason why the demo's order could not be placed and completed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("the order: {0}")]
    System(#[from] io::Error),
    #[error("`sinch-callbacks {command}` did not end with {expected}")]
    Ended { command: String, expected: i32 },
    #[error("the search found too few numbers")]
    NoNumber,
    #[error("no order was created")]
    NoOrder,
    #[error("the form has no empty key {0}")]
    NoKey(&'static str),
}

/// The demo's folder, in which the commands run.
pub struct Folder<'a> {
    program: PathBuf,
    path: &'a Path,
}

impl<'a> Folder<'a> {
    /// Prepares the folder: it gets the document that the form names.
    pub fn new(path: &'a Path) -> io::Result<Folder<'a>> {
        fs::write(path.join(LETTER_FILE), PDF)?;
        let program = std::env::current_exe()?;
        Ok(Folder { program, path })
    }

    /// Places an order, from the search to a number that works. The review blocks it once, and the form is corrected.
    ///
    /// Returns another number that can be had, for a person to order.
    pub async fn place_order(&self, simulator: &Simulator) -> Result<String, OrderError> {
        let text = "An order of our own, placed meanwhile with the commands that you would type:";
        print_wrapped("", text);
        let found = self
            .run("order search AU MOBILE --capability SMS --size 2", 0)
            .await?;
        let [number, another] = &numbers(&found)[..] else {
            return Err(OrderError::NoNumber);
        };
        self.run(
            &format!("order requirements AU MOBILE --form {FORM_FILE} --number {number}"),
            0,
        )
        .await?;
        self.fill_in()?;
        self.run(&format!("order check {FORM_FILE}"), 0).await?;
        self.run(&format!("order place {FORM_FILE}"), BLOCKED_EXIT_CODE)
            .await?;
        let orders = simulator.ordering().orders();
        let order = orders.iter().find(|order| order.numbers.contains(number));
        let order = order.ok_or(OrderError::NoOrder)?;
        self.correct()?;
        self.run(&format!("order fix {} --form {FORM_FILE}", order.id), 0)
            .await?;
        print_line("");
        Ok(another.clone())
    }

    /// Fills in the form.
    fn fill_in(&self) -> Result<(), OrderError> {
        print_line(format_args!(
            "  # {FORM_FILE} is filled in; at its word {}, the review blocks once",
            BLOCKING_WORD.trim()
        ));
        let sms = "#[order.sms]\n#service_plan_id = \"\"";
        let linked = format!("[order.sms]\nservice_plan_id = \"{PLAN}\"");
        let mut text = fs::read_to_string(self.path.join(FORM_FILE))?;
        text = text.replacen(sms, &linked, 1);
        for (key, value) in &FILLED {
            let empty = format!("\n{key} = \"\"");
            if !text.contains(&empty) {
                return Err(OrderError::NoKey(key));
            }
            text = text.replacen(&empty, &format!("\n{key} = {value}"), 1);
        }
        fs::write(self.path.join(FORM_FILE), text)?;
        Ok(())
    }

    /// Takes the cause of the block out of the form.
    fn correct(&self) -> Result<(), OrderError> {
        print_line(format_args!(
            "  # {} is taken out of {FORM_FILE}",
            BLOCKING_WORD.trim()
        ));
        let text = fs::read_to_string(self.path.join(FORM_FILE))?;
        fs::write(self.path.join(FORM_FILE), text.replace(BLOCKING_WORD, ""))?;
        Ok(())
    }

    /// Runs a command of this program, which must end with the expected code, and prints its output as it comes.
    /// Returns the lines of the output.
    async fn run(&self, line: &str, expected: i32) -> Result<Vec<String>, OrderError> {
        print_line(command("  $ ", line));
        let (output, writer) = io::pipe()?;
        let mut running = self.start(line, &writer)?;
        // The output ends once nobody can write any more.
        drop(writer);
        let printed = tokio::task::spawn_blocking(move || print(output));
        let lines = printed.await.map_err(io::Error::other)??;
        if running.0.wait()?.code() != Some(expected) {
            return Err(OrderError::Ended {
                command: line.to_owned(),
                expected,
            });
        }
        Ok(lines)
    }

    fn start(&self, line: &str, output: &io::PipeWriter) -> io::Result<Running> {
        let mut command = Command::new(&self.program);
        command
            .args(line.split(' '))
            .current_dir(self.path)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            // Ctrl-C ends the demo, which then ends its command.
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(VARIABLE_PREFIX) {
                command.env_remove(name);
            }
        }
        command.spawn().map(Running)
    }
}

/// Returns a command of this program as it is typed. A long one is broken into two lines in the way that a shell
/// accepts.
pub(super) fn command(lead: &str, line: &str) -> String {
    let typed = format!("{lead}sinch-callbacks {line}");
    match typed.rsplit_once(" --") {
        Some((before, last)) if typed.len() > COMMAND_MAX_COLUMNS => {
            format!("{before} \\\n      --{last}")
        }
        _ => typed,
    }
}

/// Process of a running command. It is killed when the value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // The kill fails if the command has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Prints the lines of a command, and returns them.
fn print(output: PipeReader) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        let text = line.trim_start();
        if !text.is_empty() {
            let blanks = " ".repeat(line.len() - text.len());
            print_wrapped(&format!("    {blanks}"), text);
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Returns the telephone numbers with which lines begin.
fn numbers(lines: &[String]) -> Vec<String> {
    let first = lines.iter().filter_map(|line| line.split(' ').next());
    let numbers = first.filter(|word| word.starts_with('+'));
    numbers.map(str::to_owned).collect()
}
