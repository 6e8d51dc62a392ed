//! Words by which numbers are selected, as arguments of a command: region, type, capabilities and pattern.

use clap::ArgGroup;
use sinch_numbers::api::{
    Capability, InvalidPhoneNumber, NumberPattern, NumberType, PhoneNumber, SearchPattern,
};

/// Region and type of numbers, as the first arguments of a command.
#[derive(clap::Args, Debug)]
pub struct Product {
    /// Region: two letters, such as AU.
    #[arg(value_name = "REGION", value_parser = region)]
    pub region: String,
    /// Type of the numbers: mobile, local or toll-free.
    #[arg(value_name = "TYPE", value_parser = number_type)]
    pub number_type: NumberType,
}

/// Pattern that numbers must match.
#[derive(clap::Args, Debug)]
#[command(group = ArgGroup::new("place").args(["starts", "contains", "ends"]))]
pub struct Pattern {
    /// Digits that the number has; Sinch compares them with the whole number and its plus, such as +61400000000.
    #[arg(id = "pattern", long, value_name = "DIGITS", requires = "place", value_parser = pattern_digits)]
    digits: Option<String>,
    /// The number starts with the pattern: write the plus too.
    #[arg(long, requires = "pattern")]
    starts: bool,
    /// The number contains the pattern.
    #[arg(long, requires = "pattern")]
    contains: bool,
    /// The number ends with the pattern.
    #[arg(long, requires = "pattern")]
    ends: bool,
}

impl Pattern {
    /// Returns the pattern as Sinch takes it.
    pub fn number_pattern(&self) -> Option<NumberPattern> {
        let search_pattern = if self.starts {
            SearchPattern::Start
        } else if self.ends {
            SearchPattern::End
        } else {
            SearchPattern::Contains
        };
        self.digits.clone().map(|pattern| NumberPattern {
            pattern,
            search_pattern,
        })
    }

    /// Returns a warning about a pattern that can match no number.
    pub fn warning(&self) -> Option<String> {
        let pattern = self.digits.as_ref()?;
        (self.starts && !pattern.starts_with('+')).then(|| {
            format!(
                "warning: --starts compares with the whole number, which begins with a plus, so {pattern} will find \
                 nothing; write +{pattern} if it is the country's code with what follows"
            )
        })
    }
}

/// Reads the code of a region: two letters. Sinch's own are not all in ISO 3166-1, so no list of them is held.
pub(super) fn region(text: &str) -> Result<String, &'static str> {
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_code
        .then(|| text.to_ascii_uppercase())
        .ok_or("write two letters, such as AU")
}

/// Reads the type of numbers, as a person writes it.
pub(super) fn number_type(text: &str) -> Result<NumberType, &'static str> {
    sinch_word(text)
        .map(NumberType::new)
        .ok_or("write MOBILE, LOCAL or TOLL_FREE")
}

/// Reads a capability of numbers, as a person writes it.
pub(super) fn capability(text: &str) -> Result<Capability, &'static str> {
    sinch_word(text)
        .map(Capability::new)
        .ok_or("write SMS or VOICE")
}

/// Reads a telephone number, as a person writes it.
pub(super) fn number(text: &str) -> Result<PhoneNumber, InvalidPhoneNumber> {
    if text.starts_with('+') {
        PhoneNumber::new(text)
    } else {
        Err(InvalidPhoneNumber)
    }
}

/// Returns the text in the form of a word of Sinch's, of which there may be more than are known: in capitals, with
/// underscores.
fn sinch_word(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_word = !text.is_empty() && text.bytes().all(fits);
    is_word.then(|| text.to_ascii_uppercase().replace('-', "_"))
}

/// Reads the digits of a pattern, with or without the plus of a whole number.
fn pattern_digits(text: &str) -> Result<String, &'static str> {
    let bare = text.strip_prefix('+').unwrap_or(text);
    let is_pattern = !text.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
    is_pattern
        .then(|| text.to_owned())
        .ok_or("write digits alone, with a plus before them where the number begins")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_people_write_them() {
        assert_eq!(region("au"), Ok("AU".to_owned()));
        assert_eq!(number_type("toll-free"), Ok(NumberType::TOLL_FREE));
        assert_eq!(number_type("Mobile"), Ok(NumberType::MOBILE));
        assert_eq!(capability("sms"), Ok(Capability::SMS));
        assert_eq!(pattern_digits("+61"), Ok("+61".to_owned()));
        for bad in ["", "A", "AUS", "A1", "é"] {
            assert!(region(bad).is_err(), "{bad}");
        }
        for bad in ["", "TOLL FREE", "a/b"] {
            assert!(
                number_type(bad).is_err() && capability(bad).is_err(),
                "{bad}"
            );
        }
        for bad in ["", "61 4", "+61-4", "++61", "%2B61"] {
            assert!(pattern_digits(bad).is_err(), "{bad}");
        }
        for bad in ["61400000000", "", "+1:release"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
