//! One order, from its creation until it is at rest, in simulated time.

use std::time::Duration;

use fastrand::Rng;

use super::Course;
use super::mind::Mind;
use super::mishaps::Fate;
use super::tally::{Rare, Stuck, Verdict, Wrong};
use crate::order::{Answer, Decision, Doubt, Event, Failure, State, Status, Time, Tried};
use crate::simulator::journal::secs;
use crate::simulator::world::{Life, Notice, Says, World, hit};

/// When the worlds begin, by Sinch's clock.
pub(super) const START: Time = Time(1_770_091_506_123_456);
/// An order is followed for so long after its last change: an event may come a day late, and the last
/// look at what is final comes a day after that was first seen.
const AFTER: Duration = Duration::from_secs(30 * 3600);
/// … and at least for so long after its last callback.
const AFTER_NEWS: Duration = Duration::from_secs(3600);
/// No two things happen in the same microsecond.
const TICK: Duration = Duration::from_micros(1);

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
    /// An event comes that says of a parked order what is confirmed already.
    Echo,
}

/// A question under way.
struct Flight {
    asked: Duration,
    result: Result<Answer, Failure>,
    /// Whether a failure is the order's own.
    healthy: bool,
    done: Duration,
}

/// What decides everything that is chance.
pub(super) struct Chances {
    /// … of what Sinch answers.
    pub dice: Rng,
    /// … of the rest: when the service acts, and what goes wrong on our side.
    pub chance: Rng,
}

impl Chances {
    /// Both from the order's own chance.
    pub fn of(world: &World, life: &Life) -> Chances {
        let mut dice = world.dice(life);
        let chance = dice.fork();
        Chances { dice, chance }
    }
}

