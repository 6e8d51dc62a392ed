//! Figures of the process, under the names that Prometheus's own clients give them. They are read from `/proc`.

use std::fs;
use std::io;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Number of the first field of `/proc/self/stat` that follows the program's name, which may hold blanks.
const AFTER_NAME: usize = 3;

/// Figures of the process.
#[derive(Debug, PartialEq)]
struct Figures {
    cpu_seconds: f64,
    /// Start of the process, in seconds since the machine was started.
    started_after: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
}

/// Returns the figures of the process; those that the system does not show are left out.
pub(super) fn registry() -> Registry {
    let mut registry = Registry::with_prefix("process");
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = clock_ticks_per_second() as f64;
    if let Some(figures) = figures(&stat, ticks, page_size() as u64) {
        let Figures {
            cpu_seconds,
            started_after,
            resident_bytes,
            virtual_bytes,
        } = figures;
        let help = "Processor time of the process, user and system";
        registry.register("cpu_seconds", help, ConstCounter::new(cpu_seconds));
        let mut gauge = |name, help, value: f64| {
            registry.register(name, help, ConstGauge::new(value));
        };
        gauge(
            "resident_memory_bytes",
            "Memory of the process that is in RAM",
            resident_bytes as f64,
        );
        gauge(
            "virtual_memory_bytes",
            "Memory of the process, mapped or reserved",
            virtual_bytes as f64,
        );
        if let Some(booted) = booted_at() {
            gauge(
                "start_time_seconds",
                "Start of the process, since 1970",
                booted + started_after,
            );
        }
    }
    if let Ok(open) = open_files() {
        let help = "Files that the process has open";
        registry.register("open_fds", help, ConstGauge::new(open as f64));
    }
    if let Some(max) = getrlimit(Resource::Nofile).current {
        let help = "Maximum number of open files";
        registry.register("max_fds", help, ConstGauge::new(max as f64));
    }
    registry
}

/// Reads the figures from the text of `/proc/self/stat`.
fn figures(stat: &str, ticks: f64, page_bytes: u64) -> Option<Figures> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |field: usize| fields.get(field - AFTER_NAME)?.parse::<u64>().ok();
    Some(Figures {
        cpu_seconds: (number(14)? + number(15)?) as f64 / ticks,
        started_after: number(22)? as f64 / ticks,
        virtual_bytes: number(23)?,
        resident_bytes: number(24)? * page_bytes,
    })
}

/// Returns the time at which the machine was started, in seconds since 1970.
fn booted_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

fn open_files() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/fd")?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_past_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1000 8192 3 18446744073709551615 1";
        let read = figures(stat, 100.0, 4096);
        let expected = Figures {
            cpu_seconds: 3.0,
            started_after: 10.0,
            resident_bytes: 12_288,
            virtual_bytes: 8192,
        };
        assert_eq!(read, Some(expected));
        assert_eq!(figures("7 (a", 100.0, 4096), None);
        assert_eq!(figures("7 (a) S 1", 100.0, 4096), None);
    }
}
