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
        if !more_is_near(before, gathered.len()) {
            break;
        }
    }
    Some(gathered)
}

/// Returns `true` if results still come so fast that those gathered are worth holding: there were `before` of them, and now `after`.
fn more_is_near(before: usize, after: usize) -> bool {
    after - before >= MANY && after < BATCH_MAX
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn what_has_come_is_recorded_together_up_to_a_maximum() {
        let (sender, mut results) = unbounded_channel();
        for _ in 0..=BATCH_MAX {
            sender.send(()).expect("it is received");
        }
        for count in [BATCH_MAX, 1] {
            assert_eq!(gather(&mut results).await, Some(vec![(); count]));
        }
        drop(sender);
        assert_eq!(gather(&mut results).await, None);
    }

    #[test]
    fn results_gather_on_while_many_come_and_there_is_room() {
        for (before, after, on) in [
            (1, 1, false),
            (1, 2, false),
            (1, 3, true),
            (250, BATCH_MAX - 1, true),
            (250, BATCH_MAX, false),
            (BATCH_MAX, BATCH_MAX, false),
        ] {
            assert_eq!(more_is_near(before, after), on, "{before}, then {after}");
        }
    }
}