/// One order and all that is under way for it.
pub(super) struct Play<'a, M> {
    pub(super) course: &'a Course,
    pub(super) world: &'a World,
    pub(super) life: &'a Life,
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
    /// Since when an operator waits for a question to be sent.
    pub(super) waits_since: Option<Duration>,
    pub(super) fate: Fate,
    /// Until when nobody asks, since Sinch as a whole is down.
    pub(super) held_until: Duration,
    /// Tries since the last conclusive answer that failed through the order itself, or through us.
    pub(super) own_failures: u32,
    pub(super) echo_at: Option<Duration>,
    /// When the order is looked after next, if nothing new is heard of it.
    look_after_at: Option<Time>,
    /// Whether the question that was asked last only looked after the order.
    looking: bool,
    pub(super) mind: M,
    /// What decides how Sinch answers, and what decides the rest.
    pub(super) dice: Rng,
    pub(super) chance: Rng,
    /// How far our clock is ahead of Sinch's.
    ahead_micros: i64,
    pub(super) now: Duration,
    end: Duration,
    /// The step of the history that was reached last.
    pub(super) reached: Option<usize>,
    pub(super) right_since: Option<Duration>,
    pub(super) verdict: Verdict,
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
        Chances { dice, mut chance }: Chances,
    ) -> Play<'a, M> {
        let off = i64::try_from(course.clock_off_max.as_micros()).unwrap_or(0);
        let ahead_micros = chance.i64(-off..=off);
        let fate = Fate::draw(&course.mishaps, life, &mut chance);
        let behind = i64::try_from(fate.behind.as_micros()).unwrap_or(0);
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
            waits_since: None,
            held_until: Duration::ZERO,
            own_failures: 0,
            echo_at: None,
            look_after_at: None,
            looking: false,
            mind,
            dice,
            chance,
            ahead_micros: ahead_micros - behind,
            now: Duration::ZERO,
            end: (last_change + AFTER).max(last_news + AFTER_NEWS),
            reached: None,
            right_since: None,
            verdict: Verdict::default(),
            story: None,
            fate,
        };
        if behind > 0 {
            play.verdict.met.note(Rare::Behind);
        }
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
                Step::Echo => self.echo(),
            }
            self.judge_wait();
        }
        let (believed, truth) = (self.believed(), self.life.final_state());
        // An order that failed alone until it was parked knows no better, and operators are told.
        let excused = self.fate.is_afflicted() && self.mind.order().parked.is_some();
        if believed != truth && !excused {
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
                .map(|at| (self.offset(at).max(self.held_until), Step::Ask)),
        };
        let news = self.deliveries.last().map(|(at, _)| (*at, Step::Deliver));
        let wish = self.wishes.last().map(|at| (*at, Step::Wish));
        let look = self.look_at.map(|at| (at, Step::Look));
        let echo = self.echo_at.map(|at| (at, Step::Echo));
        let next = [news, wish, look, asks, echo]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        next.map(|(at, step)| (at.max(self.now + TICK), step))
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
            self.own_failures = 0;
            self.waits_since.get_or_insert(self.now);
            self.note(|| "an operator asks".to_owned());
        }
    }

    /// What has arrived is looked at.
    fn look(&mut self) {
        self.look_at = None;
        let now = self.ours(self.now);
        let was_parked = self.mind.order().parked.is_some();
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
        if was_parked && !decisions.is_empty() {
            self.own_failures = 0;
            if self.mind.order().parked.is_some() {
                self.stuck(Stuck::StillParked);
            }
        }
        self.judge_open();
    }

    /// An event says of an order that was parked what is confirmed already.
    fn echo(&mut self) {
        self.echo_at = None;
        let order = self.mind.order();
        let (Some(known), true) = (&order.confirmed, order.parked.is_some()) else {
            return;
        };
        let event = Event {
            status: Status::Known(known.state),
            said_at: Some(known.updated_at),
            received_at: self.ours(self.now),
        };
        self.verdict.met.note(Rare::Echo);
        self.note(|| "an event arrives that says what is confirmed".to_owned());
        let salt = self.chance.u128(..);
        if self.mind.accept(salt, &event) {
            let soon = self.now + self.lag(200);
            self.look_at.get_or_insert(soon);
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
        self.waits_since = None;
        self.note(|| "Sinch is asked".to_owned());
        match (self.fate.is_down(self.now), self.looking) {
            (true, _) => self.verdict.probes += 1,
            (false, true) => self.verdict.looks += 1,
            (false, false) => self.verdict.asks += 1,
        }
        let (result, healthy, slow_by) = self.reply();
        let done = self.now + self.lag(400) + slow_by;
        let asks = self.mind.order().wished_at.is_some() || self.course.nosy > 0.0;
        if asks
            && self.course.mishaps.hurried > 0.0
            && hit(&mut self.chance, self.course.mishaps.hurried)
        {
            self.verdict.met.note(Rare::Hurried);
            let during = done.saturating_sub(self.now).mul_f64(self.chance.f64());
            self.wishes.push(self.now + during);
            self.wishes.sort_by(|one, other| other.cmp(one));
        }
        self.flight = Some(Flight {
            asked: self.now,
            result,
            healthy,
            done,
        });
    }

    /// What came of the question is settled.
    fn settle(&mut self) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let result = flight.result;
        let tried = Tried {
            asked_at: self.ours(flight.asked),
            result: &result,
            healthy: flight.healthy,
            now: self.ours(self.now),
            roll: self.chance.f64(),
        };
        let before = self.mind.order().clone();
        let weighed = self
            .mind
            .settle(tried, &self.course.rule, &self.course.back_off);
        self.note(|| match (&weighed.finding, &result) {
            (Some(finding), _) => finding.to_string(),
            (None, result) => format!("{result:?}"),
        });
        self.count_failure(&tried, weighed.finding.as_ref());
        if let (Ok(Answer::Found(_)), Some(_)) = (&result, before.missing_since) {
            self.verdict.met.note(Rare::FoundAfter404);
        }
        if let Some(finding) = &weighed.finding {
            self.note_finding(finding, &before);
        }
        self.plan_looks();
        let (parked, state) = {
            let after = self.mind.order();
            (after.parked.is_some(), after.state())
        };
        if parked && before.parked.is_none() {
            self.parked();
        }
        if weighed.believed.is_none() && before.state() != state {
            self.verdict.met.note(Rare::Withdrawn);
        }
        if let Some(state) = weighed.believed {
            self.judge(state);
        }
        self.judge_open();
    }

    /// Keeps when the order is looked after next, if nothing but that has Sinch asked.
    fn plan_looks(&mut self) {
        let after = self.mind.order();
        let rule = &self.course.rule;
        // Not what an event that was overruled asks for.
        let doubted_at = after.doubts.iter().map(|doubt| doubt.sure_at(rule)).max();
        let looks = after.confirmed.is_some() && after.hints.is_empty() && after.tie.is_none();
        let looks = looks && (doubted_at.is_none() || after.ask_at != doubted_at);
        self.look_after_at = after.ask_at.filter(|_| looks);
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
                self.own_failures += 1;
            }
            Step::Deliver | Step::Wish | Step::Look | Step::Ask | Step::Settle | Step::Echo => {}
        }
        // A try that was under way counts.
        self.own_failures += u32::from(self.flight.is_some());
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

    /// Up to so many milliseconds.
    pub(super) fn lag(&mut self, millis_max: u64) -> Duration {
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

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(line(self.now, words()));
        }
    }
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
