//! Files that commands make for their own work: nobody else can read them, and root leaves none in the service's way.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Finds the modes of all work folders in a folder, and of the files in them, until `is_over`.
fn watch(folder: &Path, is_over: Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<(PathBuf, u32)>> {
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        let mut seen = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let work_folders = entries(&folder).into_iter().filter(|path| {
                let name = path.file_name().expect("a name").to_string_lossy();
                name.starts_with(".sinch-callbacks-work-")
            });
            let found = work_folders.flat_map(|path| [entries(&path), vec![path]].concat());
            for path in found {
                if let Ok(file) = std::fs::symlink_metadata(&path) {
                    let known = (path, file.permissions().mode() & 0o777);
                    if !seen.contains(&known) {
                        seen.push(known);
                    }
                }
            }
        }
        seen
    })
}

/// Paths in a folder, which may be gone.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

#[tokio::test]
async fn nobody_else_can_read_the_files_of_a_command_at_work() {
    let fixture = Fixture::new().await;
    let folder = folder();
    let [path, copy] = ["live.db", "copy.db"].map(|name| folder.path().join(name));
    super::backup(&fixture.path(), &path, false)
        .await
        .expect("copies");
    let mut seen = Vec::new();
    for command in ["backup", "restore", "check"] {
        let is_over = Arc::new(AtomicBool::new(false));
        let watching = watch(folder.path(), is_over.clone());
        for _ in 0..10 {
            match command {
                "backup" => drop(super::backup(&path, &copy, true).await.expect("copies")),
                "restore" => drop(restore(&path, &copy, true).await.expect("is restored")),
                _ => drop(check(&settings(path.clone())).await.expect("is good")),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        seen.extend(watching.join().expect("ends"));
    }
    for (path, mode) in &seen {
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    for name in ["copy.db", "restored.db", "trial.db"] {
        assert!(
            seen.iter().any(|(path, _)| path.ends_with(name)),
            "the control: {name}"
        );
    }
}

/// Id of a user without privileges.
const NOBODY: u32 = 65532;

/// A command of root's that is killed leaves its files, and the service's user must be able to go on.
#[tokio::test]
async fn what_root_makes_belongs_to_the_user_of_the_database() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("NOT TRIED, files that root makes: the test does not run as root");
        return;
    }
    // The folder belongs to the service's user; or the folder to root, and the database to the user.
    for is_folder_roots in [false, true] {
        let fixture = Fixture::new().await;
        let folder = folder();
        let path = folder.path().join("live.db");
        let give = |path: &Path| chown(path, Some(NOBODY), Some(NOBODY)).expect("root may");
        if is_folder_roots {
            super::backup(&fixture.path(), &path, false)
                .await
                .expect("copies");
            give(&path);
        } else {
            give(folder.path());
        }
        let held = hold(&path).expect("is free");
        let work_folder =
            work_folder::WorkFolder::beside(&held.location.path).expect("can be made");
        for made in [
            path.clone(),
            location::beside(&path, ".lock"),
            work_folder.file(""),
        ] {
            let file = std::fs::metadata(&made).expect("is there");
            assert_eq!(
                (file.uid(), file.gid()),
                (NOBODY, NOBODY),
                "{}",
                made.display()
            );
        }
    }
}
