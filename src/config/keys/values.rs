//! Kinds of the configuration's values: each key is read with its default and its bounds. A value with a fault is
//! replaced by the default.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::doc::ShownValue;
use super::network;
use super::reader::{Entry, Reader};
use crate::config::source::key::Key;
use crate::config::source::node::Node;

/// Bounds of timeouts, in seconds: with zero everything would fail, and longer timeouts protect nothing.
pub const TIMEOUT_SECS: RangeInclusive<f64> = 0.01..=3600.0;
const DAY_SECS: f64 = 86_400.0;
/// Maximum number of characters of a name.
const NAME_MAX_CHARS: usize = 64;

impl<'k, 'a> Entry<'k, 'a> {
    /// Records a key with a default, and finds its value.
    fn read<T>(
        self,
        name: &'static str,
        default: String,
        values: Option<String>,
        kind: impl FnOnce(&'a Node) -> Result<T, &'static str>,
    ) -> (Key, &'k mut Reader<'a>, Option<T>) {
        let (at, reader) = self.note(name, ShownValue::Default(default), values);
        let given = reader.find(&at, kind);
        (at, reader, given)
    }

    /// Reads a value that is one of several words, of which the first is the default.
    pub fn word<T: Copy, const N: usize>(self, name: &'static str, words: &[(&str, T); N]) -> T {
        const { assert!(N > 0) };
        let (default, meaning) = words[0];
        let names = words.iter().map(|(word, _)| quoted(word));
        let names = names.collect::<Vec<_>>().join(" or ");
        let (at, reader, given) = self.read(name, quoted(default), Some(names.clone()), Node::text);
        let Some(given) = given else { return meaning };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return *meaning;
        }
        reader.fault(&at, &format!("write {names}"));
        meaning
    }

    /// Reads a value that is a whole number within bounds.
    pub fn whole<T: TryFrom<u64> + PartialOrd + Display>(
        self,
        name: &'static str,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        let shown = range_in_words(&bounds);
        let (at, reader, given) =
            self.read(name, default.to_string(), Some(shown.clone()), Node::whole);
        let Some(given) = given else { return default };
        match T::try_from(given) {
            Ok(value) if bounds.contains(&value) => value,
            Ok(_) | Err(_) => {
                reader.fault(&at, &format!("write a whole number {shown}"));
                default
            }
        }
    }

    /// Reads a value that is a number within bounds, with or without a fraction.
    pub fn number(self, name: &'static str, default: f64, bounds: RangeInclusive<f64>) -> f64 {
        let shown = Some(range_in_words(&bounds));
        let (at, reader, given) = self.read(name, default.to_string(), shown, Node::number);
        given.map_or(default, |given| {
            within_bounds(reader, &at, given, default, &bounds)
        })
    }

    /// Reads a value that is a number within bounds, and has no default.
    pub fn optional_number(
        self,
        name: &'static str,
        example: &'static str,
        bounds: RangeInclusive<f64>,
    ) -> Option<f64> {
        let values = Some(range_in_words(&bounds));
        let (at, reader) = self.note(name, ShownValue::Example(example), values);
        let given = reader.find(&at, Node::number)?;
        if bounds.contains(&given) {
            return Some(given);
        }
        reader.fault(&at, &format!("write a number {}", range_in_words(&bounds)));
        None
    }

    /// Reads a value that is a number of seconds within bounds.
    pub fn seconds(
        self,
        name: &'static str,
        default: f64,
        bounds: RangeInclusive<f64>,
    ) -> Duration {
        Duration::from_secs_f64(self.number(name, default, bounds))
    }

    /// Reads a value that is a number of days within bounds.
    pub fn days(self, name: &'static str, default: f64, bounds: RangeInclusive<f64>) -> Duration {
        Duration::from_secs_f64(self.number(name, default, bounds) * DAY_SECS)
    }

    /// Reads a value that is a list of numbers of seconds.
    pub fn seconds_list(
        self,
        name: &'static str,
        default: &[f64],
        bounds: RangeInclusive<f64>,
    ) -> Vec<Duration> {
        let shown = default.iter().map(f64::to_string).collect::<Vec<_>>();
        let shown = ShownValue::Default(format!("[{}]", shown.join(", ")));
        let (at, reader) = self.note(
            name,
            shown,
            Some(format!("each {}", range_in_words(&bounds))),
        );
        let given = reader.find_list(&at, Node::number);
        let given = given.unwrap_or_else(|| default.to_vec());
        let spans = given.into_iter().enumerate();
        let spans =
            spans.map(|(index, span)| within_bounds(reader, &at.index(index), span, 0.0, &bounds));
        spans.map(Duration::from_secs_f64).collect()
    }

    /// Reads a value that is `true` or `false`.
    pub fn flag(self, name: &'static str, default: bool) -> bool {
        let (_, _, given) = self.read(name, default.to_string(), None, Node::flag);
        given.unwrap_or(default)
    }

    /// Reads a value that is a text.
    pub fn text(self, name: &'static str, default: &str) -> String {
        let (_, _, given) = self.read(name, quoted(default), None, Node::text);
        given.unwrap_or(default).to_owned()
    }

    /// Reads a value that is a text, and has no default.
    pub fn optional_text(self, name: &'static str, shown: ShownValue) -> Option<String> {
        let (at, reader) = self.note(name, shown, None);
        reader.find(&at, Node::text).map(str::to_owned)
    }

