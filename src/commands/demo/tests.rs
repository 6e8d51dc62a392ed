use std::collections::BTreeSet;
use std::time::Duration;

use number_order::{Id, State, Time};

use super::choice::{Trouble, choose};
use super::story::{Action, Callback, Step, Story};

fn at(secs: u64, action: Action) -> Step {
    let at = Duration::from_secs(secs);
    Step { at, action }
}

fn change(secs: u64, state: State) -> Step {
    let callback = Callback::Sent { skew_micros: 0 };
    at(secs, Action::Change { state, callback })
}

fn lost(secs: u64, state: State) -> Step {
    let callback = Callback::Lost;
    at(secs, Action::Change { state, callback })
}

fn receive(secs: u64, state: State, made: u64, is_first: bool) -> Step {
    let made_at = Duration::from_secs(made);
    let decision = is_first.then(|| "decided".to_owned());
    at(
        secs,
        Action::Receive {
            state,
            made_at,
            decision,
        },
    )
}

fn fetch(secs: u64, state: Option<State>) -> Step {
    let outcome = "answered".to_owned();
    at(secs, Action::Fetch { state, outcome })
}

fn story(id: &str, end: State, steps: Vec<Step>) -> Story {
    Story {
        order: Id::new(id).expect("plain characters"),
        end,
        confirmed: Some(end),
        began_at: Time(0),
        steps,
    }
}

/// Makes the story of an order with an event that arrives twice, and a later event between the two.
fn duplicated(id: &str) -> Story {
    let steps = vec![
        change(0, State::InReview),
        receive(1, State::InReview, 0, true),
        change(4, State::Completed),
        receive(7, State::Completed, 4, true),
        receive(9, State::InReview, 0, false),
    ];
    story(id, State::Completed, steps)
}

#[test]
fn the_last_event_misleads_where_it_is_not_about_the_present_state() {
    let mut story = duplicated("o1");
    assert_eq!(story.last_received(), Some(State::InReview));
    assert!(story.is_misleading());
    assert_eq!(story.misled_for(), Duration::from_secs(3));
    story.steps.pop();
    assert_eq!(story.last_received(), Some(State::Completed));
    assert!(!story.is_misleading());
    story.steps.push(at(12, Action::Forget));
    assert_eq!(story.misled_for(), Duration::from_secs(3));
    story.steps.clear();
    assert!(story.is_misleading());
    assert_eq!(story.misled_for(), Duration::ZERO);
}

#[test]
fn an_order_agrees_where_its_end_is_confirmed() {
    let mut story = duplicated("o1");
    assert!(story.is_agreed());
    for other in [None, Some(State::InReview)] {
        story.confirmed = other;
        assert!(!story.is_agreed());
    }
}

#[test]
fn a_step_shows_its_trouble() {
    let (review, done) = (State::InReview, State::Completed);
    let both = || vec![change(0, review), change(4, done)];
    let and = |mut steps: Vec<Step>, step| {
        steps.push(step);
        steps
    };
    let announced = || and(both(), receive(4, done, 4, true));
    let gone = || and(both(), at(5, Action::Forget));
    let found = || vec![change(0, review), lost(4, done)];
    for (before, step, trouble) in [
        (both(), receive(1, review, 0, true), Some(Trouble::Late)),
        (both(), receive(0, review, 0, true), None),
        (both(), receive(1, review, 0, false), None),
        (
            announced(),
            receive(5, review, 0, true),
            Some(Trouble::Overtaken),
        ),
        (
            announced(),
            receive(5, review, 0, false),
            Some(Trouble::OldDuplicate),
        ),
        (announced(), receive(5, done, 4, false), None),
        (both(), fetch(5, Some(done)), None),
        (both(), fetch(5, Some(review)), Some(Trouble::Outdated)),
        (both(), fetch(5, None), Some(Trouble::Failed)),
        (gone(), fetch(6, None), Some(Trouble::Forgotten)),
        (found(), fetch(5, Some(done)), Some(Trouble::LostFound)),
        (found(), fetch(5, Some(review)), Some(Trouble::Outdated)),
        (found(), change(5, review), None),
    ] {
        assert_eq!(
            Trouble::of(&before, &step),
            trouble,
            "{step:?} after {before:?}"
        );
    }
}

#[test]
fn the_stories_end_differently_and_show_different_troubles() {
    let ends = |end| vec![change(0, end), receive(0, end, 0, true)];
    let mut stories: Vec<Story> = ["o1", "o2", "o3"].map(duplicated).into();
    stories.push(story("o4", State::Expired, ends(State::Expired)));
    stories.push(story("o5", State::Expired, ends(State::Expired)));
    let found = vec![lost(0, State::Completed), fetch(1, Some(State::Completed))];
    stories.push(story("o6", State::Completed, found));
    stories.push(story("o7", State::Rejected, ends(State::Rejected)));
    let chosen = choose(&stories);
    let shown: BTreeSet<_> = chosen
        .iter()
        .map(|chosen| (chosen.story.end, chosen.trouble))
        .collect();
    assert_eq!(
        shown,
        BTreeSet::from([
            (State::Completed, Some(Trouble::OldDuplicate)),
            (State::Completed, Some(Trouble::LostFound)),
            (State::Completed, Some(Trouble::Late)),
            (State::Rejected, None),
            // There is no other story of this end.
            (State::Expired, None),
        ])
    );
    let orders: BTreeSet<_> = chosen.iter().map(|chosen| &chosen.story.order).collect();
    assert_eq!(orders.len(), 5, "{orders:?}");
}
