//! Variables by which OpenTelemetry is configured, as its specification names them.

/// Variable whose value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {fault}")]
pub struct VariableError {
    /// Name of the variable.
    pub variable: &'static str,
    /// What is wrong with its value, and what would be right.
    pub fault: String,
}

/// Variables with the address of a collector: that of traces comes first, and is taken as it is.
pub(super) const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Variable with the kind of exporter.
pub(super) const EXPORTER: &str = "OTEL_TRACES_EXPORTER";

/// Returns the first of the variables that is set, with its value. One that is empty counts as not set.
pub(super) fn first_set(
    variable: impl Fn(&str) -> Option<String>,
    names: &[&'static str],
) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        let value = variable(name)?.trim().to_owned();
        (!value.is_empty()).then_some((*name, value))
    })
}

/// Returns `true` if the variables ask for traces: one names a collector, and none switches traces off.
pub(super) fn ask_for_traces(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name, word: &str| {
        first_set(&variable, &[name]).is_some_and(|(_, value)| value.eq_ignore_ascii_case(word))
    };
    first_set(&variable, &ENDPOINTS).is_some()
        && !is("OTEL_SDK_DISABLED", "true")
        && !is(EXPORTER, "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_asked_for_by_an_address_that_nothing_switches_off() {
        let here = "http://127.0.0.1:4318";
        for (set, asked) in [
            (&[][..], false),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", here)], true),
            (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", here)], true),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], false),
            (&[("OTEL_TRACES_EXPORTER", "otlp")], false),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", here),
                    ("OTEL_SDK_DISABLED", "TRUE"),
                ],
                false,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", here),
                    ("OTEL_SDK_DISABLED", "false"),
                ],
                true,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", here),
                    ("OTEL_TRACES_EXPORTER", "none"),
                ],
                false,
            ),
        ] {
            let variable = |name: &str| {
                let mut all = set.iter();
                let found = all.find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(ask_for_traces(variable), asked, "{set:?}");
        }
    }
}
