//! One order, from its creation until it is at rest, in simulated time: what happens next, and crashes in between.

mod steps;

use std::time::Duration;

use fastrand::Rng;

use super::incidents::Incidents;
use super::subject::Subject;
use super::tally::{Rare, Verdict, Wrong};
use super::{Scenario, in_seconds};
use crate::history::{OrderHistory, SimulatedEvent, happens};
use crate::world::World;
use number_order::{Answer, Event, Failure, Time};

/// Time at which the worlds begin, by Sinch's clock.
pub(super) const START: Time = Time(1_770_091_506_123_456);
/// Span for which a play follows an order after its last change: an event may come a day late, and a final state is
/// fetched for the last time a day after it was first seen.
const FOLLOWED_AFTER_CHANGES: Duration = Duration::from_secs(30 * 3600);
/// Minimum span for which a play follows an order after its last callback.
const FOLLOWED_AFTER_CALLBACKS: Duration = Duration::from_secs(3600);
/// Minimum time between two steps of a play: no two happen in the same microsecond.
const TICK: Duration = Duration::from_micros(1);

/// Step of a play that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A callback arrives.
    Deliver,
    /// An operator requests a fetch of the order.
    FetchRequest,
    /// The events that have arrived are processed.
    Process,
    /// A fetch is sent to Sinch.
    Fetch,
    /// The outcome of the fetch in flight is recorded.
    Record,
    /// An event arrives that claims of a parked order what is confirmed already.
    Agreement,
}

/// Fetch of the order that is in flight.
struct InFlight {
    fetched_at: Duration,
    result: Result<Answer, Failure>,
    /// `true` if a failure of the fetch is the order's own.
    healthy: bool,
    done: Duration,
}

/// Randomness of one order's play.
pub(super) struct Randomness {
    /// Random generator that decides Sinch's answers.
    pub reply_rng: Rng,
    /// Random generator that decides when the service acts, and what goes wrong there.
    pub rng: Rng,
}

impl Randomness {
    /// Makes both generators of a play from the order's own randomness.
    pub fn of(world: &World, history: &OrderHistory) -> Randomness {
        let mut reply_rng = world.reply_rng(history);
        let rng = reply_rng.fork();
        Randomness { reply_rng, rng }
    }
}

