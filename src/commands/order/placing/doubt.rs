//! Doubt whether an order was created, in words: what is known, what will settle it, and what can be done. It does no
//! input or output.

use number_order::Time;
use sinch_numbers::api::PhoneNumber;

use crate::commands::invocation::Invocation;

/// Knowledge about a create whose outcome is not known: its number, who has it, and until when a callback can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands::order) struct Doubt {
    /// The ordered number; `None` if Sinch was to choose.
    pub number: Option<PhoneNumber>,
    /// `true` if the project has the ordered number.
    pub is_ours: bool,
    /// `true` if the configuration says how Sinch reaches the service, so that a callback can name the order.
    pub can_get_callback: bool,
    /// `true` if no outcome of the create is written down, so that the command that sends it may be at it still.
    pub is_open: bool,
    /// Time at which the create was written down.
    pub begun_at: Time,
    /// Time after which no callback will come any more about an order that the create made.
    pub ends_at: Time,
    pub now: Time,
}

impl Doubt {
    /// Returns `true` if an order of the create, if there was one, is over by now.
    pub fn is_over(&self) -> bool {
        self.now >= self.ends_at
    }

    /// Returns what is known, and what to do.
    pub fn advice(&self, invocation: &Invocation) -> String {
        let Doubt {
            begun_at, ends_at, ..
        } = self;
        if let (Some(number), true) = (&self.number, self.is_ours) {
            let show = invocation.command(&["numbers", "show", number.as_str()]);
            return format!(
                "the answer of the create was lost, and the project has the number by now: the order was presumably \
                 completed, and nothing is left to be ordered. See the number: {show}"
            );
        }
        let lost = if self.is_open && !self.is_over() {
            format!(
                "another command has begun the create of {begun_at}. It may be at it right now: then the same command \
                 again goes on with its order. Or it was stopped, and nothing tells whether Sinch made an order"
            )
        } else {
            format!(
                "the answer of the create of {begun_at} was lost, and nothing tells whether Sinch made an order"
            )
        };
        if self.is_over() {
            return format!(
                "{lost}. None was heard of until {ends_at}, and Sinch documents 48 hours as the longest reservation: if there \
                 was one, it has run out, unless such orders are completed without a submit. With --risk-second-order \
                 the same command orders again"
            );
        }
        let tells = if self.can_get_callback {
            format!(
                "If it did, a callback names the order when its reservation runs out, by {ends_at} at the latest; run the same command \
                 again then"
            )
        } else {
            format!(
                "callbacks.public_url is not set, so no callback will name it. If it did, its reservation runs out by \
                 {ends_at}; run the same command again then"
            )
        };
        let risk = if self.number.is_some() {
            "--risk-second-order sends the create again at once, which Sinch should refuse while the number is reserved"
        } else {
            "--risk-second-order orders at once, and there may be two"
        };
        format!("{lost}. {tells}. {risk}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use number_order::lost_order_ends_at;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn advice(number: bool, is_ours: bool, hears: bool, hours: u32) -> String {
        let begun_at = Time(0);
        let doubt = Doubt {
            number: number.then(|| PhoneNumber::new("+61400000001").expect("a number")),
            is_ours,
            can_get_callback: hears,
            is_open: false,
            begun_at,
            ends_at: lost_order_ends_at(begun_at),
            now: begun_at.plus(HOUR * hours),
        };
        doubt.advice(&Invocation::new(None, None))
    }

    #[test]
    fn a_callback_is_promised_only_where_one_can_come() {
        for number in [true, false] {
            let hears = advice(number, false, true, 1);
            assert!(hears.contains("a callback names the order"), "{hears}");
            assert!(hears.contains("by 1970-01-03T01:00:00Z"), "{hears}");
            let deaf = advice(number, false, false, 1);
            assert!(deaf.contains("no callback will name it"), "{deaf}");
            assert!(!deaf.contains("a callback names"), "{deaf}");
        }
    }

    #[test]
    fn a_create_of_another_command_may_be_under_way() {
        let begun_at = Time(0);
        let doubt = Doubt {
            number: None,
            is_ours: false,
            can_get_callback: true,
            is_open: true,
            begun_at,
            ends_at: lost_order_ends_at(begun_at),
            now: begun_at.plus(HOUR),
        };
        let advice = |doubt: &Doubt| doubt.advice(&Invocation::new(None, None));
        let open = advice(&doubt);
        assert!(
            open.contains("right now: then the same command again"),
            "{open}"
        );
        let now = begun_at.plus(HOUR * 50);
        let over = advice(&Doubt { now, ..doubt });
        assert!(!over.contains("right now"), "{over}");
    }

    #[test]
    fn after_the_longest_reservation_there_is_a_way_out() {
        let over = advice(false, false, true, 50);
        assert!(over.contains("it has run out"), "{over}");
        assert!(over.contains("With --risk-second-order"), "{over}");
        assert!(!over.contains("run the same command again then"), "{over}");
        let ours = advice(true, true, true, 1);
        assert!(ours.contains("numbers show +61400000001"), "{ours}");
    }
}
