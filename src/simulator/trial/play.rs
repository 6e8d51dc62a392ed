//! One order, from its creation until it is at rest, in simulated time.

use std::time::Duration;

use fastrand::Rng;

use super::Course;
use super::mind::Mind;
use super::tally::{Rare, Verdict, Wrong};
use crate::order::{
    Answer, Decision, Doubt, Event, Failure, Finding, Order, State, Status, Time, Tried,
};
use crate::simulator::journal::secs;
use crate::simulator::world::{Life, Notice, Reply, Says, World, hit};

/// When the worlds begin, by Sinch's clock.
pub(super) const START: Time = Time(1_770_091_506_123_456);
/// An order is followed for so long after its last change: an event may come a day late, and the last
/// look at what is final comes a day after that was first seen.
const AFTER: Duration = Duration::from_secs(30 * 3600);
/// … and at least for so long after its last callback.
const AFTER_NEWS: Duration = Duration::from_secs(3600);

/// What can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A callback arrives.
    Deliver,
    /// An operator asks for the order.
    Wish,
    /// What has arrived is looked at.
    Look,
    /// Sinch is asked.
    Ask,
    /// What came of it is settled.
    Settle,
}

/// A question under way.
struct Flight {
    asked: Duration,
    reply: Reply,
    done: Duration,
}

