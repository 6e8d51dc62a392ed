//! What was done, for the one who checks: counts, the story of each order, what was acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Notice, Says, World};
use crate::order::{Id, Time};

/// Counts of what was planned and of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Orders in the world.
    pub orders: u64,
    /// Events in the world, of all kinds.
    pub events: u64,
    /// Events that are never sent.
    pub lost: u64,
    /// Events that are sent twice.
    pub doubled: u64,
    /// Events that are held back.
    pub delayed: u64,
    /// Events whose time stamp is off.
    pub skewed: u64,
    /// Callbacks sent so far, each try counted.
    pub sent: u64,
    /// Callbacks answered 200.
    pub acknowledged: u64,
    /// Of these, those that came after one of a later event of the same order.
    pub overtaken: u64,
    /// Callbacks answered with anything else.
    pub refused: u64,
    /// Callbacks that got no answer.
    pub unanswered: u64,
    /// Callbacks that are not tried any more.
    pub given_up: u64,
    /// Tokens given out.
    pub tokens: u64,
    /// Times that somebody asked for an order.
    pub asks: u64,
    /// How these were answered, in words.
    pub replies: BTreeMap<&'static str, u64>,
}

/// An event that somebody answered with 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its `eventId`; `None` where its body was gibberish.
    pub event_id: Option<String>,
    /// The order that it was about, or came along with.
    pub order: Id,
    /// What it said.
    pub says: Says,
    /// Its bytes.
    pub body: String,
    /// When the first 200 came.
    pub at: Duration,
}

/// That somebody asked for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The id as it stood in the path.
    pub order: String,
    /// When.
    pub at: Time,
}

/// Everything that is written down.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub stats: Stats,
    pub asks: Vec<Ask>,
    stories: BTreeMap<Id, Vec<(Duration, String)>>,
    /// By the index of the notice.
    acknowledged: BTreeMap<usize, Acknowledged>,
    /// The latest event of each order that was acknowledged.
    latest: BTreeMap<Id, Duration>,
}

impl Journal {
    /// Begins with what the world has planned.
    pub fn new(world: &World) -> Journal {
        let mut journal = Journal::default();
        journal.stats.orders = count(world.orders().count());
        let mut told = BTreeMap::new();
        for notice in world.notices() {
            let stats = &mut journal.stats;
            stats.events += 1;
            stats.lost += u64::from(notice.sent_at.is_empty());
            stats.doubled += u64::from(notice.sent_at.len() > 1);
            stats.delayed += u64::from(notice.is_delayed());
            stats.skewed += u64::from(notice.skew_micros != 0);
            match notice.says {
                Says::State(_) => {
                    told.insert((&notice.order, notice.at), notice);
                }
                Says::Number { .. } | Says::Gibberish => {
                    let text = format!("{}: {}", name(&notice.says), fate(notice));
                    journal.tell(&notice.order, notice.at, text);
                }
            }
        }
        for life in world.orders() {
            for (at, state) in &life.history {
                let text = match told.get(&(&life.id, *at)) {
                    Some(notice) => format!("{state}: {}", fate(notice)),
                    None => format!("{state}, without a callback"),
                };
                journal.tell(&life.id, *at, text);
            }
            if let Some(gone_at) = life.gone_at {
                journal.tell(&life.id, gone_at, "forgotten: 404 from here on".to_owned());
            }
        }
        journal
    }

    /// Adds to an order's story.
    pub fn tell(&mut self, order: &Id, at: Duration, text: String) {
        self.stories
            .entry(order.clone())
            .or_default()
            .push((at, text));
    }

    /// An order's story up to `now`.
    pub fn story(&self, order: &Id, now: Duration) -> Vec<(Duration, String)> {
        let told = self.stories.get(order).into_iter().flatten();
        let mut story: Vec<_> = told.filter(|(at, _)| *at <= now).cloned().collect();
        // Stable: what happened in the same moment stays in the order in which it was written down.
        story.sort_by_key(|(at, _)| *at);
        story
    }

    /// Counts a kind of reply.
    pub fn replied(&mut self, kind: &'static str) {
        *self.stats.replies.entry(kind).or_default() += 1;
    }

    /// Notes a 200.
    pub fn acknowledge(
        &mut self,
        index: usize,
        notice: &Notice,
        body: String,
        started_at: Time,
        at: Duration,
    ) {
        self.stats.acknowledged += 1;
        let latest = self.latest.entry(notice.order.clone()).or_default();
        self.stats.overtaken += u64::from(notice.at < *latest);
        *latest = notice.at.max(*latest);
        self.tell(
            &notice.order,
            at,
            format!("{}: answered 200", name(&notice.says)),
        );
        self.acknowledged
            .entry(index)
            .or_insert_with(|| Acknowledged {
                event_id: match notice.says {
                    Says::State(_) | Says::Number { .. } => Some(notice.event_id(started_at)),
                    Says::Gibberish => None,
                },
                order: notice.order.clone(),
                says: notice.says.clone(),
                body,
                at,
            });
    }

    /// Every event that was answered 200.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.values().cloned().collect()
    }
}

/// What a callback is called in a story.
pub(super) fn name(says: &Says) -> String {
    match says {
        Says::State(state) => format!("callback {state}"),
        Says::Number { number, .. } => format!("callback for {number}"),
        Says::Gibberish => "unreadable callback".to_owned(),
    }
}

/// What is to become of a notice, in words.
fn fate(notice: &Notice) -> String {
    let mut words = match notice.sent_at.as_slice() {
        [] => "callback lost".to_owned(),
        [first, ..] if notice.is_delayed() => format!("callback delayed to {}", secs(*first)),
        [..] => "callback at once".to_owned(),
    };
    if let [_, again, ..] = notice.sent_at.as_slice() {
        words += &format!(", again at {}", secs(*again));
    }
    if notice.skew_micros != 0 {
        let off = secs(Duration::from_micros(notice.skew_micros.unsigned_abs()));
        let way = if notice.skew_micros > 0 {
            "ahead"
        } else {
            "behind"
        };
        words += &format!(", time stamp {off} {way}");
    }
    words
}

/// A span as stories write it.
pub(super) fn secs(span: Duration) -> String {
    format!("{:.1} s", span.as_secs_f64())
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
