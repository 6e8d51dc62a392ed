//! Lists the regions in which a project can get numbers, and searches numbers of the first one, or of the one named.
//!
//! ```text
//! export SINCH_PROJECT=… SINCH_KEY_ID=… SINCH_KEY_SECRET=…
//! cargo run -p sinch-numbers --example search_numbers -- [REGION TYPE]
//! ```
//!
//! `SINCH_API_URL` and `SINCH_TOKEN_URL` name other addresses than Sinch's.

use std::env;
use std::error::Error;

use sinch_numbers::Property;
use sinch_numbers::api::{AvailableNumber, Money, NumberSearch, NumberType};

mod common;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = common::client()?;
    let regions = client.list_regions(&[]).await?.content.regions();
    for region in &regions {
        let (code, name) = (region.region_code(), region.region_name());
        println!(
            "{} {}: {}",
            text(&code),
            text(&name),
            region.types().join(", ")
        );
    }
    let mut arguments = env::args().skip(1);
    let first = || {
        let region = regions.first()?;
        let number_type = region.types().into_iter().next()?;
        Some((text(&region.region_code()), number_type))
    };
    let named = arguments.next().zip(arguments.next());
    let (region_code, number_type) = named.or_else(first).ok_or("no region has numbers")?;

    println!("\nnumbers of {region_code}, {number_type}:");
    let search = NumberSearch {
        region_code,
        number_type: NumberType::new(number_type),
        capabilities: Vec::new(),
        number_pattern: None,
        size: Some(5),
    };
    let found = client.search_available_numbers(&search).await?.content;
    for number in found.numbers() {
        print(&number);
    }
    println!("A search reserves nothing: the next one may find others.");
    Ok(())
}

fn print(number: &AvailableNumber) {
    let price = |money: Option<Money>| match money {
        Some(money) => format!("{} {}", money.amount, money.currency_code),
        None => "an unknown price".to_owned(),
    };
    println!(
        "{} ({}): {} once, {} every {} months",
        text(&number.phone_number()),
        number.capabilities().join(", "),
        price(number.setup_price()),
        price(number.monthly_price()),
        number
            .payment_interval_months()
            .map_or("?".to_owned(), |months| months.to_string()),
    );
}

/// Returns a property's text. It may be absent or unreadable: the client says what Sinch said.
fn text(property: &Property) -> String {
    property.text().unwrap_or("?").to_owned()
}
