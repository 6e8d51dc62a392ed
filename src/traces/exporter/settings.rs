//! Settings of the exporter, read from the variables that OpenTelemetry's specification names.
//!
//! A value that cannot be used stops the start, as one of the configuration does. The specification would have most of them
//! ignored, and then an operator who mistypes a word looks in vain for traces.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use url::Url;

use crate::traces::variables::{ENDPOINTS, EXPORTER, VariableError, first_set};

/// Path of the collector below the address for all that OpenTelemetry sends.
const TRACES_PATH: &str = "v1/traces";

const PROTOCOLS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const COMPRESSIONS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
];
const TIMEOUTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Settings of the exporter.
#[derive(Debug)]
pub(super) struct Settings {
    /// URL to which spans are sent. It is no part of an error or of the log, since it may hold a secret.
    pub endpoint: Url,
    /// Variable that has the URL.
    endpoint_variable: &'static str,
    /// Time-out of a request, and of its repetitions.
    pub timeout: Duration,
    /// Traces whose spans are sent.
    pub sampler: Sampler,
    /// Maximum number of spans that wait to be sent.
    pub queue_max: usize,
    /// Maximum number of spans in one request.
    pub batch_max: usize,
    /// Time for which spans gather.
    pub delay: Duration,
}

impl Settings {
    /// Reads the settings from the variables.
    ///
    /// # Errors
    ///
    /// Returns [`VariableError`] for the first value that cannot be used.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, VariableError> {
        let get = |names: &[&'static str]| first_set(&variable, names);
        let only = |names: &[&'static str], word: &str| {
            get(names).map_or(Ok(()), |(name, value)| check_word(name, &value, word))
        };
        only(&[EXPORTER], "otlp")?;
        only(&PROTOCOLS, "http/protobuf")?;
        only(&COMPRESSIONS, "none")?;
        let (endpoint_variable, endpoint) =
            get(&ENDPOINTS).unwrap_or((ENDPOINTS[1], String::new()));
        let number = |names: &[&'static str], default, range| {
            get(names).map_or(Ok(default), |(name, value)| number(name, &value, range))
        };
        Ok(Settings {
            endpoint: endpoint_url(endpoint_variable, &endpoint)?,
            endpoint_variable,
            timeout: Duration::from_millis(number(&TIMEOUTS, 10_000, 1..=600_000)?),
            sampler: sampler(get(&[SAMPLER]), get(&[SAMPLER_ARG]))?,
            queue_max: number(&["OTEL_BSP_MAX_QUEUE_SIZE"], 2048, 1..=65_536)? as usize,
            batch_max: number(&["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], 512, 1..=65_536)? as usize,
            delay: Duration::from_millis(number(&["OTEL_BSP_SCHEDULE_DELAY"], 5000, 1..=600_000)?),
        })
    }

    /// Returns the error of a URL that the library does not take.
    pub fn unusable_endpoint(&self) -> VariableError {
        fault(
            self.endpoint_variable,
            "it is no URL that can be used; write http://HOST:4318",
        )
    }
}

fn fault(variable: &'static str, fault: impl Display) -> VariableError {
    VariableError {
        variable,
        fault: fault.to_string(),
    }
}

/// Checks that a variable has the only word that it may have.
fn check_word(variable: &'static str, value: &str, word: &str) -> Result<(), VariableError> {
    if value.eq_ignore_ascii_case(word) {
        return Ok(());
    }
    let words = format!("{value:?} is not known here; write {word}, or leave it out");
    Err(fault(variable, words))
}

/// Reads the URL of a collector. That of traces is taken as it is, the other one gets the path.
fn endpoint_url(variable: &'static str, value: &str) -> Result<Url, VariableError> {
    let unusable = |words: &str| fault(variable, words);
    let mut url = Url::parse(value)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| unusable("it is no URL of http or https; write http://HOST:4318"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable(
            "its user and password would not be sent; write them into OTEL_EXPORTER_OTLP_HEADERS",
        ));
    }
    if variable == ENDPOINTS[1] {
        let path = format!("{}/{TRACES_PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// Reads a whole number.
fn number(
    variable: &'static str,
    value: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, VariableError> {
    let read = u64::from_str(value).ok();
    read.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        let words = format!("{value:?} is no whole number from {least} to {most}");
        fault(variable, words)
    })
}

/// Reads which traces are sent. A sampler that goes by the parent means what it means for a root, since each trace begins
/// here.
fn sampler(
    named: Option<(&'static str, String)>,
    share: Option<(&'static str, String)>,
) -> Result<Sampler, VariableError> {
    let Some((variable, name)) = named else {
        return Ok(Sampler::AlwaysOn);
    };
    match name.strip_prefix("parentbased_").unwrap_or(&name) {
        "always_on" => Ok(Sampler::AlwaysOn),
        "always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" => match share {
            None => Ok(Sampler::TraceIdRatioBased(1.0)),
            Some((variable, value)) => f64::from_str(&value)
                .ok()
                .filter(|share| (0.0..=1.0).contains(share))
                .map(Sampler::TraceIdRatioBased)
                .ok_or_else(|| fault(variable, format!("{value:?} is no share from 0 to 1"))),
        },
        _ => {
            let words = format!(
                "{name:?} is not known here; write always_on, always_off or traceidratio, each also as parentbased_…"
            );
            Err(fault(variable, words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, VariableError> {
        Settings::read(|name| {
            let mut all = set.iter();
            let found = all.find(|(set, _)| *set == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

    #[test]
    fn without_more_than_an_address_the_defaults_are_those_of_the_specification() {
        let settings = read(&[BASE]).expect("can be used");
        assert_eq!(
            settings.endpoint.as_str(),
            "http://127.0.0.1:4318/v1/traces"
        );
        assert_eq!(settings.timeout, Duration::from_secs(10));
        assert_eq!(settings.delay, Duration::from_secs(5));
        assert_eq!((settings.queue_max, settings.batch_max), (2048, 512));
        assert!(matches!(settings.sampler, Sampler::AlwaysOn));
    }

    #[test]
    fn the_address_for_all_gets_the_path_and_that_of_traces_is_taken_as_it_is() {
        for (variable, value, url) in [
            (BASE.0, "http://c:4318/", "http://c:4318/v1/traces"),
            (BASE.0, "https://c/otlp?x=1", "https://c/otlp/v1/traces?x=1"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://c:4318",
                "http://c:4318/",
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://c/t",
                "http://c/t",
            ),
        ] {
            let settings = read(&[(variable, value)]).expect("can be used");
            assert_eq!(settings.endpoint.as_str(), url, "{value}");
        }
        let both = [BASE, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/t")];
        assert_eq!(
            read(&both).expect("can be used").endpoint.as_str(),
            "http://c/t"
        );
    }

    #[test]
    fn a_sampler_that_goes_by_the_parent_decides_as_for_a_root() {
        for (name, share, expected) in [
            ("always_on", None, "AlwaysOn"),
            ("parentbased_always_on", None, "AlwaysOn"),
            ("always_off", None, "AlwaysOff"),
            ("parentbased_always_off", Some("0.5"), "AlwaysOff"),
            ("traceidratio", None, "TraceIdRatioBased(1.0)"),
            ("traceidratio", Some("0.25"), "TraceIdRatioBased(0.25)"),
            (
                "parentbased_traceidratio",
                Some("0"),
                "TraceIdRatioBased(0.0)",
            ),
        ] {
            let mut set = vec![BASE, (SAMPLER, name)];
            set.extend(share.map(|share| (SAMPLER_ARG, share)));
            let settings = read(&set).expect("can be used");
            assert_eq!(format!("{:?}", settings.sampler), expected, "{name}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_with_its_variable_and_cure() {
        for (variable, value, words) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "write http/protobuf"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
                "http/json",
                "write http/protobuf",
            ),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "write none"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "write otlp"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "collector:4318",
                "write http://HOST:4318",
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "://",
                "write http://HOST:4318",
            ),
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://name:word@c:4318",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "from 1 to 600000"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                "10s",
                "from 1 to 600000",
            ),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "from 1 to 65536"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "from 1 to 65536"),
            ("OTEL_BSP_SCHEDULE_DELAY", "", "never refused"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote", "write always_on"),
            ("OTEL_TRACES_SAMPLER", "parentbased_", "write always_on"),
        ] {
            let read = read(&[BASE, (variable, value)]);
            if value.is_empty() {
                assert!(read.is_ok(), "{variable}");
                continue;
            }
            let error = read.expect_err(variable);
            assert_eq!(error.variable, variable);
            assert!(error.to_string().contains(words), "{error}");
        }
        for share in ["1.5", "-0.1", "NaN", "half"] {
            let set = [BASE, (SAMPLER, "traceidratio"), (SAMPLER_ARG, share)];
            let error = read(&set).expect_err(share);
            assert_eq!(
                error.to_string(),
                format!("{SAMPLER_ARG}: {share:?} is no share from 0 to 1")
            );
        }
    }

    /// A URL may hold a token.
    #[test]
    fn no_error_shows_the_address() {
        for value in [
            "ftp://c/secret-8f2k",
            "http://secret-8f2k:x@c",
            "secret-8f2k",
        ] {
            let error = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value)]);
            let error = error.expect_err(value).to_string();
            assert!(!error.contains("8f2k"), "{error}");
        }
    }
}
