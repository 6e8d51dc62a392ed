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
            /// Failure of provisioning, where there is one.
            pub failure: &'static Failure,
        }

        impl Readings {
            /// Chooses a reading of every question.
            pub fn by_seed(seed: u64) -> Readings {
                let mut rng = Rng::with_seed(seed);
                Readings {
                    $($field: choose(&mut rng),)+
                    reservation: Duration::from_secs(60 * rng.u64(30..=48 * 60)),
                    failure: Failure::choose(&mut rng),
                }
            }

            /// Returns every question whose readings can be counted, with the reading that holds.
            pub fn list(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($field), format!("{:?}", self.$field)),)+]
            }

            /// Returns the number of the readings of all questions in [`Readings::list`].
            pub fn total() -> usize {
                0 $(+ $name::VARIANTS.len())+
            }
        }
    };
}

fn choose<T: VariantArray + Copy>(rng: &mut Rng) -> T {
    rng.choice(T::VARIANTS)
        .copied()
        .expect("every question has a reading")
}

/// Shows the questions one a line, as the log of a play does.
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
        /// 404, with Sinch's `resourceName` `numberRequirements`.
        NotFound,
        /// 200, without rules and attachments.
        Empty,
    }
    /// Place of `attachments` in the answer of the lookup.
    attachments_place: AttachmentsPlace {
        /// Beside `fields`, as the schema says.
        Beside,
        /// Inside `fields`, as in the published example.
        Inside,
    }
    /// Name of the sentences that a rule has for a broken limit.
    rule_sentences: RuleSentences {
        /// `message`.
        Message,
        /// `messages`.
        Messages,
    }
    /// Form of a property that is not set.
    unset: Unset {
        /// The property is absent.
        Absent,
        /// `null`.
        Null,
        /// An empty text, or an object of empty texts.
        Empty,
        /// All three, side by side.
        Mixed,
    }
    /// Number of fraction digits of times.
    fractions: Fractions {
        /// Whole seconds.
        None,
        /// Milliseconds.
        Three,
        /// Microseconds.
        Six,
        /// Nanoseconds.
        Nine,
        /// Different numbers of digits within one body.
        Mixed,
    }
    /// HTTP status of a successful create.
    created_status: CreatedStatus {
        /// 200.
        Ok,
        /// 201.
        Created,
    }
    /// Answer to a create for a number that cannot be had.
    taken_number: TakenNumber {
        /// 400.
        BadRequest,
        /// 404, as for the number itself.
        NotFound,
    }
    /// Numbers of a quantity order.
    quantity: Quantity {
        /// The quantity that was asked for.
        All,
        /// One less, if it was more than one.
        Fewer,
    }
    /// `expireTime` of an order.
    expire_time: ExpireTime {
        /// The end of the reservation.
        Shown,
        /// Not set, though the reservation ends.
        Unset,
    }
    /// Orders whose reservation runs out.
    expiring: Expiring {
        /// Only orders that were not submitted.
        Unsubmitted,
        /// Blocked orders too.
        BlockedToo,
    }
    /// Fetch of an order that has expired.
    expired: Expired {
        /// It is shown as EXPIRED.
        Shown,
        /// 404.
        Forgotten,
    }
    /// Submit of an order whose registration is incomplete.
    incomplete: Incomplete {
        /// 400, which no documentation lists.
        Refused,
        /// Accepted; the review blocks it.
        Blocked,
    }
    /// State right after submit.
    submitted: Submitted {
        /// Still CREATED (or BLOCKED), for a while.
        Unchanged,
        /// `IN_REVIEW`.
        InReview,
    }
    /// Completion of an order for which nothing is required.
    without_form: WithoutForm {
        /// With the submit.
        AtOnce,
        /// After a review.
        Later,
        /// After the callback that says so.
        CallbackFirst,
        /// Without a submit.
        WithoutSubmit,
    }
    /// Way back from BLOCKED.
    unblocking: Unblocking {
        /// The new registration alone.
        PutAlone,
        /// The new registration and another submit.
        PutAndSubmit,
    }
    /// Notation of `field` in a violation.
    field_notation: FieldNotation {
        /// `requestDetails.data[1].city`.
        Whole,
        /// `data[1].city`.
        Data,
        /// `/requestDetails/data/1/city`.
        Pointer,
        /// `city`.
        Bare,
    }
    /// `description` of a violation.
    violation_text: ViolationText {
        /// It names the rule alone.
        Plain,
        /// It repeats the value, which is personal data.
        Quoting,
    }
    /// Attachments in a registration.
    attachment_list: AttachmentList {
        /// Mandatory ones are listed as WAITING from the first registration on.
        Upfront,
        /// Only what was uploaded.
        WhenUploaded,
    }
    /// `attachmentId` in a registration.
    attachment_id: AttachmentId {
        /// The id that the lookup gives.
        Lookup,
        /// Another one. An upload takes either.
        Own,
    }
    /// Progress of an upload after its 200.
    upload: Upload {
        /// COMPLETED at once.
        AtOnce,
        /// WAITING for a while.
        Waits,
        /// WAITING, then FAILED; the second upload completes.
        FailsOnce,
    }
    /// Answer to a file that is too large.
    too_large: TooLarge {
        /// 413 in the API's form.
        Json,
        /// 413 of a proxy, as HTML.
        Html,
    }
    /// Time at which the number of a completed order becomes active.
    activation: Activation {
        /// With the completion.
        AtOnce,
        /// Later; a fetch of it gets 404 until then.
        Later,
    }
    /// `callbackUrl` of the numbers of an order that had one.
    number_callbacks: NumberCallbacks {
        /// The order's.
        CarriedOver,
        /// None, so that no event about the number is sent.
        Dropped,
    }
    /// Provisioning of a number.
    provisioning: Provisioning {
        /// It succeeds.
        Succeeds,
        /// It fails, and succeeds when the number is updated.
        FailsOnce,
    }
    /// Search without a type.
    search_without_type: SearchWithoutType {
        /// 400, as the description requires the type.
        Refused,
        /// Mobile numbers.
        Mobile,
    }
    /// Place of a pattern without `searchPattern`.
    pattern_alone: PatternAlone {
        /// At the start.
        Start,
        /// Anywhere.
        Contains,
    }
    /// Life of a token.
    tokens: Tokens {
        /// As long as it says.
        Full,
        /// It is refused at every fifth call.
        Short,
    }
    /// Body of a 401 or 429.
    refusal_body: RefusalBody {
        /// The API's form.
        Api,
        /// `{"error": "text"}`, of a gateway.
        Gateway,
        /// `{"type", "title", "detail"}`, of Sinch's registry of errors.
        Registry,
    }
    /// `Retry-After` of a 429.
    retry_after: RetryAfter {
        /// One second.
        Sent,
        /// No `Retry-After`.
        Missing,
    }
    /// Body of a 5xx.
    failure_body: FailureBody {
        /// The API's form.
        Json,
        /// A page of a proxy.
        Html,
    }
}
