//! Choice of the stories that are printed: different troubles, and different ends.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::story::{Action, Callback, Step, Story};
use number_order::State;

/// Maximum number of stories.
const STORIES_MAX: usize = 5;

/// Delay beyond which a callback counts as late.
pub const LATE: Duration = Duration::from_secs(1);

/// Trouble that a step shows. The most telling kinds come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A duplicate arrives after the event of a later change.
    OldDuplicate,
    /// An event arrives after the event of a later change.
    Overtaken,
    /// A fetch shows a change whose callback was lost, before any later event.
    LostFound,
    /// A fetch shows no state, since Sinch has forgotten the order.
    Forgotten,
    /// A fetch shows a state that the order has left already.
    Outdated,
    /// A fetch shows no state, though Sinch has the order.
    Failed,
    /// An event arrives late.
    Late,
}

impl Trouble {
    /// Returns the title of a story that shows the trouble.
    pub fn title(self) -> &'static str {
        match self {
            Trouble::OldDuplicate => "an old duplicate comes",
            Trouble::Overtaken => "an event is overtaken",
            Trouble::LostFound => "a fetch finds what was lost",
            Trouble::Forgotten => "Sinch forgets the order",
            Trouble::Outdated => "an answer is outdated",
            Trouble::Failed => "a fetch shows nothing",
            Trouble::Late => "a callback is late",
        }
    }

    /// Returns `true` if, because of the trouble, the last event that arrives can be an old one.
    pub fn misleads(self) -> bool {
        matches!(self, Trouble::OldDuplicate | Trouble::Overtaken)
    }

    /// Returns the trouble that a step shows after the steps before it.
    pub fn of(before: &[Step], step: &Step) -> Option<Trouble> {
        match &step.action {
            Action::Change { .. } | Action::Forget => None,
            Action::Receive {
                made_at, decision, ..
            } => {
                let is_first = decision.is_some();
                if newest_reported_at(before) > Some(*made_at) {
                    let trouble = if is_first {
                        Trouble::Overtaken
                    } else {
                        Trouble::OldDuplicate
                    };
                    Some(trouble)
                } else {
                    let is_late = step.at.saturating_sub(*made_at) >= LATE;
                    (is_first && is_late).then_some(Trouble::Late)
                }
            }
            Action::Fetch { state, .. } => match (state, present(before)) {
                (None, None) => Some(Trouble::Forgotten),
                (None, Some(_)) => Some(Trouble::Failed),
                (Some(shown), Some(present)) if *shown != present => Some(Trouble::Outdated),
                (Some(_), _) => is_newest_callback_lost(before).then_some(Trouble::LostFound),
            },
        }
    }
}

/// Returns the state in which the order is at Sinch after the given steps; `None` if Sinch has no such order.
pub fn present(steps: &[Step]) -> Option<State> {
    let last = steps.iter().rev().find_map(|step| match step.action {
        Action::Change { state, .. } => Some(Some(state)),
        Action::Forget => Some(None),
        Action::Receive { .. } | Action::Fetch { .. } => None,
    });
    last.flatten()
}

/// Returns the offset of the latest change that an event has reported.
fn newest_reported_at(steps: &[Step]) -> Option<Duration> {
    let reported = steps.iter().filter_map(|step| match step.action {
        Action::Receive { made_at, .. } => Some(made_at),
        Action::Change { .. } | Action::Forget | Action::Fetch { .. } => None,
    });
    reported.max()
}

/// Returns `true` if the callback of the latest change was lost.
fn is_newest_callback_lost(steps: &[Step]) -> bool {
    let latest = steps.iter().rev().find_map(|step| match step.action {
        Action::Change { callback, .. } => Some(callback),
        Action::Forget | Action::Receive { .. } | Action::Fetch { .. } => None,
    });
    latest == Some(Callback::Lost)
}

/// Story that is printed, and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// Trouble for which the story was chosen; `None` if all goes well in it.
    pub trouble: Option<Trouble>,
    pub story: &'a Story,
}

/// Chooses the stories: one for each state in which orders end, then others for troubles that the first ones do not
/// show.
pub fn choose(stories: &[Story]) -> Vec<Chosen<'_>> {
    let mut ends: BTreeMap<State, usize> = BTreeMap::new();
    for story in stories {
        *ends.entry(story.end).or_default() += 1;
    }
    // The state in which the fewest orders end has the fewest stories to choose from.
    let mut ends: Vec<(State, usize)> = ends.into_iter().collect();
    ends.sort_by_key(|(_, orders)| *orders);
    let mut chosen = Vec::new();
    for (end, _) in ends {
        let best = best(stories, &chosen, |story| story.end == end);
        chosen.extend(best);
    }
    while chosen.len() < STORIES_MAX
        && let Some(next) = best(stories, &chosen, |_| true).filter(|next| is_new(&chosen, next))
    {
        chosen.push(next);
    }
    chosen.sort_by_key(|chosen| chosen.story.began_at);
    chosen
}

/// Returns the most telling of the stories that `is_wanted` accepts and that are not chosen yet: one that shows a new
/// trouble and, if its trouble can, misleads a naive receiver. Of two alike, the shorter one.
fn best<'a>(
    stories: &'a [Story],
    chosen: &[Chosen<'a>],
    is_wanted: impl Fn(&Story) -> bool,
) -> Option<Chosen<'a>> {
    let is_chosen = |story: &Story| chosen.iter().any(|other| other.story.order == story.order);
    let open = stories
        .iter()
        .filter(|story| is_wanted(story) && !is_chosen(story));
    let choices = open.flat_map(|story| {
        let mut shown: Vec<Option<Trouble>> = troubles(story).into_iter().map(Some).collect();
        if shown.is_empty() {
            shown.push(None);
        }
        shown
            .into_iter()
            .map(move |trouble| Chosen { trouble, story })
    });
    choices.max_by_key(|choice| {
        (
            is_new(chosen, choice),
            choice.trouble.is_some_and(Trouble::misleads) && choice.story.is_misleading(),
            choice.trouble.map(Reverse),
            Reverse(choice.story.steps.len()),
        )
    })
}

fn is_new(chosen: &[Chosen<'_>], choice: &Chosen<'_>) -> bool {
    chosen.iter().all(|other| other.trouble != choice.trouble)
}

/// Returns every trouble in a story.
fn troubles(story: &Story) -> Vec<Trouble> {
    let steps = story.steps.iter().enumerate();
    steps
        .filter_map(|(index, step)| Trouble::of(&story.steps[..index], step))
        .collect()
}
