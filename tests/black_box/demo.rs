//! The demo needs nothing, and succeeds; it places an order, and so can its reader; its output is readable, in the order of events, and true.

use std::collections::BTreeSet;
use std::process::Command;

use testkit::{ALLOWED, Connection, Ended, Output, PATIENCE, Process, Request, Signal, within};

/// Column in which the text of a story's line begins.
const TEXT: usize = 20;

/// A story as it was printed.
#[derive(Debug, Default)]
struct Story {
    /// State in which the order ends.
    end: String,
    /// Trouble that the story shows.
    title: String,
    steps: Vec<Step>,
}

/// A line of a story, with the lines that continue it.
#[derive(Debug)]
struct Step {
    /// Time of the line: `+1.2 s`, or `end`.
    at: String,
    speaker: String,
    text: String,
}

impl Step {
    fn new(line: &str) -> Step {
        let (lead, text) = line.split_at_checked(TEXT).expect("a lead");
        let (at, speaker) = lead.split_at(9);
        Step {
            at: at.trim().to_owned(),
            speaker: speaker.trim().to_owned(),
            text: text.to_owned(),
        }
    }

    /// Seconds since the order's creation.
    fn secs(&self) -> Option<f64> {
        self.at.strip_prefix('+')?.strip_suffix(" s")?.parse().ok()
    }

    /// Returns the state that the step is about, if the given speaker did the given thing.
    fn state(&self, speaker: &str, did: &str) -> Option<&str> {
        let text = self.text.strip_prefix(did)?;
        let end = text.find(|c: char| !c.is_ascii_uppercase() && c != '_');
        (self.speaker == speaker).then(|| &text[..end.unwrap_or(text.len())])
    }
}

/// Returns the stories in the demo's output.
fn stories(out: &str) -> Vec<Story> {
    let mut stories = Vec::new();
    let mut lines = out.lines();
    while let Some(line) = lines.next() {
        let Some((_, heading)) = line
            .split_once(" ends ")
            .filter(|_| line.starts_with("Order "))
        else {
            continue;
        };
        let (end, title) = heading.split_once(": ").expect("a title");
        let mut story = Story {
            end: end.to_owned(),
            title: title.to_owned(),
            steps: Vec::new(),
        };
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            match (line.strip_prefix(&" ".repeat(TEXT)), story.steps.last_mut()) {
                (Some(more), Some(step)) => step.text += &format!(" {more}"),
                _ => story.steps.push(Step::new(line)),
            }
        }
        stories.push(story);
    }
    stories
}

/// Returns `true` if the text has a date or a time of day, such as `2026-11` or `19:30`.
fn has_absolute_time(text: &str) -> bool {
    let like = |pattern: &str| {
        text.as_bytes().windows(pattern.len()).any(|window| {
            let mut pairs = window.iter().zip(pattern.bytes());
            pairs.all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                like => *byte == like,
            })
        })
    };
    like("0000-00") || like("00:00")
}

/// Asserts that the steps are printed in the order in which they happened, and each cause before its effects.
fn causes_come_first(story: &Story) {
    let times: Vec<f64> = story.steps.iter().filter_map(Step::secs).collect();
    assert_eq!(times.first(), Some(&0.0), "{story:?}");
    assert!(times.is_sorted(), "{story:?}");
    assert_eq!(times.len() + 2, story.steps.len(), "{story:?}");
    let mut entered = BTreeSet::new();
    let mut received = BTreeSet::new();
    for step in &story.steps {
        entered.extend(step.state("Sinch", ""));
        if let Some(state) = step.state("service", "receives ") {
            assert!(entered.contains(state), "{step:?} in {story:?}");
            let is_again = step.text.starts_with(&format!("receives {state} again"));
            assert!(
                !is_again || received.contains(state),
                "{step:?} in {story:?}"
            );
            received.insert(state);
        }
        // The service knows an order only by its events.
        if step.speaker == "service" && step.text.starts_with("fetches; ") {
            assert!(!received.is_empty(), "{step:?} in {story:?}");
        }
    }
}

/// Asserts that the line on a receiver that believes the last event follows from the lines before it.
fn the_naive_receiver_shows_the_last_event(story: &Story) {
    let naive = story.steps.iter().filter(|step| step.speaker == "naive");
    let [naive] = naive.collect::<Vec<_>>()[..] else {
        panic!("one line on the naive receiver: {story:?}");
    };
    let received = |step| Step::state(step, "service", "receives ");
    let last = story.steps.iter().rev().find_map(received);
    let shown = naive.state("naive", "shows ");
    assert_eq!(shown, last, "{story:?}");
    let verdict = naive.text.split_once(": ").map(|(_, verdict)| verdict);
    let verdict = verdict.unwrap_or_default();
    if shown == Some(story.end.as_str()) {
        assert!(verdict.starts_with("right"), "{story:?}");
    } else {
        assert_eq!(verdict, "wrong, and stays so", "{story:?}");
    }
}