/// One order and all that is under way for it.
pub(super) struct Play<'a, M> {
    course: &'a Course,
    world: &'a World,
    life: &'a Life,
    /// What arrives and when; the next last.
    deliveries: Vec<(Duration, &'a Notice)>,
    /// When operators ask for the order; the next last.
    wishes: Vec<Duration>,
    /// What came, as it was understood.
    understood: Vec<(&'a Notice, Event)>,
    /// When somebody looks at what waits.
    look_at: Option<Duration>,
    flight: Option<Flight>,
    /// Whether an operator wants the question that is due.
    wished: bool,
    /// When the order is looked after next, if nothing new is heard of it.
    look_after_at: Option<Time>,
    /// Whether the question that was asked last only looked after the order.
    looking: bool,
    mind: M,
    /// What decides how Sinch answers, and what decides the rest.
    dice: Rng,
    chance: Rng,
    /// How far our clock is ahead of Sinch's.
    ahead_micros: i64,
    now: Duration,
    end: Duration,
    /// The step of the history that was reached last.
    reached: Option<usize>,
    right_since: Option<Duration>,
    verdict: Verdict,
    /// What is told of it, where somebody listens.
    story: Option<Vec<String>>,
}

impl<'a, M: Mind> Play<'a, M> {
    pub fn new(
        course: &'a Course,
        world: &'a World,
        life: &'a Life,
        deliveries: Vec<(Duration, &'a Notice)>,
        mind: M,
    ) -> Play<'a, M> {
        let mut dice = world.dice(life);
        let mut chance = dice.fork();
        let off = i64::try_from(course.clock_off_max.as_micros()).unwrap_or(0);
        let ahead_micros = chance.i64(-off..=off);
        let created = life.created().unwrap_or_default();
        let last_change = life.history.last().map_or(created, |(at, _)| *at);
        let last_news = deliveries.first().map_or(Duration::ZERO, |(at, _)| *at);
        let mut play = Play {
            course,
            world,
            life,
            deliveries,
            wishes: wishes(course, life, &mut chance),
            understood: Vec::new(),
            look_at: None,
            flight: None,
            wished: false,
            look_after_at: None,
            looking: false,
            mind,
            dice,
            chance,
            ahead_micros,
            now: Duration::ZERO,
            end: (last_change + AFTER).max(last_news + AFTER_NEWS),
            reached: None,
            right_since: None,
            verdict: Verdict::default(),
            story: None,
        };
        if course.deaf {
            let created = play.ours(created);
            play.mind.wish(created);
        }
        play
    }

    /// Plays it to its end.
    pub fn run(mut self) -> Verdict {
        self.play();
        self.verdict
    }

    /// Plays it to its end, and tells of each step.
    pub fn tell(mut self) -> Vec<String> {
        let history = self.life.history.iter();
        let is = history.map(|(at, state)| line(*at, format!("the order is {state}")));
        let gone = self.life.gone_at.iter();
        let gone = gone.map(|at| line(*at, "Sinch forgets the order".to_owned()));
        self.story = Some(is.chain(gone).collect());
        self.play();
        self.story.unwrap_or_default()
    }

    fn play(&mut self) {
        while let Some((at, step)) = self.next()
            && at <= self.end
        {
            self.now = at;
            if hit(&mut self.chance, self.course.crash) {
                self.crash(step);
                continue;
            }
            match step {
                Step::Deliver => self.deliver(),
                Step::Wish => self.wish(),
                Step::Look => self.look(),
                Step::Ask => self.ask(),
                Step::Settle => self.settle(),
            }
        }
        let (believed, truth) = (self.believed(), self.life.final_state());
        if believed != truth {
            let wrong = Wrong::AtRest { believed, truth };
            self.note(|| wrong.to_string());
            self.verdict.wrong.push(wrong);
        }
        let last_change = self
            .life
            .history
            .last()
            .map_or(Duration::ZERO, |(at, _)| *at);
        let right_since = self.right_since.unwrap_or(self.end);
        self.verdict.late = right_since.saturating_sub(last_change);
    }

    /// What happens next, and when.
    fn next(&self) -> Option<(Duration, Step)> {
        let asks = match &self.flight {
            Some(flight) => Some((flight.done, Step::Settle)),
            None => self
                .mind
                .order()
                .ask_at
                .map(|at| (self.offset(at), Step::Ask)),
        };
        let news = self.deliveries.last().map(|(at, _)| (*at, Step::Deliver));
        let wish = self.wishes.last().map(|at| (*at, Step::Wish));
        let look = self.look_at.map(|at| (at, Step::Look));
        let next = [news, wish, look, asks]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        next.map(|(at, step)| (at.max(self.now), step))
    }

    /// A callback arrives. One that is on disk already changes nothing.
    fn deliver(&mut self) {
        let Some((_, notice)) = self.deliveries.pop() else {
            return;
        };
        let Says::State(said) = notice.says else {
            return;
        };
        let before = self
            .understood
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, notice));
        let event = match before {
            Some((_, event)) => event.clone(),
            None => self.understand(notice, said),
        };
        let new = self.mind.accept(notice.salt, &event);
        self.note(|| {
            let again = if new { "" } else { ", again" };
            format!("the event {said} of {} arrives{again}", secs(notice.at))
        });
        if new {
            let soon = self.now + self.lag(200);
            self.look_at.get_or_insert(soon);
        }
    }

    /// What the service makes of a callback that it has not had before.
    fn understand(&mut self, notice: &'a Notice, said: State) -> Event {
        // Of an order that Sinch forgets, nothing but its events can tell the end.
        let foreign = self.life.gone_at.is_none() && hit(&mut self.chance, self.course.foreign);
        let status = match foreign {
            true => Status::Unknown("ON_HOLD".to_owned()),
            false => Status::Known(said),
        };
        let timeless = hit(&mut self.chance, self.course.timeless);
        let event = Event {
            status,
            said_at: (!timeless).then(|| notice.said_at(START)),
            received_at: self.ours(self.now),
        };
        self.understood.push((notice, event.clone()));
        event
    }

    /// An operator asks for the order, if it was heard of.
    fn wish(&mut self) {
        self.wishes.pop();
        let now = self.ours(self.now);
        if (self.course.deaf || !self.understood.is_empty()) && self.mind.wish(now) {
            self.wished = true;
            self.note(|| "an operator asks".to_owned());
        }
    }

    /// What has arrived is looked at.
    fn look(&mut self) {
        self.look_at = None;
        let now = self.ours(self.now);
        let (decisions, believed) = self.mind.look(now, &self.course.rule);
        for decision in &decisions {
            let met = &mut self.verdict.met;
            match decision {
                Decision::Ask(Doubt::Stale { .. } | Doubt::Illegal { .. }) => {
                    met.note(Rare::OutOfOrder);
                }
                Decision::Ask(Doubt::Final { .. }) => met.note(Rare::AfterFinal),
                Decision::Ask(Doubt::NoTime(_)) => met.note(Rare::Timeless),
                Decision::Ask(Doubt::UnknownStatus(_)) => met.note(Rare::Foreign),
                Decision::Agrees(_)
                | Decision::Repeats(_)
                | Decision::Fits { .. }
                | Decision::Ask(Doubt::FirstNews(_)) => {}
            }
            self.note(|| decision.to_string());
        }
        for state in believed {
            self.judge(state);
        }
    }

    /// Sinch is asked. The try is counted before its outcome is known.
    fn ask(&mut self) {
        let retries = self.mind.order().attempts > 0;
        let wished = std::mem::take(&mut self.wished);
        let planned = self.look_after_at.take() == self.mind.order().ask_at;
        self.looking = wished || if retries { self.looking } else { planned };
        let now = self.ours(self.now);
        self.mind.ask(now);
        match self.looking {
            true => self.verdict.looks += 1,
            false => self.verdict.asks += 1,
        }
        let reply = self.world.answer(self.life, self.now, &mut self.dice);
        let mut done = self.now + self.lag(400);
        if let Reply::Slow(by) = &reply {
            done += *by;
        }
        self.flight = Some(Flight {
            asked: self.now,
            reply,
            done,
        });
    }

    /// What came of the question is settled.
    fn settle(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let result = match self.life.shown(flight.asked, &flight.reply, START) {
            Some(answer) => Ok(answer),
            None => Err(failure(&flight.reply)),
        };
        let tried = Tried {
            asked_at: self.ours(flight.asked),
            result: &result,
            // What Sinch as a whole fails at is no order's fault.
            healthy: result.is_ok(),
            now: self.ours(self.now),
            roll: self.chance.f64(),
        };
        let before = self.mind.order();
        let (state, tied) = (before.state(), before.tie.as_ref().map(|tie| tie.state));
        let (missing, parked) = (before.missing_since.is_some(), before.parked.is_some());
        let weighed = self
            .mind
            .settle(tried, &self.course.rule, &self.course.back_off);
        self.note(|| match (&weighed.finding, &result) {
            (Some(finding), _) => finding.to_string(),
            (None, result) => format!("{result:?}"),
        });
        let met = &mut self.verdict.met;
        if let Ok(Answer::Found(_)) = result
            && missing
        {
            met.note(Rare::FoundAfter404);
        }
        match &weighed.finding {
            Some(Finding::Tied { .. }) => met.note(Rare::Tie),
            Some(Finding::Older { .. }) => met.note(Rare::Stale),
            Some(Finding::ExpiredUnseen) => met.note(Rare::ExpiredUnseen),
            Some(Finding::UnknownState(_)) => met.note(Rare::Unspecified),
            Some(Finding::Advanced { from, to, .. }) => {
                if from.is_final() {
                    met.note(Rare::Reopened);
                }
                if tied == Some(*to) {
                    met.note(Rare::TieSettled);
                }
            }
            Some(
                Finding::First(_)
                | Finding::Refreshed(_)
                | Finding::Unchanged(_)
                | Finding::NotFound
                | Finding::Gone(_),
            )
            | None => {}
        }
        let after = self.mind.order();
        // Not what an event that was contradicted asks for.
        let sure_at = tried.asked_at.plus(self.course.rule.staleness_max);
        let looks = only_looks(after) && after.ask_at != Some(sure_at);
        self.look_after_at = after.ask_at.filter(|_| looks);
        if !parked && after.parked.is_some() {
            met.note(Rare::Parked);
        }
        if weighed.believed.is_none() && state != after.state() {
            met.note(Rare::Withdrawn);
        }
        if let Some(state) = weighed.believed {
            self.judge(state);
        }
    }

    /// The service is killed at this step and comes back within a minute.
    fn crash(&mut self, step: Step) {
        self.note(|| format!("killed at {step:?}"));
        self.verdict.met.note(Rare::Crash);
        match step {
            // On disk, but not acknowledged.
            Step::Deliver if self.chance.bool() => {
                let again = self.deliveries.last().copied();
                self.deliver();
                self.deliveries.extend(again);
            }
            // Counted, but not asked.
            Step::Ask if self.chance.bool() => {
                let now = self.ours(self.now);
                self.mind.ask(now);
            }
            Step::Deliver | Step::Wish | Step::Look | Step::Ask | Step::Settle => {}
        }
        let up = self.now + self.lag(60_000);
        self.now = up;
        self.flight = None;
        // Who was not answered tries again, in any order.
        for i in 0..self.deliveries.len() {
            if self.deliveries[i].0 <= up {
                self.deliveries[i].0 = up + self.lag(120_000);
            }
        }
        self.deliveries
            .sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        // Open orders are asked about again, spread out.
        let spread = self.lag(600_000);
        let looks = self.look_after_at == self.mind.order().ask_at;
        let now = self.ours(up);
        let waits = self.mind.restart(now, spread);
        self.look_at = waits.then_some(up);
        self.look_after_at = self.mind.order().ask_at.filter(|_| looks);
    }

    /// The state that is taken for true.
    fn believed(&self) -> Option<State> {
        let known = self.mind.order().confirmed.as_ref();
        known.map(|known| known.state)
    }

    /// Judges a state that was just taken for true: the order must have entered it after the one before.
    fn judge(&mut self, state: State) {
        let history = &self.life.history;
        let is_there = |&i: &usize| history[i].1 == state && history[i].0 <= self.now;
        // After something false, the step that was reached may be returned to.
        let from = self.reached.map_or(0, |reached| {
            reached + usize::from(self.verdict.wrong.is_empty())
        });
        match (from..history.len()).find(is_there) {
            Some(step) => self.reached = Some(step),
            None => {
                let wrong = Wrong::FalseState {
                    at: self.now,
                    state,
                };
                self.note(|| wrong.to_string());
                self.verdict.wrong.push(wrong);
            }
        }
        let right = Some(state) == self.life.final_state();
        self.right_since = right.then_some(self.now);
    }

    /// Up to so many milliseconds.
    fn lag(&mut self, millis_max: u64) -> Duration {
        Duration::from_micros(self.chance.u64(1..=millis_max * 1000))
    }

    /// This moment by our clock.
    fn ours(&self, offset: Duration) -> Time {
        Time(START.plus(offset).0 + self.ahead_micros)
    }

    /// The moment that our clock shows so.
    fn offset(&self, ours: Time) -> Duration {
        ours.since(Time(START.0 + self.ahead_micros))
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line(self.now, words()));
        }
    }
}

