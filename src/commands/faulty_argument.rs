//! Faults of the command line as clap tells them, with what was written cut off where it is long.

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

use super::command_error::CommandError;
use super::{output, shown};

/// Parts of a fault that repeat what was written.
const WRITTEN: [ContextKind; 3] = [
    ContextKind::InvalidValue,
    ContextKind::InvalidArg,
    ContextKind::InvalidSubcommand,
];

/// Returns the fault with each argument that it repeats on one line, and cut off where it is long.
pub fn shortened(mut fault: clap::Error) -> clap::Error {
    for kind in WRITTEN {
        if let Some(ContextValue::String(written)) = fault.get(kind) {
            let short = shown::short(written);
            if short != *written {
                // Hints repeat it too.
                fault.remove(ContextKind::Suggested);
            }
            fault.insert(kind, ContextValue::String(short));
        }
    }
    fault
}

/// Prints what `--help` asks for, or the fault: where `--json` is among the arguments, also as JSON, as every command does.
pub fn print<A: AsRef<OsStr>>(
    said: &clap::Error,
    arguments: impl IntoIterator<Item = A>,
) -> ExitCode {
    if said.use_stderr() && wants_json(arguments) {
        CommandError::usage(reason(said)).print_json();
    }
    output::note_result(said.print());
    ExitCode::from(u8::try_from(said.exit_code()).unwrap_or(u8::MAX))
}

fn wants_json<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> bool {
    let mut options = arguments.into_iter().take_while(|one| one.as_ref() != "--");
    options.any(|one| one.as_ref() == "--json")
}

/// Returns the fault without the hints that follow it.
fn reason(said: &clap::Error) -> String {
    let said = said.to_string();
    let (fault, _) = said.split_once("\n\n").unwrap_or((&said, ""));
    let fault = fault.strip_prefix("error: ").unwrap_or(fault);
    fault.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn fault(arguments: &[&str]) -> String {
        let number = Arg::new("number")
            .long("number")
            .value_parser(clap::value_parser!(u32));
        let program = Command::new("x")
            .arg(number)
            .subcommand(Command::new("known"));
        let words = ["x"].iter().chain(arguments);
        let fault = program.try_get_matches_from(words).expect_err("a fault");
        shortened(fault).to_string()
    }

    #[test]
    fn a_fault_is_told_in_json_where_that_is_asked_for() {
        for (arguments, is_json) in [
            (&["--number", "x", "--json"][..], true),
            (&["--json=yes"], false),
            (&["known", "--", "--json"], false),
            (&[], false),
        ] {
            assert_eq!(wants_json(arguments), is_json, "{arguments:?}");
        }
        let number = Arg::new("number")
            .long("number")
            .value_parser(clap::value_parser!(u32));
        let fault = Command::new("x")
            .arg(number)
            .try_get_matches_from(["x", "--number", "y"]);
        let fault = reason(&fault.expect_err("a fault"));
        assert!(fault.starts_with("invalid value 'y' for"), "{fault}");
        assert!(!fault.contains("--help"), "{fault}");
    }

    #[test]
    fn a_long_argument_is_cut_off_wherever_it_is_repeated() {
        let long = "ab".repeat(1000);
        let (option, start) = (format!("--{long}"), &long[..50]);
        for arguments in [&["--number", &long][..], &[&option], &[&long]] {
            let told = fault(arguments);
            assert!(told.contains(start) && told.contains('…'), "{told}");
            assert!(!told.contains(&long[..200]), "{told}");
        }
        assert!(fault(&["--numbre", "1"]).contains("'--number'"));
        assert!(fault(&["know"]).contains("'known'"));
    }
}
