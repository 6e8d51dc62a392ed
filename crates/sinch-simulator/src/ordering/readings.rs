//! Readings of what Sinch's documentation leaves open.
//!
//! A client must survive each of them. No reading is Sinch's word: [`Readings`] says of each that it was chosen.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use strum::VariantArray;

use super::failures::Failure;

/// Declares the open questions, each once: its type, its field in [`Readings`], its part in the choice and the list.
macro_rules! open_questions {
    ($($(#[$about:meta])* $field:ident: $name:ident { $($(#[$says:meta])* $reading:ident,)+ })+) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
            pub enum $name { $($(#[$says])* $reading,)+ }
        )+

        /// One reading of every open question.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Readings {
            $($(#[$about])* pub $field: $name,)+
            /// Time for which the numbers of an order are reserved. Sinch says 30 minutes to 48 hours.
            pub reservation: Duration,
            /// Failure with which provisioning fails, where it does.
            pub failure: &'static Failure,
        }

        impl Readings {
            /// Chooses a reading of every open question, by seed.
            pub fn by_seed(seed: u64) -> Readings {
                let mut rng = Rng::with_seed(seed);
                Readings {
                    $($field: choose_reading(&mut rng),)+
                    reservation: Duration::from_secs(60 * rng.u64(30..=48 * 60)),
                    failure: Failure::choose(&mut rng),
                }
            }

            /// Returns every open question whose readings can be counted, with the reading that holds.
            pub fn list(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($field), format!("{:?}", self.$field)),)+]
            }

            /// Returns these readings, but the n-th of one question; `None` if the question has no such reading.
            pub fn with(&self, question: &str, n: usize) -> Option<Readings> {
                let mut readings = self.clone();
                match question {
                    $(stringify!($field) => readings.$field = *$name::VARIANTS.get(n)?,)+
                    _ => return None,
                }
                Some(readings)
            }

            /// Returns the number of the readings of all questions that [`Readings::list`] returns.
            pub fn total() -> usize {
                0 $(+ $name::VARIANTS.len())+
            }
        }
    };
}

fn choose_reading<T: VariantArray + Copy>(rng: &mut Rng) -> T {
    rng.choice(T::VARIANTS)
        .copied()
        .expect("every question has a reading")
}

/// Shows the open questions with their readings, one a line, as the log of a play does.
impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (question, reading) in self.list() {
            writeln!(f, "{question}: {reading} (chosen by seed)")?;
        }
        let minutes = self.reservation.as_secs() / 60;
        writeln!(f, "reservation: {minutes} min (chosen by seed)")?;
        write!(f, "failure: {} (chosen by seed)", self.failure.code)
    }
}

