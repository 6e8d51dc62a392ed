//! Output of the demo.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::choice::{Chosen, LATE, Trouble, present};
use super::story::{Action, Callback, Step, Story};
use super::told::Book;
use crate::commands::output::{print_line, print_wrapped};
use number_order::{Id, State, Time, counted};
use sinch_simulator::Simulator;

/// Minimum error of a time stamp that a story mentions, in microseconds.
const SKEW_MIN_MICROS: u64 = 100_000;

/// Prints a description of the play, and the addresses of the service and the simulator.
pub fn introduction(simulator: &Simulator, callbacks: &str, operators: &str) {
    let text = format!(
        "{} number orders at a simulated Sinch, seed {}: callbacks come late, twice, out of order or not at all; \
         the API is stale, slow, and fails.",
        simulator.final_states().len(),
        simulator.world().seed(),
    );
    print_wrapped("", &text);
    print_line(format_args!(
        "\n  \
         callbacks go to   {callbacks}\n  \
         operators' API    {operators}\n  \
         simulated Sinch   {}\n",
        simulator.api_url(),
    ));
}

/// Prints how many callbacks and fetches there were, and how many orders are at their end.
pub fn progress(simulator: &Simulator, agreeing: usize) {
    let stats = simulator.stats();
    let text = format!(
        "{} answered 200, {}, {agreeing} of {} orders at their end",
        counted(stats.acknowledged, "callback", "callbacks"),
        counted(stats.fetches, "fetch", "fetches"),
        stats.orders,
    );
    let lead = format!("  +{:.0} s  ", simulator.elapsed().as_secs_f64());
    print_wrapped(&format!("{lead:>9}"), &text);
}