    /// Reads a value that is a name: letters, digits, `-` and `_`. It must be there; `None` if it has a fault.
    pub fn name(self, name: &'static str, example: &'static str) -> Option<String> {
        let shown = ShownValue::Example(example);
        let (at, reader) = self.note(name, shown, None);
        let Some(given) = reader.find(&at, Node::text) else {
            reader.fault(&at, &format!("needed; give it a name, such as {example}"));
            return None;
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=NAME_MAX_CHARS).contains(&given.len()) && given.bytes().all(is_plain) {
            return Some(given.to_owned());
        }
        let what = format!("write 1 to {NAME_MAX_CHARS} letters, digits, - and _");
        reader.fault(&at, &what);
        None
    }

    /// Reads a value that is a list of texts; `None` if it is not set, or if one has a fault. `meaning` reads a text, or
    /// says what to write instead.
    pub fn texts<T>(
        self,
        name: &'static str,
        shown: ShownValue,
        meaning: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let (at, reader) = self.note(name, shown, None);
        let given = reader.find_list(&at, Node::text)?;
        let read = given.into_iter().map(meaning).enumerate();
        let meant = read.map(|(index, meant)| {
            let fault = meant.as_ref().err();
            fault.inspect(|what| reader.fault(&at.index(index), what));
            meant.ok()
        });
        // Each fault is reported, not only the first.
        let meant: Vec<Option<T>> = meant.collect();
        meant.into_iter().collect()
    }

    /// Reads a value that is a path, and has no default.
    pub fn optional_path(self, name: &'static str, shown: ShownValue) -> Option<PathBuf> {
        self.optional_text(name, shown).map(PathBuf::from)
    }

    /// Reads a value that is an IP address with a port.
    pub fn address(self, name: &'static str, default: SocketAddr) -> SocketAddr {
        let shown = quoted(&default.to_string());
        let (at, reader, given) = self.read(name, shown, None, Node::text);
        let Some(given) = given else { return default };
        given.parse().unwrap_or_else(|_| {
            let what = format!("write an IP address and a port, such as {default}");
            reader.fault(&at, &what);
            default
        })
    }

    /// Reads a value that is a list of IP addresses and networks.
    pub fn networks(self, name: &'static str, default: Vec<IpNet>) -> Vec<IpNet> {
        let shown = default.iter().map(IpNet::to_string).collect::<Vec<_>>();
        let (at, reader) = self.note(name, ShownValue::Default(format!("{shown:?}")), None);
        let Some(given) = reader.find_list(&at, Node::text) else {
            return default;
        };
        let mut networks = Vec::new();
        for (index, text) in given.iter().enumerate() {
            match network::parse(text) {
                Ok(network) => networks.push(network),
                Err(what) => reader.fault(&at.index(index), &what),
            }
        }
        if networks.len() == given.len() {
            networks
        } else {
            default
        }
    }

    /// Reads the URL of a service to which an access key is sent, without a slash at its end, so that a path can be
    /// appended.
    pub fn url(self, name: &'static str, default: &str) -> String {
        let (at, reader, given) = self.read(name, quoted(default), None, Node::text);
        let encrypted =
            "write https://, since the key goes there; http:// is for this machine only";
        match given.map(|text| check_url(text, encrypted)) {
            Some(Ok(url)) => return url,
            Some(Err(what)) => reader.fault(&at, what),
            None => {}
        }
        default.to_owned()
    }

    /// Reads a URL under which others reach this service, in the same form; `None` if it is not set.
    pub fn optional_url(self, name: &'static str, example: &'static str) -> Option<String> {
        let (at, reader) = self.note(name, ShownValue::Example(example), None);
        let text = reader.find(&at, Node::text)?;
        let encrypted = "write https://, since callbacks name telephone numbers; http:// is for this machine only";
        match check_url(text, encrypted) {
            Ok(url) => Some(url),
            Err(what) => {
                reader.fault(&at, what);
                None
            }
        }
    }
}

impl Reader<'_> {
    /// Refuses a value that is below another one of the same section.
    pub fn not_below(&mut self, (name, value): (&str, f64), (least_name, least): (&str, f64)) {
        if value < least {
            let what = format!("below {least_name}; write {least} or more");
            self.fault(&self.at(name), &what);
        }
    }
}

/// Returns a configured number if it is within its bounds, else records the fault and returns the default.
fn within_bounds(
    reader: &mut Reader<'_>,
    at: &Key,
    given: f64,
    default: f64,
    bounds: &RangeInclusive<f64>,
) -> f64 {
    if bounds.contains(&given) {
        return given;
    }
    reader.fault(at, &format!("write a number {}", range_in_words(bounds)));
    default
}

fn range_in_words<T: Display>(bounds: &RangeInclusive<T>) -> String {
    format!("from {} to {}", bounds.start(), bounds.end())
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Converts a span to days, the unit in which an operator writes retention periods.
pub fn in_days(span: Duration) -> f64 {
    span.as_secs_f64() / DAY_SECS
}

/// Checks the URL of a service. `encrypted` says why it must be https.
fn check_url(text: &str, encrypted: &'static str) -> Result<String, &'static str> {
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
        _ => return Err(encrypted),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
