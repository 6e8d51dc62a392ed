//! The machine on which tests and benches run: its cores, its disk, and the limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

/// Cores of the machine that a thread may use.
pub struct Cores(CpuSet);

impl Cores {
    /// Returns the cores that this thread may use now.
    pub fn of_this_thread() -> Cores {
        Cores(sched_getaffinity(None).expect("a thread knows its cores"))
    }

    /// Restricts this thread to the first core, and the processes that it starts from now on.
    pub fn keep_to_first(&self) {
        keep_to(self.cores().next());
    }

    /// Restricts this thread to the last core, and the processes that it starts from now on.
    pub fn keep_to_last(&self) {
        keep_to(self.cores().next_back());
    }

    fn cores(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..CpuSet::MAX_CPU).filter(|core| self.0.is_set(*core))
    }
}

fn keep_to(core: Option<usize>) {
    let mut only = CpuSet::new();
    only.set(core.expect("a thread has a core"));
    sched_setaffinity(None, &only).expect("a thread may keep to one of its cores");
}

/// Raises this process's limit of open files as far as the system allows.
pub fn raise_open_files_limit() {
    let allowed = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: allowed.maximum,
        ..allowed
    };
    setrlimit(Resource::Nofile, all).expect("a process may raise its limit to the maximum");
}

/// Makes a temporary folder on the disk of the program that is measured: the system's own folder for temporary files may
/// not be on a disk at all.
pub fn folder_on_disk() -> TempDir {
    let place = crate::program::as_shipped().parent();
    tempfile::tempdir_in(place.expect("a program is in a folder")).expect("a folder for the bench")
}
