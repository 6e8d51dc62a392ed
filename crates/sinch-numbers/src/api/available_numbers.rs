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
    /// Region of the numbers: `regionCode`, as ISO 3166-1 has it.
    pub region_code: String,
    /// Type that the numbers must have: `type`. Always sent: Sinch's sources disagree on what holds without it.
    pub number_type: NumberType,
    /// Capabilities that a number must have: `capabilities`.
    pub capabilities: Vec<Capability>,
    /// Pattern that the numbers must match: `numberPattern`.
    pub number_pattern: Option<NumberPattern>,
    /// Maximum number of numbers to find: `size`. Sinch publishes neither a default nor a maximum.
    pub size: Option<u32>,
}

object! {
    /// Numbers that a search has found: a sample of those that can be had, and no reservation. The same search finds
    /// others the next time.
    AvailableNumbers {
        /// Numbers that were found: `availableNumbers`, empty if there are none.
        numbers: Vec<AvailableNumber> = "availableNumbers",
    }
}

object! {
    /// A number that can be had.
    AvailableNumber {
        /// The telephone number: `phoneNumber`, with a plus before its digits.
        phone_number: Property<'_> = "phoneNumber",
        /// Region of the number: `regionCode`, as ISO 3166-1 has it.
        region_code: Property<'_> = "regionCode",
        /// Type of the number: `type`, which is MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch adds.
        number_type: Property<'_> = "type",
        /// Capabilities of the number: `capability`, each of which is SMS, VOICE, or a word that Sinch adds.
        capabilities: Vec<String> = "capability",
        /// Price of the number that is paid once: `setupPrice`.
        setup_price: Option<Money> = "setupPrice",
        /// Price of the number that is paid for each interval: `monthlyPrice`.
        monthly_price: Option<Money> = "monthlyPrice",
        /// Number of months after which the `monthlyPrice` is paid again: `paymentIntervalMonths`.
        payment_interval_months: Option<u32> = "paymentIntervalMonths",
        /// Sinch's claim that documents are required: `supportingDocumentationRequired`. Not reliable: Sinch has answered
        /// true for numbers that needed nothing. Only [`Client::look_up_requirements`] tells.
        supporting_documentation_required: Option<bool> = "supportingDocumentationRequired",
    }
}

/// Adds the parameters of a pattern of numbers to a query.
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
    fn query_parameters(&self) -> Vec<(&'static str, String)> {
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
        let request = Request::get(&["availableNumbers"]).query(search.query_parameters());
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
