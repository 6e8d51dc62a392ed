//! How many notifications are claimed: one for each free slot, and of a target that is fast some more. Pure.

/// Maximum number of notifications that are claimed beyond the slots. A fast receiver takes as many while one commit
/// waits for the disk.
const AHEAD_MAX: usize = 128;

/// Number of claimed notifications, and how many may be.
#[derive(Debug)]
pub(super) struct Ahead {
    slots: usize,
    /// Number of notifications that may be claimed beyond the slots.
    beyond: usize,
    /// Number of claimed notifications that have not been sent.
    held: usize,
}

impl Ahead {
    pub(super) fn new(slots: usize) -> Ahead {
        Ahead {
            slots,
            beyond: 0,
            held: 0,
        }
    }

    /// Returns the number of notifications that may be claimed now: none as long as enough of those beyond the slots are left,
    /// since each claim is a commit for which callbacks wait.
    pub(super) fn room(&self) -> u32 {
        if self.held > self.slots + self.beyond / 2 {
            return 0;
        }
        let room = (self.slots + self.beyond).saturating_sub(self.held);
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// Counts notifications that were claimed. If all that were asked for came, and no slot was taken any more, the disk
    /// has held up the slots: next time, more are claimed.
    pub(super) fn claimed(&mut self, count: usize) {
        let was_empty = self.held == 0;
        let came = count > 0 && count >= self.slots + self.beyond;
        if was_empty && came {
            self.beyond = (self.beyond * 2).clamp(self.slots, AHEAD_MAX);
        }
        self.held += count;
    }

    /// Notes how an attempt ended. Of a target that does not take what it is told, nothing is claimed ahead.
    pub(super) fn ended(&mut self, delivered: bool) {
        if !delivered {
            self.beyond = 0;
        }
    }

    /// Frees the place of a claimed notification.
    pub(super) fn release(&mut self) {
        self.held = self.held.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end_all(ahead: &mut Ahead, count: usize) {
        for _ in 0..count {
            ahead.ended(true);
            ahead.release();
        }
    }

    #[test]
    fn a_fast_target_is_claimed_for_ahead_and_a_failing_one_is_not() {
        let mut ahead = Ahead::new(8);
        assert_eq!(ahead.room(), 8);
        ahead.claimed(8);
        assert_eq!(ahead.room(), 8);
        end_all(&mut ahead, 8);
        for room in [16, 24, 40, 72, 136, 136] {
            assert_eq!(ahead.room(), room);
            ahead.claimed(room as usize);
            end_all(&mut ahead, room as usize);
        }
        ahead.claimed(20);
        ahead.ended(false);
        ahead.release();
        assert_eq!(ahead.room(), 0);
        end_all(&mut ahead, 19);
        assert_eq!(ahead.room(), 8);
    }

    #[test]
    fn more_is_claimed_once_half_of_what_was_claimed_ahead_is_sent() {
        let mut ahead = Ahead::new(8);
        for room in [8, 16, 24, 40] {
            ahead.claimed(room);
            end_all(&mut ahead, room);
        }
        ahead.claimed(70);
        end_all(&mut ahead, 29);
        assert_eq!(ahead.room(), 0);
        end_all(&mut ahead, 1);
        assert_eq!(ahead.room(), 32);
    }

    #[test]
    fn nothing_is_claimed_ahead_while_slots_are_taken_or_little_waits() {
        let mut ahead = Ahead::new(4);
        ahead.claimed(3);
        ahead.claimed(1);
        assert_eq!(ahead.room(), 0);
        end_all(&mut ahead, 4);
        ahead.claimed(1);
        assert_eq!(ahead.room(), 3);
    }
}