/// Prints the chosen stories.
pub fn stories(chosen: &[Chosen<'_>]) {
    let text = "Some of the stories. Times count from the creation of the order. \"naive\" is a receiver that \
                believes the event that came last.";
    print_line("");
    print_wrapped("", text);
    for Chosen { trouble, story } in chosen {
        let title = trouble.map_or("all goes well", Trouble::title);
        print_line("");
        print_wrapped(
            "",
            &format!("Order {} ends {}: {title}", story.order, story.end),
        );
        for line in lines(story) {
            print_wrapped(&line.lead, &line.text);
        }
    }
    print_line("");
}

/// Line of a story: the time, the speaker, and the text.
struct Line {
    lead: String,
    text: String,
}

impl Line {
    fn new(at: &str, speaker: &str, text: String) -> Line {
        let lead = format!("{at:>9}  {speaker:<7}  ");
        Line { lead, text }
    }
}

/// Returns the lines of a story: its steps, and how it looks to the service and to a naive receiver in the end.
fn lines(story: &Story) -> Vec<Line> {
    let steps = story.steps.iter().enumerate();
    let mut lines: Vec<Line> = steps
        .map(|(index, step)| {
            let (before, _) = story.steps.split_at(index);
            let (speaker, text) = spoken(before, step, story.began_at);
            let at = format!("+{:.1} s", step.at.as_secs_f64());
            Line::new(&at, speaker, text)
        })
        .collect();
    lines.push(Line::new("end", "service", service_shows(story)));
    lines.push(Line::new("end", "naive", naive_shows(story)));
    lines
}

/// Returns the speaker and the text of a step.
fn spoken(before: &[Step], step: &Step, began_at: Time) -> (&'static str, String) {
    let trouble = Trouble::of(before, step);
    match &step.action {
        Action::Change { state, callback } => {
            let callback = match callback {
                Callback::None => ", without a callback".to_owned(),
                Callback::Lost => "; its callback is lost".to_owned(),
                Callback::Sent { skew_micros } => skewed(*skew_micros),
            };
            ("Sinch", format!("{state}{callback}"))
        }
        Action::Forget => ("Sinch", "forgets the order: 404 from here on".to_owned()),
        Action::Receive {
            state,
            made_at,
            decision,
        } => {
            let late = step.at.saturating_sub(*made_at);
            let late = if late < LATE {
                String::new()
            } else {
                format!(", {:.1} s late", late.as_secs_f64())
            };
            let overtaken = if trouble.is_some_and(Trouble::misleads) {
                ", overtaken"
            } else {
                ""
            };
            let (again, decision) = match decision {
                Some(decision) => ("", relative(decision, began_at)),
                None => (" again", "a duplicate changes nothing".to_owned()),
            };
            let text = format!("receives {state}{again}{late}{overtaken}; {decision}");
            ("service", text)
        }
        Action::Fetch { outcome, .. } => {
            let outcome = relative(outcome, began_at);
            let but = present(before)
                .filter(|_| trouble == Some(Trouble::Outdated))
                .map(|state| format!(" (outdated: it is {state})"));
            let but = but.unwrap_or_default();
            ("service", format!("fetches; {outcome}{but}"))
        }
    }
}

/// Describes the error of a time stamp, if it is large enough to matter.
fn skewed(micros: i64) -> String {
    let off = micros.unsigned_abs();
    if off < SKEW_MIN_MICROS {
        return String::new();
    }
    let way = if micros > 0 { "ahead" } else { "behind" };
    let off = Duration::from_micros(off).as_secs_f64();
    format!("; its callback bears a time {off:.1} s {way}")
}

/// Returns the text with every time in it as an offset from the story's beginning.
fn relative(text: &str, began_at: Time) -> String {
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ';', ':', '.', ')']);
        let (_, end) = word.split_at(bare.len());
        match bare.parse::<Timestamp>() {
            Ok(at) => format!("{}{end}", offset(at.into(), began_at)),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn offset(at: Time, began_at: Time) -> String {
    if at < began_at {
        format!("-{:.1} s", began_at.since(at).as_secs_f64())
    } else {
        format!("+{:.1} s", at.since(began_at).as_secs_f64())
    }
}

/// Returns the line on what the service shows in the end.
fn service_shows(story: &Story) -> String {
    match story.confirmed {
        None => "shows no confirmed state: not done yet".to_owned(),
        Some(state) => {
            let verdict = if story.is_agreed() { "right" } else { "wrong" };
            format!("shows {state}, confirmed: {verdict}")
        }
    }
}

/// Returns the line on what a receiver that believes the last event shows in the end.
fn naive_shows(story: &Story) -> String {
    let Some(state) = story.last_received() else {
        return "shows nothing: wrong".to_owned();
    };
    let misled_for = story.misled_for();
    if story.is_misleading() {
        format!("shows {state}: wrong, and stays so")
    } else if misled_for >= LATE {
        let secs = misled_for.as_secs_f64();
        format!("shows {state}: right, but was wrong for {secs:.1} s")
    } else {
        format!("shows {state}: right")
    }
}

/// Prints the totals of the play.
pub fn totals(simulator: &Simulator, stories: &[Story], parked: u64) {
    let stats = simulator.stats();
    let misled = stories.iter().filter(|story| story.is_misleading()).count();
    let text = format!(
        "Sinch made {} events: {} lost, {} sent twice, {} late. {} answered 200, {} of them after one of a later \
         event. {} parked. The service fetched {}. In the end a naive receiver is wrong about {misled} of {} orders.",
        stats.events,
        stats.lost,
        stats.duplicated,
        stats.delayed,
        counted(stats.acknowledged, "callback was", "callbacks were"),
        stats.overtaken,
        counted(
            parked,
            "could not be read and is",
            "could not be read and are"
        ),
        counted(stats.fetches, "time", "times"),
        stories.len(),
    );
    print_wrapped("", &text);
    print_line("");
    for story in stories.iter().filter(|story| !story.is_agreed()) {
        let shown = service_shows(story);
        let text = format!(
            "Order {} is {} at Sinch; the service {shown}",
            story.order, story.end
        );
        print_wrapped("", &text);
    }
    let agreeing = stories.iter().filter(|story| story.is_agreed()).count();
    print_line(format_args!(
        "{agreeing} of {} orders agree with Sinch",
        stories.len()
    ));
}

/// Prints what the demo's target was told, and how right it is.
pub fn told(book: &Book, ends: &BTreeMap<Id, State>) {
    let text = format!(
        "A system of your own would be a target, and the demo has one. It was told {} changes: {} of them without a good \
         signature, {} after a later one of the same order. It writes down what it is told, and is right about {} of {} \
         orders.",
        book.genuine + book.unsigned,
        book.unsigned,
        book.out_of_sequence,
        book.agreeing(ends),
        ends.len(),
    );
    print_wrapped("", &text);
    print_line("");
}