/// Whether the question that is due only looks after an order of which nothing new was heard.
fn only_looks(order: &Order) -> bool {
    order.confirmed.is_some() && order.hints.is_empty() && order.tie.is_none()
}

/// When operators ask for the order: a few times within seconds of a change.
fn wishes(course: &Course, life: &Life, chance: &mut Rng) -> Vec<Duration> {
    let mut wishes = Vec::new();
    if hit(chance, course.nosy) {
        for (at, _) in &life.history {
            let times = 0..chance.u8(2..=4);
            wishes.extend(times.map(|_| *at + Duration::from_millis(chance.u64(0..15_000))));
        }
    }
    wishes.sort_by(|one, other| other.cmp(one));
    wishes
}

fn line(at: Duration, words: String) -> String {
    format!("{:>12}  {words}", secs(at))
}

/// Why a reply is no answer.
fn failure(reply: &Reply) -> Failure {
    let (reason, wait_min) = match reply {
        Reply::Throttled { retry_after } => ("429", *retry_after),
        Reply::Unauthorized => ("401", Duration::ZERO),
        Reply::True
        | Reply::Stale(_)
        | Reply::Slow(_)
        | Reply::Missing
        | Reply::Broken { .. }
        | Reply::Says { .. }
        | Reply::Raw { .. } => ("failed", Duration::ZERO),
    };
    Failure {
        reason: reason.to_owned(),
        wait_min,
    }
}
