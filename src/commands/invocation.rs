//! Command lines that this program prints for the person to run next.

use std::ffi::OsString;
use std::path::Path;

use super::output::on_one_line;
use super::shown;

/// This program with the configuration and the project of the command that runs, so that a command which is printed
/// means the same.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    program: Vec<OsString>,
    project: Vec<OsString>,
}

impl Invocation {
    /// Returns the invocation of the command that runs, given the configuration file and the project that its arguments
    /// name.
    pub fn new(config: Option<&Path>, project: Option<&str>) -> Invocation {
        let program = std::env::args_os().next();
        let program = program.unwrap_or_else(|| "sinch-callbacks".into());
        Invocation::of(program, config, project)
    }

    fn of(program: OsString, config: Option<&Path>, project: Option<&str>) -> Invocation {
        let config = config.map(|path| ["--config".into(), path.as_os_str().to_owned()]);
        let project = project.map(|id| ["--project".into(), id.into()]);
        Invocation {
            program: [program]
                .into_iter()
                .chain(config.into_iter().flatten())
                .collect(),
            project: project.into_iter().flatten().collect(),
        }
    }

    /// Returns the command line as [`Invocation::command`] does, for a text that is wrapped: it stays on one line.
    pub fn whole_command(&self, arguments: &[&str]) -> String {
        on_one_line(&self.command(arguments))
    }

    /// Returns the command line with these arguments, as a shell reads it.
    pub fn command(&self, arguments: &[&str]) -> String {
        let own = arguments.iter().map(OsString::from);
        let program = self.program.iter().cloned();
        let words = program.chain(own).chain(self.project.iter().cloned());
        shown::command(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_the_configuration_and_the_project_of_the_one_that_prints_it() {
        let own = Invocation::of("./it".into(), Some(Path::new("my config.toml")), Some("p1"));
        assert_eq!(
            own.command(&["order", "wait", "o1"]),
            "./it --config 'my config.toml' order wait o1 --project p1"
        );
        let plain = Invocation::of("sinch-callbacks".into(), None, None);
        assert_eq!(plain.command(&["order"]), "sinch-callbacks order");
    }
}
