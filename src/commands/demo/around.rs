//! What the demo says to try while it goes on serving: commands that reach its service, and a request.

use std::io;
use std::path::Path;

use super::order::{FORM_FILE, LETTER_FILE, PLAN, command};
use super::story::Story;
use crate::commands::output::{print_line, print_wrapped};
use crate::commands::shown;

/// Name of the file for the form that the demo tells a person to write.
const OWN_FORM_FILE: &str = "mine.toml";

/// Name of the copy of the database that the demo tells a person to make.
const COPY_FILE: &str = "copy.db";

/// The demo as a user reaches it from another terminal.
pub struct Around<'a> {
    /// Folder with the configuration for commands.
    pub folder: &'a Path,
    /// File of the database; `None`: a server keeps it.
    pub database: Option<&'a Path>,
}

impl Around<'_> {
    /// Prints what a person can try, each command in lines that can be pasted into a shell.
    ///
    /// # Errors
    ///
    /// Fails if the system does not say where this program is.
    pub fn invite(&self, url: &str, story: &Story, number: &str) -> io::Result<()> {
        let program = std::env::current_exe()?;
        let programs = program.parent().unwrap_or(Path::new("/"));
        let quoted = |path: &Path| shown::command([path.into()].into_iter());
        print_line("\nStill serving. Look around, in another terminal:");
        for line in [
            format!("cd {}", quoted(self.folder)),
            format!("PATH={}:$PATH", quoted(programs)),
        ] {
            print_line(format_args!("  {line}"));
        }
        self.look_around(url, story);
        invite_to_order(number);
        let text = format!(
            "Ctrl-C ends the demo, and removes its folder with all that is in it, {OWN_FORM_FILE} too: copy first what you want \
             to keep."
        );
        print_wrapped("", &text);
        Ok(())
    }

    /// Prints commands that show what the service has, and a request for the same.
    fn look_around(&self, url: &str, story: &Story) {
        let Story { order, end, .. } = story;
        let commands = [
            ("is anything stuck? (exit code 3: yes)", "status".to_owned()),
            (
                "the first story, as the service tells it",
                format!("order show {order}"),
            ),
            (
                "its events, and those to come; Ctrl-C ends it",
                format!("tail {order}"),
            ),
            (
                "all orders that ended like it",
                format!("orders --state {end}"),
            ),
            ("callbacks that could not be read", "parked".to_owned()),
        ];
        let backup = self.database.map(|_| {
            let what = "a copy of the database, made while the service runs";
            (what, format!("backup {COPY_FILE}"))
        });
        for (what, line) in commands.into_iter().chain(backup) {
            print_line(format_args!("  # {what}"));
            print_line(command("  ", &line));
        }
        print_line(format_args!(
            "  # the first story again, as programs get it\n  curl '{url}/api/v1/orders/{order}'"
        ));
    }
}

/// Prints the commands with which a person places an order at the demo's Sinch.
fn invite_to_order(number: &str) {
    print_line("Order a number yourself, there too:");
    print_line(command("  ", "order search AU MOBILE --capability SMS"));
    print_line(format_args!(
        "  # order one of the numbers found, or {number}, which can be had as well"
    ));
    let requirements =
        format!("order requirements AU MOBILE --form {OWN_FORM_FILE} --number {number}");
    print_line(command("  ", &requirements));
    print_line(format_args!(
        "  # fill in {OWN_FORM_FILE}, as {FORM_FILE} is; {LETTER_FILE} is there for it. For text\n  \
         # messages give [order.sms] and service_plan_id = \"{PLAN}\", without their #"
    ));
    print_line(command("  ", &format!("order check {OWN_FORM_FILE}")));
    print_line(command("  ", &format!("order place {OWN_FORM_FILE}")));
}
