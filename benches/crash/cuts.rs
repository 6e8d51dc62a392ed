//! Power cuts of a service under load, and what is lost by them.

use std::fs;
use std::time::Duration;

use fastrand::Rng;
use testkit::ledger::lost;
use testkit::load::{self, Plan};
use testkit::machine::folder_on_disk;
use testkit::{CYCLE, Callbacks, Content, File, Outcome, Service, Settings, now, order_ids};
use tokio::time::sleep;

use crate::ORDERS;
use crate::power::{self, Syncs, Trace};

/// Duration of the load on a service whose power is cut, and a number of callbacks that the service cannot take in that
/// time.
const CUT_WITHIN: Duration = Duration::from_secs(4);
const CUT_CALLBACKS: usize = 100_000;

/// Losses by power cuts, of the events that were acknowledged before each cut.
#[derive(Default)]
pub struct Cuts {
    /// Number of events that were acknowledged before a cut, over all cuts.
    pub acknowledged: usize,
    /// Number of the acknowledged events that are missing or changed.
    pub lost: usize,
    /// Number of cuts that lost an event.
    losses: usize,
    /// Number of cuts after which the database was not intact.
    pub damaged: usize,
}

impl Cuts {
    /// Returns a sentence about the losses of a control.
    pub fn losses_text(&self, when: &str) -> String {
        let Cuts {
            acknowledged,
            lost,
            losses,
            ..
        } = self;
        format!("{lost} of {acknowledged} events lost, by {losses} cuts, where {when}")
    }
}

/// Cuts the power of a service under load, at random moments of one run.
pub async fn cut_power(cuts: u32, syncs: Syncs, rng: &mut Rng) -> Outcome<Cuts> {
    let mut sum = Cuts::default();
    if cuts == 0 {
        return Ok(sum);
    }
    let folder = folder_on_disk();
    let settings = Settings::of_a_bench(folder.path()).set_project("api", "off");
    // A first run creates a database on which no power was cut.
    Service::start(&settings).await.stop_well().await;
    let database = settings.database();
    let base = fs::read(&database)?;
    let written = folder.path().join("strace");
    let strace = power::traced(settings.program(), &database, &written, syncs)?;
    let service = Service::start_by(strace, &settings).await;
    let content = Content::Orders(order_ids(ORDERS, rng), CYCLE);
    let callbacks = Callbacks::new(content, CUT_CALLBACKS, rng);
    let plan = Plan::closed(16, Duration::ZERO);
    let report = load::run(service.callbacks, &callbacks, &plan, sleep(CUT_WITHIN)).await?;
    // Start of the load on strace's clock.
    let began = now().0 - i64::try_from(report.began.elapsed().as_micros())?;
    service.stop_well().await;
    let trace = Trace::read(&written, &database, base).await?;
    for _ in 0..cuts {
        let after = Duration::from_micros(rng.u64(..CUT_WITHIN.as_micros() as u64));
        let known = report.answers.iter();
        let known = known.filter(|answer| answer.status == 200 && answer.at < after);
        let acknowledged = callbacks.acknowledged(known.map(|answer| answer.index));
        let left = folder_on_disk();
        let at = began + i64::try_from(after.as_micros())?;
        let mut file = File::open(&trace.cut(at, left.path(), rng)?).await;
        let is_whole = file.is_intact().await;
        let lost = if is_whole {
            lost(&acknowledged, &file.bodies().await).len()
        } else {
            acknowledged.len()
        };
        sum.acknowledged += acknowledged.len();
        sum.lost += lost;
        sum.losses += usize::from(lost > 0);
        sum.damaged += usize::from(!is_whole);
    }
    eprintln!("the power was cut {cuts} times, syncs: {syncs:?}");
    Ok(sum)
}
