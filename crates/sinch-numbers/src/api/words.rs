//! Values that several requests take: telephone numbers, their types and capabilities, and patterns to search by.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// A telephone number in E.164, as Sinch wants it: a plus, then digits.
///
/// `Debug` does not show the number.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

/// Maximum length of a telephone number, in bytes. E.164 allows 15 digits.
const PHONE_NUMBER_MAX_BYTES: usize = 64;

/// Reason why a text cannot be sent as a telephone number. It does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no telephone number: write a plus and digits, without blanks, such as +61411000111")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// Returns the text as a telephone number.
    ///
    /// # Errors
    ///
    /// Fails if the text could change the meaning of a path in which it stands. Sinch judges the rest.
    pub fn new(text: impl Into<String>) -> Result<PhoneNumber, InvalidPhoneNumber> {
        let text = text.into();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_');
        if (1..=PHONE_NUMBER_MAX_BYTES).contains(&text.len()) && text.bytes().all(fits) {
            Ok(PhoneNumber(text))
        } else {
            Err(InvalidPhoneNumber)
        }
    }

    /// Returns the telephone number as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneNumber").finish_non_exhaustive()
    }
}

/// Declares a type for words of a list that Sinch may extend.
macro_rules! words {
    ($(#[$doc:meta])* $type:ident {$( $(#[$about:meta])* $word:ident, )*}) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(Cow<'static, str>);

        impl $type {
            $(
                $(#[$about])*
                pub const $word: $type = $type(Cow::Borrowed(stringify!($word)));
            )*

            /// Returns a word of the list, known or not.
            pub fn new(word: impl Into<String>) -> $type {
                $type(Cow::Owned(word.into()))
            }

            /// Returns the word as it is sent.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

words! {
    /// Type of a number: a documented word, or one that Sinch adds.
    NumberType {
        /// A mobile number.
        MOBILE,
        /// A local number.
        LOCAL,
        /// A number whose caller does not pay.
        TOLL_FREE,
    }
}

words! {
    /// Capability of a number: a documented word, or one that Sinch adds.
    Capability {
        /// The number can be used for text messages.
        SMS,
        /// The number can be used for calls.
        VOICE,
    }
}

/// Pattern by which numbers are searched.
///
/// `Debug` does not show the digits, which may be a whole number.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberPattern {
    /// Digits that the number has. A search compares them with the whole number in E.164, its plus included: `+1212`
    /// finds what `212` at the start does not. (Seen in answers of Sinch, not documented.)
    pub pattern: String,
    /// Place of the digits in the number. Sinch does not say what holds without it, so it is always sent.
    pub search_pattern: SearchPattern,
}

/// Place of a pattern's digits in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SearchPattern {
    /// The number begins with the digits.
    Start,
    /// The number contains the digits.
    Contains,
    /// The number ends with the digits.
    End,
}

impl SearchPattern {
    /// Returns Sinch's word for the place.
    pub fn as_str(self) -> &'static str {
        match self {
            SearchPattern::Start => "START",
            SearchPattern::Contains => "CONTAINS",
            SearchPattern::End => "END",
        }
    }
}

impl fmt::Debug for NumberPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberPattern")
            .field("search_pattern", &self.search_pattern)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_in_its_place_in_a_path() {
        for good in ["+61411000111", "61411000111", "+4475XYZ", "YOUR_number"] {
            let number = PhoneNumber::new(good).expect("a number");
            assert_eq!(number.as_str(), good);
        }
        let long = "1".repeat(65);
        for bad in [
            "",
            "+1:release",
            "a/b",
            "..",
            "+1 2",
            "+1?a=b",
            "+1#",
            "%2B1",
            "+1\n",
            "é",
            &long,
        ] {
            assert_eq!(PhoneNumber::new(bad), Err(InvalidPhoneNumber), "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_number() {
        let number = PhoneNumber::new("+61411000111").expect("a number");
        let pattern = NumberPattern {
            pattern: "+61411000111".to_owned(),
            search_pattern: SearchPattern::Start,
        };
        let shown = format!("{number:?} {pattern:?} {:?}", PhoneNumber::new("+61 411"));
        assert!(!shown.contains("61"), "{shown}");
    }

    #[test]
    fn a_word_is_sent_the_same_in_a_body_and_in_a_query() {
        for word in [
            SearchPattern::Start,
            SearchPattern::Contains,
            SearchPattern::End,
        ] {
            let json = serde_json::to_string(&word).expect("JSON");
            assert_eq!(json, format!("\"{}\"", word.as_str()));
        }
        assert_eq!(NumberType::new("TOLL_FREE"), NumberType::TOLL_FREE);
        assert_eq!(Capability::new("FAX").as_str(), "FAX");
    }
}
