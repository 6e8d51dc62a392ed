//! Regions of numbers: `/availableRegions`.

use super::call::Call;
use super::call_error::CallError;
use super::client::Client;
use super::object::object;
use super::request::Request;
use super::transport::Answer;
use super::words::NumberType;
use crate::Property;

object! {
    /// Regions in which the project can get numbers. Sinch describes them once as those for which numbers are provided,
    /// and once as those that have numbers assigned to the project.
    Regions {
        /// Regions that the answer lists: `availableRegions`, in the order of the answer.
        regions: Vec<Region> = "availableRegions",
    }
}

object! {
    /// A region in which a project can get numbers.
    Region {
        /// Code of the region: `regionCode`, two letters, mostly as ISO 3166-1 has them.
        region_code: Property<'_> = "regionCode",
        /// Name of the region in English: `regionName`.
        region_name: Property<'_> = "regionName",
        /// Types of numbers in the region: `types`, each of which is MOBILE, LOCAL, `TOLL_FREE`, or a word that Sinch
        /// adds.
        types: Vec<String> = "types",
    }
}

impl Client {
    /// Lists the regions that have one of these types of numbers, or all regions: `GET /availableRegions`.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer with an object in it. Sinch documents 400, 403, 404 and 500.
    pub async fn list_regions(&self, types: &[NumberType]) -> Result<Answer<Regions>, CallError> {
        let types = types.iter().map(|word| ("types", word.as_str().to_owned()));
        let request = Request::get(&["availableRegions"]).query(types.collect());
        self.call(Call::ListRegions, request).await
    }
}
