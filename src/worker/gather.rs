//! Gathering of results that arrive close together: they share a commit.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::frame::POLL;

/// Time for which results gather before they are recorded. This holds up nothing, since the slots of the results are free
/// already. The fewer commits there are, the less callbacks have to wait for them.
const GATHER_TIME: Duration = Duration::from_millis(3);

/// Number of results that, if they come within [`GATHER_TIME`], are followed by as many soon: then more of them gather.
const MANY: usize = 2;

/// Maximum number of times that results gather for before they are recorded.
const GATHER_TIMES: usize = 8;

/// Maximum number of results that are recorded at once.
const BATCH_MAX: usize = 256;

/// Returns the results that arrive close together, and none if a while passes without any; `None`: no sender is left.
pub(super) async fn gather<T>(results: &mut UnboundedReceiver<T>) -> Option<Vec<T>> {
    let mut gathered = Vec::new();
    match timeout(POLL, results.recv_many(&mut gathered, BATCH_MAX)).await {
        Ok(0) => return None,
        Ok(_) => {}
        Err(_) => return Some(gathered),
    }
    for _ in 0..GATHER_TIMES {
        sleep(GATHER_TIME).await;
        let before = gathered.len();
        while gathered.len() < BATCH_MAX
            && let Ok(result) = results.try_recv()
        {
            gathered.push(result);
        }
        if gathered.len() - before < MANY {
            break;
        }
    }
    Some(gathered)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;
    use tokio::time::{Instant, interval};

    use super::*;

    #[tokio::test]
    async fn a_single_result_is_soon_recorded_and_many_wait_for_each_other() {
        let (sender, mut results) = unbounded_channel();
        sender.send(()).expect("it is received");
        assert_eq!(gather(&mut results).await, Some(vec![()]));
        let sending = tokio::spawn(async move {
            let mut turns = interval(Duration::from_millis(1));
            while sender.send(()).is_ok() {
                turns.tick().await;
            }
        });
        let began = Instant::now();
        let gathered = gather(&mut results).await.expect("a sender is left");
        assert!(began.elapsed() >= GATHER_TIME * GATHER_TIMES as u32);
        assert!(gathered.len() > MANY * GATHER_TIMES, "{}", gathered.len());
        sending.abort();
    }
}
