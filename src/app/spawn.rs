//! Spawns the parts: each on its own thread, or on the shared runtime, as its entry in the list says.

use std::thread;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::error::{RunError, StartError};
use super::part::{Part, Run, Thread};

/// Niceness of a watched thread: where the processor does not suffice for all, callbacks and their processing come first. What
/// it sends still gets a tenth of what such a thread gets.
const WATCHED_NICENESS: i32 = 10;

/// Running parts: the name of each, and its outcome when it ends.
pub(super) type Running = JoinSet<(&'static str, Result<(), RunError>)>;

/// Spawns every part of the service.
///
/// # Errors
///
/// Returns [`StartError::Thread`] if the system has no thread for a part.
pub(super) fn spawn(parts: Vec<Part>) -> Result<Running, StartError> {
    let mut running = Running::new();
    for Part { name, thread, run } in parts {
        let run = match thread {
            Some(thread) => on_own_thread(name, thread, run)?,
            None => run,
        };
        running.spawn(async move { (name, run.await) });
    }
    Ok(running)
}

/// Runs a part on a thread of its own, and returns a future of the part's outcome. The process does not wait for the
/// thread itself: should the disk hang, the process ends after its grace.
fn on_own_thread(part: &'static str, thread: Thread, run: Run) -> Result<Run, StartError> {
    let failed = |error| StartError::Thread(part, error);
    // Of I/O only a store on a server has any, and a part that speaks with others.
    let mut runtime = Builder::new_current_thread();
    runtime.enable_all();
    let (name, niceness) = match thread {
        Thread::Named(name) => (name, None),
        Thread::Watched(name) => {
            // After each turn of a task, the runtime looks which time-outs are over.
            runtime.event_interval(1);
            (name, Some(WATCHED_NICENESS))
        }
    };
    let runtime = runtime.build().map_err(failed)?;
    let (ended, end) = oneshot::channel();
    let work = move || {
        if let Some(niceness) = niceness {
            // A process that is nicer stays so. Where the system does not allow it, the thread works as the others do.
            let now = getpriority_process(None).unwrap_or(0);
            let _ = setpriority_process(None, now.max(niceness));
        }
        // The receiver is gone if the grace has run out.
        let _ = ended.send(runtime.block_on(run));
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(failed)?;
    // Without an outcome, the part has panicked.
    Ok(Box::pin(async move {
        end.await.unwrap_or(Err(RunError::Ended(part)))
    }))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, mpsc};
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    fn part(run: Run) -> Vec<Part> {
        vec![Part {
            name: "the writer",
            thread: Some(Thread::Named("writer")),
            run,
        }]
    }

    #[test]
    fn nobody_waits_for_a_writer_that_hangs() {
        let (ended, end) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Builder::new_multi_thread().build().expect("a runtime");
            let hangs = async {
                loop {
                    thread::park();
                }
            };
            let entered = runtime.enter();
            let mut running = spawn(part(Box::pin(hangs))).expect("a thread");
            drop(entered);
            running.detach_all();
            drop(runtime);
            ended.send(())
        });
        assert_eq!(end.recv_timeout(Duration::from_secs(180)), Ok(()));
    }

    /// Returns how often a task that always has something to do gets its turn on a thread before a short time-out is over.
    #[expect(clippy::disallowed_methods, reason = "the thread is to be busy")]
    async fn turns_until_a_timeout(thread: Thread) -> usize {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let run: Run = Box::pin(async move {
            // As a connection does on which there is always something to read.
            tokio::spawn(poll_fn(move |context| {
                thread::sleep(Duration::from_millis(5));
                counted.fetch_add(1, Relaxed);
                context.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        });
        let running = on_own_thread("the sender of a target", thread, run).expect("a thread");
        running.await.expect("it ends by itself");
        turns.load(Relaxed)
    }

    #[tokio::test]
    async fn a_watched_thread_keeps_its_timeouts_whatever_there_is_to_do() {
        let watched = turns_until_a_timeout(Thread::Watched("watched")).await;
        assert!(watched < 10, "{watched} turns");
        // The control: on another thread a busy task has many.
        let named = turns_until_a_timeout(Thread::Named("named")).await;
        assert!(named > 20, "{named} turns");
    }

    #[tokio::test]
    async fn a_watched_thread_is_nice_and_no_other() {
        let own = getpriority_process(None).expect("a niceness");
        for (thread, niceness) in [
            (Thread::Watched("watched"), WATCHED_NICENESS.max(own)),
            (Thread::Named("named"), own),
        ] {
            let run: Run = Box::pin(async move {
                assert_eq!(getpriority_process(None), Ok(niceness));
                Ok(())
            });
            let running = on_own_thread("the sender of a target", thread, run).expect("a thread");
            running.await.expect("it is as nice as it should be");
        }
    }

    #[tokio::test]
    async fn a_writer_that_panics_has_ended() {
        let panics = async { panic!("on purpose") };
        let mut running = spawn(part(Box::pin(panics))).expect("a thread");
        let ended = running
            .join_next()
            .await
            .expect("a part")
            .expect("no panic here");
        assert!(matches!(ended, (_, Err(RunError::Ended("the writer")))));
    }
}
