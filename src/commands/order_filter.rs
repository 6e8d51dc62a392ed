//! Options that choose orders: the filters of the operators' API.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use number_order::{AlertKind, ParkReason, Readiness, State};
use strum::VariantNames;

use super::moment::Moment;
use super::pages::Params;

/// Word for the state of orders of which no state was ever said.
const UNKNOWN: &str = "UNKNOWN";

/// Word for numbers that have long not been ready.
const LATE: &str = "late";

/// Filter of orders. What several options ask for must all hold.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OrderFilter {
    /// Only in this state.
    #[arg(long, value_name = "STATE", value_parser = states(), ignore_case = true)]
    state: Option<String>,
    /// Only of this project.
    #[arg(long, value_name = "ID")]
    pub(super) project: Option<String>,
    /// Only those that are parked; with =false, those that are not.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    parked: Option<bool>,
    /// Only those that are parked for this reason.
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(ParkReason::VARIANTS))]
    park_reason: Option<String>,
    /// Only those that are settled; with =false, those of which something is open.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    settled: Option<bool>,
    /// Only those with an alert of this kind that fires now.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(AlertKind::VARIANTS))]
    alert: Option<String>,
    /// Only of this region, such as AU.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only those with a number in which these digits stand.
    #[arg(long, value_name = "DIGITS")]
    number: Option<String>,
    /// Only those with a number of this readiness.
    #[arg(long, value_name = "READINESS", value_parser = readiness())]
    readiness: Option<String>,
    /// Only those whose state changed at this time or later: a time such as 2026-01-31T12:00:00Z, or so long ago, such as
    /// 30min, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    changed_since: Option<Moment>,
}

fn states() -> impl TypedValueParser<Value = String> {
    let states = State::ALL.map(State::as_str).into_iter();
    PossibleValuesParser::new(states.chain([UNKNOWN])).map(|state| state.to_uppercase())
}

fn readiness() -> PossibleValuesParser {
    PossibleValuesParser::new(Readiness::VARIANTS.iter().copied().chain([LATE]))
}

impl OrderFilter {
    /// Returns the parameters of the list of orders.
    pub fn params(&self) -> Params<'_> {
        vec![
            ("state", self.state.as_deref()),
            ("project", self.project.as_deref()),
            ("parked", self.parked.map(word)),
            ("park_reason", self.park_reason.as_deref()),
            ("settled", self.settled.map(word)),
            ("alert", self.alert.as_deref()),
            ("region", self.region.as_deref()),
            ("number", self.number.as_deref()),
            ("readiness", self.readiness.as_deref()),
            (
                "changed_since",
                self.changed_since.as_ref().map(Moment::text),
            ),
        ]
    }

    /// Returns `true` if an option beside the project chooses.
    pub fn chooses(&self) -> bool {
        let mut params = self.params().into_iter();
        params.any(|(name, value)| name != "project" && value.is_some())
    }
}

/// Returns the word that the API has for a flag.
pub(super) fn word(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: OrderFilter,
    }

    fn set(arguments: &[&str]) -> Vec<(&'static str, String)> {
        let line = [&["x"], arguments].concat();
        let filter = Line::try_parse_from(line).expect("arguments").filter;
        let params = filter.params().into_iter();
        let set = params.filter_map(|(name, value)| Some((name, value?.to_owned())));
        set.collect()
    }

    #[test]
    fn each_option_is_a_parameter_of_the_list() {
        for (arguments, name, value) in [
            (&["--state", "blocked"][..], "state", "BLOCKED"),
            (&["--parked"], "parked", "true"),
            (&["--parked=false"], "parked", "false"),
            (&["--settled=false"], "settled", "false"),
            (&["--readiness", "late"], "readiness", "late"),
            (&["--alert", "overdue"], "alert", "overdue"),
            (
                &["--changed-since", "2026-01-31T13:00:00+01:00"],
                "changed_since",
                "2026-01-31T12:00:00Z",
            ),
        ] {
            assert_eq!(set(arguments), [(name, value.to_owned())], "{arguments:?}");
        }
        for bad in [
            ["--state", "DONE"],
            ["--readiness", "soon"],
            ["--alert", "x"],
            ["--changed-since", "lately"],
        ] {
            assert!(
                Line::try_parse_from(["x", bad[0], bad[1]]).is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_project_alone_chooses_no_order_among_those_of_the_project() {
        let filter = |arguments: &[&str]| {
            let line = [&["x"], arguments].concat();
            Line::try_parse_from(line).expect("arguments").filter
        };
        assert!(!filter(&[]).chooses());
        assert!(!filter(&["--project", "p"]).chooses());
        assert!(filter(&["--parked"]).chooses());
    }
}
