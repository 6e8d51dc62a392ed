//! Which events a target is told.

use super::{EventType, TypePattern};
use number_order::{Id, State};

/// Choice of the events that a target is told. An empty list excludes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Types that the target is told.
    pub types: Vec<TypePattern>,
    /// `true`: the target is also told what only Sinch's events claim, and what becomes of it.
    pub provisional: bool,
    /// Projects of which the target is told.
    pub projects: Vec<Id>,
    /// Regions of orders of which the target is told, in capitals. An order whose region is not known yet is of none.
    pub regions: Vec<String>,
    /// States of orders of which the target is told. An event without a state is told.
    pub states: Vec<State>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHead<'a> {
    /// Type of the event.
    pub event_type: EventType,
    /// `true` if the event is about a provisional state alone: an event of Sinch's claims it, or it is withdrawn.
    pub provisional: bool,
    /// Project that the event is about; `None`: it is about the whole service.
    pub project: Option<&'a Id>,
    /// Region of the order that the event is about, if one is known.
    pub region: Option<&'a str>,
    /// State of the order that the event is about, if one is known.
    pub state: Option<State>,
}

impl Filter {
    /// Returns `true` if the target is told the event.
    pub fn wants(&self, event: &EventHead) -> bool {
        let types = &self.types;
        let is_of_type = types.is_empty() || types.iter().any(|one| one.matches(event.event_type));
        is_of_type
            && (self.provisional || !event.provisional)
            && event
                .project
                .is_none_or(|project| allows(&self.projects, Some(project)))
            && event
                .state
                .is_none_or(|state| allows(&self.states, Some(&state)))
            && self.allows_region(event)
    }

    fn allows_region(&self, event: &EventHead) -> bool {
        let is_about_order = event.project.is_some() && event.state.is_some();
        let region = event.region.map(str::to_uppercase);
        !is_about_order && region.is_none() || allows(&self.regions, region.as_ref())
    }
}

/// Returns `true` if the list is empty or has the value.
fn allows<T: PartialEq>(list: &[T], value: Option<&T>) -> bool {
    list.is_empty() || value.is_some_and(|value| list.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_what_its_filter_asks_for() {
        let project = Id::new("p1").expect("an id");
        let other = Id::new("p2").expect("an id");
        let event = EventHead {
            event_type: EventType::OrderBlocked,
            provisional: false,
            project: Some(&project),
            region: Some("AU"),
            state: Some(State::Blocked),
        };
        let types = |text| Filter {
            types: vec![TypePattern::new(text).expect("a pattern")],
            ..Filter::default()
        };
        let projects = |project: &Id| Filter {
            projects: vec![project.clone()],
            ..Filter::default()
        };
        let regions = |region: &str| Filter {
            regions: vec![region.to_owned()],
            ..Filter::default()
        };
        let states = |state| Filter {
            states: vec![state],
            ..Filter::default()
        };
        for (filter, wanted) in [
            (Filter::default(), true),
            (types("order.*"), true),
            (types("order.blocked"), true),
            (types("number.*"), false),
            (projects(&project), true),
            (projects(&other), false),
            (regions("AU"), true),
            (regions("GB"), false),
            (states(State::Blocked), true),
            (states(State::Completed), false),
        ] {
            assert_eq!(filter.wants(&event), wanted, "{filter:?}");
        }
        let claimed = EventHead {
            provisional: true,
            ..event
        };
        let both = Filter {
            provisional: true,
            ..Filter::default()
        };
        assert!(!Filter::default().wants(&claimed));
        assert!(both.wants(&claimed) && both.wants(&event));
        let regionless = EventHead {
            region: None,
            ..event
        };
        assert!(!regions("AU").wants(&regionless));
    }

    #[test]
    fn what_concerns_the_whole_service_is_told_whatever_orders_a_target_asks_for() {
        let event = EventHead {
            event_type: EventType::AlertFired,
            provisional: false,
            project: None,
            region: None,
            state: None,
        };
        let filter = Filter {
            types: Vec::new(),
            provisional: false,
            projects: vec![Id::new("p1").expect("an id")],
            regions: vec!["AU".to_owned()],
            states: vec![State::Blocked],
        };
        assert!(filter.wants(&event));
    }
}
