//! `completions` and `man-pages`: what shells and `man` need to know of the program, made from its command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;

use super::FAILURE;
use super::file_fault::FileFault;
use super::output::{print_error, print_line};

/// Arguments of `completions`.
#[derive(clap::Args, Debug)]
pub struct CompletionsArguments {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Arguments of `man-pages`.
#[derive(clap::Args, Debug)]
pub struct ManPagesArguments {
    /// Folder into which the pages are written, one for each command.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Prints the completions of a program for a shell.
pub fn completions(mut program: Command, arguments: &CompletionsArguments) -> ExitCode {
    let name = program.get_name().to_owned();
    // The generator ends the process if it cannot write, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, name, &mut script);
    print_line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// Writes a page of the manual for each command of a program.
pub fn man_pages(program: Command, arguments: &ManPagesArguments) -> ExitCode {
    let folder = &arguments.folder;
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(program, folder))
        .and_then(|()| readable(folder));
    match written {
        Ok(pages) => {
            print_line(format_args!("{pages} pages are in {}", folder.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let fault = FileFault::from(error);
            print_error(format_args!("{}: {fault}", folder.display()));
            ExitCode::from(FAILURE)
        }
    }
}

/// Makes the pages readable for everybody, other than all else that the program writes, and returns their number.
fn readable(folder: &Path) -> std::io::Result<usize> {
    use std::os::unix::fs::PermissionsExt;
    let mut pages = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "1") {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
            pages += 1;
        }
    }
    Ok(pages)
}