/// Play of one order, with everything that is in flight for it.
pub(super) struct Play<'a, M> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: &'a World,
    pub(super) history: &'a OrderHistory,
    /// Events of the order and the offsets at which their callbacks arrive; the next is last.
    deliveries: Vec<(Duration, &'a SimulatedEvent)>,
    /// Offsets at which operators request a fetch of the order; the next is last.
    fetch_requests: Vec<Duration>,
    /// Events that have arrived, each as the service understood it.
    understood: Vec<(&'a SimulatedEvent, Event)>,
    /// Offset at which the worker processes the pending events.
    process_at: Option<Duration>,
    in_flight: Option<InFlight>,
    /// `true` if the planned fetch was requested by an operator.
    is_requested: bool,
    /// Offset since which an operator waits for a fetch to be sent.
    pub(super) requested_at: Option<Duration>,
    pub(super) incidents: Incidents,
    /// Offset until which no fetch is sent, because Sinch as a whole is down.
    pub(super) paused_until: Duration,
    /// Number of attempts since the last conclusive answer that failed through the order itself, or through a crash of
    /// the service.
    pub(super) own_failures: u32,
    pub(super) agreement_at: Option<Duration>,
    /// Time of the next fetch that only watches the order, if no new event arrives.
    routine_fetch_at: Option<Time>,
    /// `true` if the last fetch only watched the order.
    is_routine: bool,
    pub(super) subject: M,
    /// Random generator that decides Sinch's answers; `rng` decides when the service acts, and what goes wrong there.
    pub(super) reply_rng: Rng,
    pub(super) rng: Rng,
    /// Microseconds by which the service's clock is ahead of Sinch's.
    ahead_micros: i64,
    pub(super) now: Duration,
    end: Duration,
    /// Index of the state in the history that the order has reached.
    pub(super) reached: Option<usize>,
    pub(super) right_since: Option<Duration>,
    pub(super) verdict: Verdict,
    /// Story of the play so far; `None` if it is not wanted.
    story: Option<Vec<String>>,
}

impl<'a, M: Subject> Play<'a, M> {
    pub fn new(
        scenario: &'a Scenario,
        world: &'a World,
        history: &'a OrderHistory,
        deliveries: Vec<(Duration, &'a SimulatedEvent)>,
        subject: M,
        Randomness { reply_rng, mut rng }: Randomness,
    ) -> Play<'a, M> {
        let off = i64::try_from(scenario.clock_off_max.as_micros()).unwrap_or(0);
        let ahead_micros = rng.i64(-off..=off);
        let incidents = Incidents::draw(&scenario.incidents, history, &mut rng);
        let behind = i64::try_from(incidents.behind.as_micros()).unwrap_or(0);
        let created = history.created().unwrap_or_default();
        let last_change = history.states.last().map_or(created, |(at, _)| *at);
        let last_callback = deliveries.first().map_or(Duration::ZERO, |(at, _)| *at);
        let mut play = Play {
            scenario,
            world,
            history,
            deliveries,
            fetch_requests: fetch_requests(scenario, history, &mut rng),
            understood: Vec::new(),
            process_at: None,
            in_flight: None,
            is_requested: false,
            requested_at: None,
            paused_until: Duration::ZERO,
            own_failures: 0,
            agreement_at: None,
            routine_fetch_at: None,
            is_routine: false,
            subject,
            reply_rng,
            rng,
            ahead_micros: ahead_micros - behind,
            now: Duration::ZERO,
            end: (last_change + FOLLOWED_AFTER_CHANGES)
                .max(last_callback + FOLLOWED_AFTER_CALLBACKS),
            reached: None,
            right_since: None,
            verdict: Verdict::default(),
            story: None,
            incidents,
        };
        if behind > 0 {
            play.verdict.met.note(Rare::Behind);
        }
        if scenario.without_callbacks {
            let created = play.our_time(created);
            play.subject.request_fetch(created);
        }
        play
    }

    /// Plays the order to its end.
    pub fn run(mut self) -> Verdict {
        self.play();
        self.verdict
    }

    /// Plays the order to its end, and returns the story of each step.
    pub fn story(mut self) -> Vec<String> {
        let history = self.history.states.iter();
        let is = history.map(|(at, state)| story_line(*at, &format!("the order is {state}")));
        let gone = self.history.gone_at.iter();
        let gone = gone.map(|at| story_line(*at, "Sinch forgets the order"));
        self.story = Some(is.chain(gone).collect());
        self.play();
        self.story.unwrap_or_default()
    }

    fn play(&mut self) {
        while let Some((at, step)) = self.next_step()
            && at <= self.end
        {
            self.now = at;
            if happens(&mut self.rng, self.scenario.crash) {
                self.crash(step);
                continue;
            }
            match step {
                Step::Deliver => self.deliver(),
                Step::FetchRequest => self.request_fetch(),
                Step::Process => self.process(),
                Step::Fetch => self.send_fetch(),
                Step::Record => self.record(),
                Step::Agreement => self.agreement(),
            }
            self.judge_request();
        }
        let (believed, truth) = (self.believed(), self.history.final_state());
        // An order that failed alone until it was parked is excused: its true state cannot be known, and operators are
        // alerted.
        let excused = self.incidents.ever_fails_alone() && self.subject.order().parked.is_some();
        if believed != truth && !excused {
            let wrong = Wrong::AtRest { believed, truth };
            self.note(|| wrong.to_string());
            self.verdict.wrong.push(wrong);
        }
        let last_change = self
            .history
            .states
            .last()
            .map_or(Duration::ZERO, |(at, _)| *at);
        let right_since = self.right_since.unwrap_or(self.end);
        self.verdict.late = right_since.saturating_sub(last_change);
    }

    /// Returns the next step of the play and its offset.
    fn next_step(&self) -> Option<(Duration, Step)> {
        let fetch = match &self.in_flight {
            Some(flight) => Some((flight.done, Step::Record)),
            None => self
                .subject
                .order()
                .fetch_at
                .map(|at| (self.offset(at).max(self.paused_until), Step::Fetch)),
        };
        let deliver = self.deliveries.last().map(|(at, _)| (*at, Step::Deliver));
        let request_fetch = self
            .fetch_requests
            .last()
            .map(|at| (*at, Step::FetchRequest));
        let process = self.process_at.map(|at| (at, Step::Process));
        let agreement = self.agreement_at.map(|at| (at, Step::Agreement));
        let next = [deliver, request_fetch, process, fetch, agreement]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        next.map(|(at, step)| (at.max(self.now + TICK), step))
    }

    /// Kills the service at the given step of the play; it comes back within a minute.
    fn crash(&mut self, step: Step) {
        self.note(|| format!("killed at {step:?}"));
        self.verdict.met.note(Rare::Crash);
        match step {
            // The callback is on disk, but not acknowledged.
            Step::Deliver if self.rng.bool() => {
                let again = self.deliveries.last().copied();
                self.deliver();
                self.deliveries.extend(again);
            }
            // The attempt is counted, but the fetch is not sent.
            Step::Fetch if self.rng.bool() => {
                let now = self.our_time(self.now);
                self.subject.begin_fetch(now);
                self.own_failures += 1;
            }
            Step::Deliver
            | Step::FetchRequest
            | Step::Process
            | Step::Fetch
            | Step::Record
            | Step::Agreement => {}
        }
        // An attempt that was in flight counts as a failure.
        self.own_failures += u32::from(self.in_flight.is_some());
        let up = self.now + self.random_span(60_000);
        self.now = up;
        self.in_flight = None;
        // Sinch sends unacknowledged callbacks again, in any order.
        for i in 0..self.deliveries.len() {
            if self.deliveries[i].0 <= up {
                self.deliveries[i].0 = up + self.random_span(120_000);
            }
        }
        self.deliveries
            .sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        // Open orders are fetched again, spread out.
        let spread = self.random_span(600_000);
        let is_routine = self.routine_fetch_at == self.subject.order().fetch_at;
        let now = self.our_time(up);
        let waits = self.subject.restart(now, spread);
        self.process_at = waits.then_some(up);
        self.routine_fetch_at = self.subject.order().fetch_at.filter(|_| is_routine);
    }

    /// Returns a random span of up to the given number of milliseconds.
    pub(super) fn random_span(&mut self, millis_max: u64) -> Duration {
        Duration::from_micros(self.rng.u64(1..=millis_max * 1000))
    }

    /// Returns the time that the service's clock shows at the given offset.
    fn our_time(&self, offset: Duration) -> Time {
        Time(START.plus(offset).0 + self.ahead_micros)
    }

    /// Returns the offset at which the service's clock shows the given time.
    fn offset(&self, our_time: Time) -> Duration {
        our_time.since(Time(START.0 + self.ahead_micros))
    }

    pub(super) fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(story_line(self.now, &words()));
        }
    }
}

/// Draws the offsets at which operators request a fetch of the order: a few times within seconds of a change.
fn fetch_requests(scenario: &Scenario, history: &OrderHistory, rng: &mut Rng) -> Vec<Duration> {
    let mut fetch_requests = Vec::new();
    if happens(rng, scenario.operator_requests) {
        for (at, _) in &history.states {
            let times = 0..rng.u8(2..=4);
            fetch_requests.extend(times.map(|_| *at + Duration::from_millis(rng.u64(0..15_000))));
        }
    }
    fetch_requests.sort_by(|one, other| other.cmp(one));
    fetch_requests
}

fn story_line(at: Duration, words: &str) -> String {
    format!("{:>12}  {words}", in_seconds(at))
}