/// Splits the demo's output at the end of the order that it places.
fn order_and_play(out: &str) -> (&str, &str) {
    let (_, rest) = out.split_once("An order of our own").expect("an order");
    rest.split_once("\n\n").expect("its end")
}

/// Asserts that each command was shown, in its order, with what it is there for.
fn the_order_ends_ready(order: &str) {
    let mut rest = order;
    for shown in [
        "$ sinch-callbacks order search",
        "$ sinch-callbacks order requirements",
        "$ sinch-callbacks order check",
        "$ sinch-callbacks order place",
        "\n    blocked: ",
        "$ sinch-callbacks order fix",
        "Dear Robin",
        "COMPLETED",
        "is ready for text messages",
    ] {
        let (_, after) = rest
            .split_once(shown)
            .unwrap_or_else(|| panic!("{shown}:\n{order}"));
        rest = after;
    }
}

/// Plays the demo to its end, and asserts what is true of every play.
async fn play(seed: u32) -> Vec<Story> {
    let environment = [("NO_COLOR", "1".to_owned())];
    let seed = seed.to_string();
    let demo = Process::start_in(&environment, ["demo", "--exit", "--seed", &seed]);
    let ended = demo.ended().await;
    let told = format!("seed {seed}: {}{}", ended.out, ended.err);
    assert_eq!(ended.code, Some(0), "{told}");
    let last = ended.out.lines().last().unwrap_or_default();
    assert_eq!(last, "40 of 40 orders agree with Sinch", "{told}");
    let unwrapped = ended.out.replace('\n', " ");
    for words in [
        "0 of them without a good signature, 0 after a later one",
        "and is right about 40 of 40 orders",
    ] {
        assert!(unwrapped.contains(words), "{words}: {told}");
    }
    assert_eq!(ended.err, "", "{told}");
    // Output that goes to no terminal is wrapped at the usual width.
    let long = ended.out.lines().find(|line| line.chars().count() > 80);
    assert_eq!(long, None, "{told}");
    assert!(!ended.out.contains('\u{1b}'), "{told}");
    let (order, play) = order_and_play(&ended.out);
    assert!(!has_absolute_time(play), "{told}");
    the_order_ends_ready(order);

    let stories = stories(&ended.out);
    let ends: BTreeSet<&str> = stories.iter().map(|story| story.end.as_str()).collect();
    assert!(ends.len() >= 3, "{told}");
    for story in &stories {
        causes_come_first(story);
        the_naive_receiver_shows_the_last_event(story);
        let shown = format!("shows {}, confirmed: right", story.end);
        let shows = |step: &Step| step.at == "end" && step.text == shown;
        assert!(story.steps.iter().any(shows), "{story:?}");
    }
    stories
}

#[tokio::test]
async fn the_demo_ends_in_agreement() {
    let seeds = [1, fastrand::u32(..)];
    println!("seeds {seeds:?}");
    let (stories, _) = tokio::join!(play(seeds[0]), play(seeds[1]));
    let titles: BTreeSet<&str> = stories.iter().map(|story| story.title.as_str()).collect();
    assert_eq!(titles.len(), stories.len(), "each shows something else");
    let misled = stories.iter().flat_map(|story| &story.steps);
    let misled = misled.filter(|step| step.text.ends_with("wrong, and stays so"));
    assert!(
        misled.count() > 0,
        "the first play shows why the last event does not count"
    );
}

#[tokio::test]
async fn a_demo_that_is_interrupted_claims_no_agreement() {
    let demo = Process::start(["demo", "--exit"]);
    let started = within(PATIENCE, async || (!demo.lines().is_empty()).then_some(())).await;
    assert!(started.is_some(), "{}", demo.said());
    demo.signal(Signal::INT);
    let ended = demo.ended().await;
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(!ended.out.contains("agree with Sinch"), "{}", ended.out);
}

/// Returns the lines below a heading of the demo's output.
fn below<'a>(lines: &'a [String], heading: &str) -> Vec<&'a str> {
    let after = lines.iter().skip_while(|line| !line.starts_with(heading));
    let below = after.skip(1).map(String::as_str);
    below.take_while(|line| line.starts_with("  ")).collect()
}

