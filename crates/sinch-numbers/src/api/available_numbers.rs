//! Numbers that can be had: `/availableNumbers`.

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::money::Money;
use super::object::object;
use super::request::Request;
use super::transport::Answer;
use super::words::{Capability, NumberPattern, NumberType, PhoneNumber};
use crate::Property;

/// Search for numbers that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberSearch {
    /// `regionCode`, as ISO 3166-1 has it.
    pub region_code: String,
    /// `type` of the numbers. Always sent: Sinch's sources disagree on what holds without it.
    pub number_type: NumberType,
    /// `capabilities` that a number must have.
    pub capabilities: Vec<Capability>,
    /// `numberPattern` that the numbers match.
    pub number_pattern: Option<NumberPattern>,
    /// `size`: maximum number of numbers. Sinch publishes neither a default nor a maximum.
    pub size: Option<u32>,
}

object! {
    /// Numbers that a search has found: a sample of those that can be had, and no reservation. The same search finds
    /// others the next time.
    AvailableNumbers {
        /// `availableNumbers`, empty if there are none.
        numbers: Vec<AvailableNumber> = "availableNumbers",
    }
}

object! {
    /// A number that can be had.
    AvailableNumber {
        /// `phoneNumber`, with a plus before its digits.
        phone_number: Property<'_> = "phoneNumber",
        /// `regionCode`, as ISO 3166-1 has it.
        region_code: Property<'_> = "regionCode",
        /// `type`: MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
        number_type: Property<'_> = "type",
        /// `capability`: SMS, VOICE, or a word that Sinch adds.
        capabilities: Vec<String> = "capability",
        /// `setupPrice`, paid once.
        setup_price: Option<Money> = "setupPrice",
        /// `monthlyPrice`, paid for each interval.
        monthly_price: Option<Money> = "monthlyPrice",
        /// `paymentIntervalMonths`: length of an interval, in months.
        payment_interval_months: Option<u32> = "paymentIntervalMonths",
        /// `supportingDocumentationRequired`. Not reliable: Sinch has answered true for numbers that needed nothing.
        /// Only [`Client::look_up_requirements`] tells.
        supporting_documentation_required: Option<bool> = "supportingDocumentationRequired",
    }
}

/// Adds the parameters of a pattern.
pub(super) fn add_pattern(
    parameters: &mut Vec<(&'static str, String)>,
    pattern: Option<&NumberPattern>,
) {
    if let Some(pattern) = pattern {
        let place = pattern.search_pattern.as_str();
        parameters.push(("numberPattern.pattern", pattern.pattern.clone()));
        parameters.push(("numberPattern.searchPattern", place.to_owned()));
    }
}

impl NumberSearch {
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![
            ("regionCode", self.region_code.clone()),
            ("type", self.number_type.as_str().to_owned()),
        ];
        let capabilities = self.capabilities.iter();
        parameters.extend(capabilities.map(|word| ("capabilities", word.as_str().to_owned())));
        add_pattern(&mut parameters, self.number_pattern.as_ref());
        parameters.extend(self.size.map(|size| ("size", size.to_string())));
        parameters
    }
}

impl Client {
    /// Searches numbers that can be had: `GET /availableNumbers`. Finding none is an answer too.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn search_available_numbers(
        &self,
        search: &NumberSearch,
    ) -> Result<Answer<AvailableNumbers>, CallError> {
        let request = Request::get(&["availableNumbers"]).query(search.parameters());
        self.call(Call::SearchAvailableNumbers, request).await
    }

    /// Finds out if a number can be had: `GET /availableNumbers/{phoneNumber}`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. [`Failure::NotFound`](super::Failure::NotFound) means that the
    /// number cannot be had; Sinch does not tell a number that is taken from one that is reserved or does not exist.
    /// Sinch documents 400, 403 and 500 as well.
    pub async fn get_available_number(
        &self,
        number: &PhoneNumber,
    ) -> Result<Answer<AvailableNumber>, CallError> {
        let path = ["availableNumbers", number.as_str()];
        self.call(Call::GetAvailableNumber, Request::get(&path))
            .await
    }
}
