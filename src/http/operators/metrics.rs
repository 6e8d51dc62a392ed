//! The list of figures for monitoring, as OpenMetrics text, or in Prometheus's older form.
//!
//! The text is made on request, from the same figures as `/status`. Labels are closed sets: states, reasons, alerts,
//! projects, targets. An order's id is never a label.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use axum::http::{HeaderMap, header};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::figures::{API_FIGURES, FIGURES, Figure, FigureSource, Reading, SECRET_FIGURES};
use super::process;
use super::targets::TARGET_FIGURES;

/// Form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus's own text, version 0.0.4.
    Prometheus,
}

impl Form {
    /// Returns the form that a request accepts: the older one only where OpenMetrics is not among what it names.
    pub(super) fn accepted(headers: &HeaderMap) -> Form {
        let accept = headers.get_all(header::ACCEPT).iter();
        let named: Vec<&[u8]> = accept.map(|value| value.as_bytes()).collect();
        let names = |what: &[u8]| {
            let mut named = named.iter();
            named.any(|value| value.windows(what.len()).any(|part| part == what))
        };
        if names(b"text/plain") && !names(b"application/openmetrics-text") {
            Form::Prometheus
        } else {
            Form::OpenMetrics
        }
    }

    /// Returns the media type of the text.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Returns an OpenMetrics text in Prometheus's older form, in which a counter's whole name stands in its description, and
/// which has no end and no units.
fn as_prometheus(text: &str) -> String {
    let counter = |line: &str| {
        let name = line.strip_prefix("# TYPE ")?.strip_suffix(" counter")?;
        Some(name.to_owned())
    };
    let counters: HashSet<String> = text.lines().filter_map(counter).collect();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF");
    let lines = lines.map(|line| {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                format!("# {what} {name}_total {rest}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// Labels of a sample: the name and the value of each.
type Labels = Vec<(&'static str, String)>;

/// Returns all figures as text.
pub(super) fn text(source: &FigureSource, form: Form) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("sinch_callbacks");
    let build = Family::<Labels, Gauge>::default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    build.get_or_create(&vec![("version", version)]).set(1);
    registry.register("build_info", "Version that runs", build);
    for figure in FIGURES {
        register_figure(&mut registry, "", figure, (figure.read)(source));
    }
    let views = source.metrics.api_views();
    for figure in API_FIGURES {
        let views = views.iter();
        let readings = views.map(|(project, view)| (project.clone(), (figure.read)(view)));
        let reading = Reading::By("project", readings.collect());
        register_figure(&mut registry, "api_", figure, reading);
    }
    let views = source.metrics.secrets().views();
    for figure in SECRET_FIGURES {
        let views = views.iter();
        let readings = views.map(|(project, view)| (project.clone(), (figure.read)(view)));
        let reading = Reading::By("project", readings.collect());
        register_figure(&mut registry, "secret_", figure, reading);
    }
    for figure in TARGET_FIGURES {
        let targets = source.targets.iter();
        let readings = targets.map(|view| (view.row.name.clone(), (figure.read)(view)));
        let reading = Reading::By("target", readings.collect());
        register_figure(&mut registry, "target_", figure, reading);
    }
    for spans in source.metrics.spans().all() {
        registry.register(spans.name, spans.help, spans.histogram());
    }
    let mut text = String::new();
    encode_registry(&mut text, &registry)?;
    encode_registry(&mut text, &process::registry())?;
    encode_eof(&mut text)?;
    Ok(match form {
        Form::OpenMetrics => text,
        Form::Prometheus => as_prometheus(&text),
    })
}

fn register_figure<F>(registry: &mut Registry, prefix: &str, figure: &Figure<F>, reading: Reading) {
    let (help, key) = (figure.help, format!("{prefix}{}", figure.key));
    match as_sample(reading) {
        Sample::None => {}
        Sample::Gauge(unit, value) => {
            registry.register(gauge_name(&key, unit), help, ConstGauge::new(value));
        }
        Sample::Counter(count) => registry.register(key, help, ConstCounter::new(count)),
        Sample::By(label, readings) => register_by_label(registry, &key, help, label, readings),
    }
}

/// Registers a metric family with labels. Its samples are of one kind, and unknown values are left out.
fn register_by_label(
    registry: &mut Registry,
    key: &str,
    help: &str,
    label: &'static str,
    readings: Vec<(String, Reading)>,
) {
    let mut samples = Vec::new();
    add_labelled(&Vec::new(), label, readings, &mut samples);
    let gauges = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    let counters = Family::<Labels, Counter>::default();
    let (mut unit, mut counts) = (None, false);
    for (labels, sample) in samples {
        match sample {
            Sample::Gauge(its_unit, number) => {
                unit = Some(its_unit);
                gauges.get_or_create(&labels).set(number);
            }
            Sample::Counter(count) => {
                counts = true;
                counters.get_or_create(&labels).inc_by(count);
            }
            Sample::None | Sample::By(..) => {}
        }
    }
    match unit {
        Some(unit) => registry.register(gauge_name(key, unit), help, gauges),
        None if counts => registry.register(key, help, counters),
        None => {}
    }
}

/// Adds the samples of readings by a label, each with its labels: a reading can be one by a further label.
fn add_labelled(
    before: &Labels,
    label: &'static str,
    readings: Vec<(String, Reading)>,
    samples: &mut Vec<(Labels, Sample)>,
) {
    for (value, reading) in readings {
        let mut labels = before.clone();
        labels.push((label, value));
        match as_sample(reading) {
            Sample::By(label, readings) => add_labelled(&labels, label, readings, samples),
            sample => samples.push((labels, sample)),
        }
    }
}

/// A reading of a figure, in the form that OpenMetrics has.
enum Sample {
    /// No sample: the value is not known.
    None,
    /// A value that goes up and down.
    Gauge(Unit, f64),
    /// A count since the start of the service.
    Counter(u64),
    /// One reading for each value of the named label.
    By(&'static str, Vec<(String, Reading)>),
}

/// Unit with which a gauge's name ends.
#[derive(Clone, Copy)]
enum Unit {
    /// No suffix: the gauge has no unit, or its key ends with the unit.
    Plain,
    /// Suffix `_seconds`, for a span.
    Seconds,
    /// Suffix `_age_seconds`, for the time since an event.
    Age,
    /// Suffix `_timestamp_seconds`, for a time since 1970.
    Timestamp,
}

fn as_sample(reading: Reading) -> Sample {
    let flag = |is_so: bool| Sample::Gauge(Unit::Plain, f64::from(u8::from(is_so)));
    match reading {
        Reading::Count(number) | Reading::Bytes(Some(number)) => {
            Sample::Gauge(Unit::Plain, number as f64)
        }
        Reading::Tally(count) => Sample::Counter(count.count),
        Reading::Total(count) => Sample::Counter(count),
        Reading::Secs(secs) => Sample::Gauge(Unit::Seconds, secs as f64),
        Reading::Span(secs) => Sample::Gauge(Unit::Seconds, secs),
        Reading::Since(at, now) => {
            let age = at.map_or(0.0, |at| now.since(at).as_secs_f64());
            Sample::Gauge(Unit::Age, age)
        }
        Reading::At(Some(at)) => Sample::Gauge(Unit::Timestamp, at.0 as f64 / 1e6),
        Reading::Flag(Some(is_so)) => flag(is_so),
        Reading::At(None) | Reading::Flag(None) | Reading::Bytes(None) => Sample::None,
        Reading::Fault(fault) => flag(fault.is_some()),
        Reading::List(all) => Sample::Gauge(Unit::Plain, all.len() as f64),
        Reading::By(label, readings) => Sample::By(label, readings),
    }
}

/// Returns the name of a gauge, with its unit as a whole word, as OpenMetrics has it.
fn gauge_name(key: &str, unit: Unit) -> String {
    let key = key.replace('.', "_");
    let stem = ["_secs", "_at"]
        .iter()
        .find_map(|ending| key.strip_suffix(ending));
    let stem = stem.unwrap_or(&key);
    match unit {
        Unit::Plain => key,
        Unit::Seconds => format!("{stem}_seconds"),
        Unit::Age => format!("{stem}_age_seconds"),
        Unit::Timestamp => format!("{stem}_timestamp_seconds"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_older_form_is_for_those_who_do_not_know_the_newer_one() {
        for (accept, form) in [
            (
                "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1",
                Form::OpenMetrics,
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", Form::Prometheus),
            ("*/*", Form::OpenMetrics),
            ("text/html", Form::OpenMetrics),
        ] {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Form::accepted(&headers), form, "{accept}");
        }
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::OpenMetrics);
    }

    #[test]
    fn the_older_form_has_whole_names_and_no_end() {
        let text = "# HELP a How often.\n# TYPE a counter\na_total{b=\"c d\"} 1\n# HELP x Bytes\n# TYPE x gauge\n\
                    # UNIT x bytes\nx 2\n# EOF\n";
        let expected = "# HELP a_total How often.\n# TYPE a_total counter\na_total{b=\"c d\"} 1\n# HELP x Bytes\n\
                        # TYPE x gauge\nx 2\n";
        assert_eq!(as_prometheus(text), expected);
    }
}
