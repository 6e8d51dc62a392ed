//! Many plays, a few at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::task::LocalSet;

/// Number of plays at once. Most of them wait most of the time.
const PLAYERS: usize = 8;

/// Plays each of the plays, whose panics fail the test.
pub async fn play_all<T: 'static, P: Future<Output = ()> + 'static>(
    plays: impl IntoIterator<Item = T>,
    play: impl Fn(T) -> P + Clone + 'static,
) {
    let open: VecDeque<T> = plays.into_iter().collect();
    let open = Rc::new(RefCell::new(open));
    let local = LocalSet::new();
    let players = (0..PLAYERS).map(|_| {
        let (open, play) = (open.clone(), play.clone());
        local.spawn_local(async move {
            // The queue is not borrowed while a play is played.
            let next = || open.borrow_mut().pop_front();
            while let Some(one) = next() {
                play(one).await;
            }
        })
    });
    let players: Vec<_> = players.collect();
    local
        .run_until(async {
            for player in players {
                player.await.expect("no play panics");
            }
        })
        .await;
}
