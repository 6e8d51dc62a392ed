//! Checks of single values: each returns the value or its default, and records the fault.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::key::Key;
use super::network;
use super::tree::Tree;

const DAY_SECS: f64 = 86_400.0;

/// Faults and warnings found so far.
pub struct Check<'a> {
    tree: &'a Tree,
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

impl<'a> Check<'a> {
    pub fn new(tree: &'a Tree) -> Check<'a> {
        Check {
            tree,
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn fault(&mut self, at: &Key, what: &str) {
        self.faults.push(self.tree.fault(at, what));
    }

    pub fn warn(&mut self, at: &Key, what: &str) {
        self.warnings.push(self.tree.fault(at, what));
    }

    /// Checks for one of several words, of which the first is the default.
    pub fn word<T: Copy, const N: usize>(
        &mut self,
        at: &Key,
        given: Option<String>,
        words: &[(&str, T); N],
    ) -> T {
        const { assert!(N > 0) };
        let Some(given) = given else {
            return words[0].1;
        };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return *meaning;
        }
        let names = words.iter().map(|(word, _)| format!("{word:?}"));
        let names = names.collect::<Vec<_>>().join(" or ");
        self.fault(at, &format!("write {names}"));
        words[0].1
    }

    pub fn whole<T: TryFrom<u64> + PartialOrd + Display>(
        &mut self,
        at: &Key,
        given: Option<u64>,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        let Some(given) = given else { return default };
        match T::try_from(given) {
            Ok(value) if bounds.contains(&value) => value,
            Ok(_) | Err(_) => {
                let (min, max) = bounds.into_inner();
                self.fault(at, &format!("write a whole number from {min} to {max}"));
                default
            }
        }
    }

    pub fn number(
        &mut self,
        at: &Key,
        given: Option<f64>,
        default: f64,
        bounds: RangeInclusive<f64>,
    ) -> f64 {
        let Some(given) = given else { return default };
        if bounds.contains(&given) {
            return given;
        }
        let (min, max) = bounds.into_inner();
        self.fault(at, &format!("write a number from {min} to {max}"));
        default
    }

    pub fn seconds(
        &mut self,
        at: &Key,
        given: Option<f64>,
        default: Duration,
        bounds: RangeInclusive<f64>,
    ) -> Duration {
        Duration::from_secs_f64(self.number(at, given, default.as_secs_f64(), bounds))
    }

    pub fn days(
        &mut self,
        at: &Key,
        given: Option<f64>,
        default: Duration,
        bounds: RangeInclusive<f64>,
    ) -> Duration {
        Duration::from_secs_f64(self.number(at, given, in_days(default), bounds) * DAY_SECS)
    }

    pub fn address(&mut self, at: &Key, given: Option<String>, default: SocketAddr) -> SocketAddr {
        let Some(given) = given else { return default };
        given.parse().unwrap_or_else(|_| {
            let what = format!("write an IP address and a port, such as {default}");
            self.fault(at, &what);
            default
        })
    }

    pub fn networks(
        &mut self,
        at: &Key,
        given: Option<Vec<String>>,
        default: Vec<IpNet>,
    ) -> Vec<IpNet> {
        let Some(given) = given else { return default };
        let mut networks = Vec::new();
        for (index, text) in given.iter().enumerate() {
            match network::parse(text) {
                Ok(network) => networks.push(network),
                Err(what) => self.fault(&at.index(index), &what),
            }
        }
        networks
    }

    /// Checks a URL, and returns it without a slash at its end, so that a path can be appended.
    pub fn url(&mut self, at: &Key, given: Option<String>, default: String) -> String {
        let Some(given) = given else { return default };
        match url(&given) {
            Ok(url) => url,
            Err(what) => {
                self.fault(at, what);
                default
            }
        }
    }
}

/// Converts a span to days, the unit in which an operator writes it.
pub fn in_days(span: Duration) -> f64 {
    span.as_secs_f64() / DAY_SECS
}

fn url(text: &str) -> Result<String, &'static str> {
    let not_a_url = "not a URL; write one such as https://numbers.api.sinch.com";
    let url = Url::parse(text).map_err(|_| not_a_url)?;
    let host = url.host_str().ok_or(not_a_url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the name and password; the key belongs to the project");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("leave out what follows the path: neither ? nor # belongs here");
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => {
            return Err(
                "write https://, since the key goes there; http:// is for this machine only",
            );
        }
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