/// Types the commands with which the demo invites to order a number, and fills in the form in between.
async fn a_number_can_be_ordered(into: &str, invited: &[&str]) {
    let mut parts = invited.split(|line| line.starts_with("  # fill in"));
    let (first, then) = (parts.next().expect("commands"), parts.next().expect("more"));
    let searched = typed(&format!("{into}\n{}", first.join("\n"))).await;
    assert!(
        searched.out.contains("A search reserves no number"),
        "{searched:?}"
    );
    let folder = into.lines().next().map(str::trim);
    let folder = folder.and_then(|line| line.strip_prefix("cd "));
    let folder = folder.expect("a folder");
    let number = first.last().and_then(|line| line.split(' ').next_back());
    let number = number.expect("a number");
    let form = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).expect("a form");
    let value = |form: &str, key: &str| {
        let line = form
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key} = ")));
        line.expect("the key").to_owned()
    };
    let (model, own) = (form("form.toml"), form("mine.toml"));
    assert_eq!(value(&own, "number"), format!("{number:?}"));
    let filled = ["reference", "number"].iter().fold(model, |filled, key| {
        let (theirs, mine) = (value(&filled, key), value(&own, key));
        filled.replace(&theirs, &mine)
    });
    std::fs::write(format!("{folder}/mine.toml"), filled).expect("is written");
    let placed = typed(&format!("{into}\n{}", then.join("\n"))).await;
    assert!(
        placed
            .out
            .contains(&format!("{number} is ready for text messages")),
        "{placed:?}"
    );
}

/// Runs lines in a shell, which must end well.
async fn typed(lines: &str) -> Ended {
    let ended = Process::spawn(Command::new("sh"), ["-ec", lines], Output::Kept)
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{lines}\n{ended:?}");
    ended
}

/// Types the commands with which the demo invites to look around. Each must show something.
async fn each_command_shows_something(into: &str, commands: &[&str]) {
    let names: Vec<&str> = commands
        .iter()
        .filter_map(|line| line.trim().split(' ').nth(1))
        .collect();
    assert_eq!(
        names,
        ["status", "order", "tail", "orders", "parked", "backup"]
    );
    for (line, name) in commands.iter().zip(names) {
        let line = line.trim();
        let typed = format!("{into}\nexec {line}");
        let started = Process::spawn(Command::new("sh"), ["-ec", &typed], Output::Kept);
        if name == "tail" {
            let told = within(PATIENCE, async || {
                let lines = started.lines();
                let is_told = lines.iter().any(|line| line.contains(" order."));
                is_told.then_some(())
            });
            assert!(told.await.is_some(), "{line}: {}", started.said());
            continue;
        }
        let ended = started.ended().await;
        // Something is parked in the demo, which `status` says by its exit code.
        let code = if name == "status" { 3 } else { 0 };
        assert_eq!(ended.code, Some(code), "{line}: {ended:?}");
        assert!(ended.out.lines().count() > 0, "{line}: {ended:?}");
        assert!(!ended.out.contains("no order that fits"), "{ended:?}");
        assert!(!ended.out.contains("Nothing is parked"), "{ended:?}");
    }
}

async fn the_request_shows_an_order(line: &str) {
    let url = line.strip_prefix("  curl 'http://");
    let url = url.and_then(|line| line.strip_suffix('\''));
    let (address, path) = url.and_then(|url| url.split_once('/')).expect("a URL");
    let address = address.parse().expect("an address");
    let mut connection = Connection::open(ALLOWED, address).await.expect("connects");
    let path = format!("/{path}");
    connection.send(Request::new("GET", &path).bytes()).await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!(answer.status, 200, "{line}");
    let order = answer.json()["order"].as_str().map(str::to_owned);
    assert!(order.is_some_and(|order| path.ends_with(&order)), "{line}");
    let text = String::from_utf8_lossy(&answer.body);
    let long = text.lines().find(|line| line.chars().count() > 160);
    assert_eq!(long, None, "{line}");
}

#[tokio::test]
async fn what_the_demo_says_to_try_shows_something() {
    let demo = Process::start(["demo"]);
    let invites = async || {
        demo.lines()
            .iter()
            .any(|line| line.starts_with("Ctrl-C ends the demo, and removes its folder"))
            .then_some(())
    };
    let invited = within(PATIENCE * 3, invites).await;
    assert!(invited.is_some(), "{}", demo.said());
    let lines = demo.lines();
    let around = below(&lines, "Still serving. Look around");
    let (way, around) = around.split_at(2);
    let into = way.join("\n");
    let around: Vec<&str> = around
        .iter()
        .copied()
        .filter(|line| !line.starts_with("  # "))
        .collect();
    let (request, commands) = around.split_last().expect("commands");
    each_command_shows_something(&into, commands).await;
    the_request_shows_an_order(request).await;
    a_number_can_be_ordered(&into, &below(&lines, "Order a number yourself")).await;
    demo.signal(Signal::INT);
    assert_eq!(demo.ended().await.code, Some(0));
}
