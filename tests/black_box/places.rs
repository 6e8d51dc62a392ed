//! Places in which what is registered may not stand, and the search of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use testkit::{Ended, Service};

/// Beginning of each value that is registered.
pub const REGISTERED: &str = "ZQX-";

/// What was searched: each place, with all that was there.
#[derive(Default)]
pub struct Places(BTreeMap<String, Vec<u8>>);

impl Places {
    pub fn add(&mut self, place: impl Into<String>, content: impl AsRef<[u8]>) {
        let known = self.0.entry(place.into()).or_default();
        known.extend_from_slice(content.as_ref());
        known.push(b'\n');
    }

    /// Returns the places in which a text stands.
    pub fn with(&self, text: &str) -> Vec<&str> {
        let holds = |content: &Vec<u8>| {
            let mut windows = content.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        let places = self.0.iter().filter(|(_, content)| holds(content));
        places.map(|(place, _)| place.as_str()).collect()
    }

    pub fn add_output(&mut self, ended: &Ended) {
        self.add("output", format!("{}\n{}", ended.out, ended.err));
    }

    pub fn add_files(&mut self, folder: &Path) {
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.is_file() {
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                self.add(name, fs::read(&path).expect("is read"));
            }
        }
    }

    /// Adds the arguments and the variables of every child of this test that runs.
    pub fn add_children(&mut self) {
        let own = format!("PPid:\t{}\n", std::process::id());
        for process in fs::read_dir("/proc").expect("a folder") {
            let path = process.expect("a process").path();
            // Others may end at any moment, and those that hide their variables do so from all but root.
            let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
            if String::from_utf8_lossy(&read("status")).contains(&own) {
                self.add("arguments", read("cmdline"));
                self.add("variables", read("environ"));
            }
        }
    }

    /// Adds what the service answers.
    pub async fn add_answers(&mut self, service: &Service, orders: &[&str]) {
        let mut paths = [
            "/status",
            "/metrics",
            "/api/v1/orders",
            "/api/v1/deliveries",
            "/api/v1/parked",
        ]
        .map(str::to_owned)
        .to_vec();
        paths.extend(orders.iter().map(|order| format!("/api/v1/orders/{order}")));
        for path in paths {
            let answer = service.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            self.add("answers", answer.body);
        }
        for delivery in service.list("/api/v1/deliveries").await {
            self.add("answers", service.body(&delivery).await.body);
        }
    }
}
