//! Faults of the command line as clap tells them, with what was written cut off where it is long.

use clap::error::{ContextKind, ContextValue};

use super::shown;

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