open_questions! {
    /// Answer of the lookup where nothing is required. The first was seen, the second fits the description.
    nothing_required: NothingRequired {
        /// The lookup answers 404, with Sinch's `resourceName` `numberRequirements`.
        NotFound,
        /// The lookup answers 200, without rules and attachments.
        Empty,
    }
    /// Place of `attachments` in the answer of the lookup.
    attachments_place: AttachmentsPlace {
        /// `attachments` stands beside `fields`, as the schema says.
        Beside,
        /// `attachments` stands inside `fields`, as in the published example.
        Inside,
    }
    /// Name of the property with a rule's sentences for broken limits.
    rule_sentences: RuleSentences {
        /// The property is called `message`.
        Message,
        /// The property is called `messages`.
        Messages,
    }
    /// Form of a property that is not set.
    unset: Unset {
        /// A property that is not set is absent.
        Absent,
        /// A property that is not set is `null`.
        Null,
        /// A property that is not set is an empty text, or an object of empty texts.
        Empty,
        /// Properties that are not set have all three forms, side by side.
        Mixed,
    }
    /// Number of fraction digits of the API's times.
    fractions: Fractions {
        /// Times are in whole seconds.
        None,
        /// Times are in milliseconds.
        Three,
        /// Times are in microseconds.
        Six,
        /// Times are in nanoseconds.
        Nine,
        /// Times have different numbers of digits within one body.
        Mixed,
    }
    /// HTTP status of a successful create.
    created_status: CreatedStatus {
        /// A successful create answers 200.
        Ok,
        /// A successful create answers 201.
        Created,
    }
    /// Answer to a create for a number that cannot be had.
    taken_number: TakenNumber {
        /// The create answers 400.
        BadRequest,
        /// The create answers 404, as a search for the number does.
        NotFound,
    }
    /// Count of the numbers that an order of a quantity gets.
    quantity: Quantity {
        /// The order gets the quantity that was asked for.
        All,
        /// The order gets one number less, if more than one was asked for.
        Fewer,
    }
    /// `expireTime` that an order shows.
    expire_time: ExpireTime {
        /// `expireTime` is the end of the reservation.
        Shown,
        /// `expireTime` is not set, though the reservation ends.
        Unset,
    }
    /// Orders that expire when their reservation runs out.
    expiring: Expiring {
        /// Only orders that were not submitted expire.
        Unsubmitted,
        /// Blocked orders expire too.
        BlockedToo,
    }
    /// Answer to a fetch of an order that has expired.
    expired: Expired {
        /// The order is shown as EXPIRED.
        Shown,
        /// The fetch answers 404.
        Forgotten,
    }
    /// Answer to the submit of an order whose registration is incomplete.
    incomplete: Incomplete {
        /// The submit answers 400, which no documentation lists.
        Refused,
        /// The submit is accepted, and the review blocks the order.
        Blocked,
    }
    /// State of an order right after its submit.
    submitted: Submitted {
        /// The order stays CREATED (or BLOCKED) for a while.
        Unchanged,
        /// The order is `IN_REVIEW` at once.
        InReview,
    }
    /// Completion of an order for which nothing is required.
    without_form: WithoutForm {
        /// The order completes with the submit.
        AtOnce,
        /// The order completes after a review.
        Later,
        /// The order completes after the callback that says so.
        CallbackFirst,
        /// The order completes without a submit.
        WithoutSubmit,
    }
    /// Way of an order back from BLOCKED.
    unblocking: Unblocking {
        /// The new registration alone unblocks the order.
        PutAlone,
        /// The new registration and another submit unblock the order.
        PutAndSubmit,
    }
    /// Notation in which a violation names its `field`.
    field_notation: FieldNotation {
        /// The field is named in full: `requestDetails.data[1].city`.
        Whole,
        /// The field is named from `data` on: `data[1].city`.
        Data,
        /// The field is named by a JSON pointer: `/requestDetails/data/1/city`.
        Pointer,
        /// The field is named by its own name alone: `city`.
        Bare,
    }
    /// Text in the `description` of a violation.
    violation_text: ViolationText {
        /// The text names the rule alone.
        Plain,
        /// The text repeats the value, which is personal data.
        Quoting,
    }
    /// Attachments that a registration lists.
    attachment_list: AttachmentList {
        /// Mandatory documents are listed as WAITING from the first registration on.
        Upfront,
        /// Only documents that were uploaded are listed.
        WhenUploaded,
    }
    /// `attachmentId` that a registration shows.
    attachment_id: AttachmentId {
        /// The registration shows the id that the lookup gives.
        Lookup,
        /// The registration shows another id. An upload takes either.
        Own,
    }
    /// Progress of an upload after the 200 that answers it.
    upload: Upload {
        /// The upload is COMPLETED at once.
        AtOnce,
        /// The upload is WAITING for a while.
        Waits,
        /// The upload is WAITING, then FAILED; the second upload completes.
        FailsOnce,
    }
    /// Answer to an upload of a file that is too large.
    too_large: TooLarge {
        /// The upload answers 413 in the API's form.
        Json,
        /// The upload answers 413 of a proxy, as HTML.
        Html,
    }
    /// Time at which the number of a completed order becomes active.
    activation: Activation {
        /// The number becomes active with the completion.
        AtOnce,
        /// The number becomes active later; a fetch of it gets 404 until then.
        Later,
    }
    /// `callbackUrl` of the numbers of an order that had one.
    number_callbacks: NumberCallbacks {
        /// The numbers have the order's `callbackUrl`.
        CarriedOver,
        /// The numbers have no `callbackUrl`, so that no event about them is sent.
        Dropped,
    }
    /// Result of the provisioning of a number.
    provisioning: Provisioning {
        /// Provisioning succeeds.
        Succeeds,
        /// Provisioning fails, and succeeds when the number is updated.
        FailsOnce,
    }
    /// Answer to a search for numbers that names no type.
    search_without_type: SearchWithoutType {
        /// The search answers 400, as the description requires the type.
        Refused,
        /// The search finds mobile numbers.
        Mobile,
    }
    /// Place in the number of a pattern without `searchPattern`.
    pattern_alone: PatternAlone {
        /// The pattern stands at the start of the number.
        Start,
        /// The pattern stands anywhere in the number.
        Contains,
    }
    /// Life of an access token.
    tokens: Tokens {
        /// The token lives as long as it says.
        Full,
        /// A token is refused from its fifth call on.
        Short,
    }
    /// Form of the body of a 401 or 429.
    refusal_body: RefusalBody {
        /// The body has the API's form.
        Api,
        /// The body is `{"error": "text"}`, of a gateway.
        Gateway,
        /// The body is `{"type", "title", "detail"}`, of Sinch's registry of errors.
        Registry,
    }
    /// `Retry-After` that a 429 has.
    retry_after: RetryAfter {
        /// `Retry-After` is one second.
        Sent,
        /// There is no `Retry-After`.
        Missing,
    }
    /// Form of the body of a 5xx.
    failure_body: FailureBody {
        /// The body has the API's form.
        Json,
        /// The body is a page of a proxy.
        Html,
    }
}
