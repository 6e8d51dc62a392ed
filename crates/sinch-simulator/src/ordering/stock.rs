//! Numbers that can be ordered: all from ranges that are reserved for fiction.
//!
//! Prices are invented, but for those of the US, which were seen. That a form is required for Australian mobile numbers
//! alone is invented too: no real requirement of any other region is published.

use std::collections::BTreeSet;

use fastrand::Rng;

/// Numbers of one region and type that can be ordered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub region: &'static str,
    pub region_name: &'static str,
    pub number_type: &'static str,
    /// The product's numbers without their last digits, in E.164.
    prefix: &'static str,
    /// Number of digits after the prefix of each number.
    digits: usize,
    /// Count of the product's numbers.
    count: usize,
    pub capabilities: &'static [&'static str],
    pub currency: &'static str,
    pub setup_price: &'static str,
    pub monthly_price: &'static str,
    /// `true` if an order of these numbers requires a registration.
    pub has_form: bool,
}

impl Product {
    pub const ALL: &'static [Product] = &[
        Product {
            region: "AU",
            region_name: "Australia",
            number_type: "MOBILE",
            prefix: "+61491571",
            digits: 3,
            count: 200,
            capabilities: &["SMS"],
            currency: "EUR",
            setup_price: "1.00",
            monthly_price: "3.50",
            has_form: true,
        },
        Product {
            region: "GB",
            region_name: "United Kingdom",
            number_type: "MOBILE",
            prefix: "+447700900",
            digits: 3,
            count: 200,
            capabilities: &["SMS", "VOICE"],
            currency: "EUR",
            setup_price: "0.00",
            monthly_price: "2.50",
            has_form: false,
        },
        Product {
            region: "SE",
            region_name: "Sweden",
            number_type: "LOCAL",
            prefix: "+463139006",
            digits: 2,
            count: 100,
            capabilities: &["VOICE"],
            currency: "EUR",
            setup_price: "0.60",
            monthly_price: "0.80",
            has_form: false,
        },
        Product {
            region: "US",
            region_name: "United States",
            number_type: "LOCAL",
            prefix: "+120155501",
            digits: 2,
            count: 100,
            capabilities: &["SMS", "VOICE"],
            currency: "USD",
            setup_price: "0.50",
            monthly_price: "0.50",
            has_form: false,
        },
        Product {
            region: "US",
            region_name: "United States",
            number_type: "TOLL_FREE",
            prefix: "+188855501",
            digits: 2,
            count: 100,
            capabilities: &["SMS", "VOICE"],
            currency: "USD",
            setup_price: "2.00",
            monthly_price: "2.00",
            has_form: false,
        },
    ];

    /// Returns the numbers of this region and type, if there are any.
    pub fn find(region: &str, number_type: &str) -> Option<&'static Product> {
        Product::ALL
            .iter()
            .find(|product| product.region == region && product.number_type == number_type)
    }

    /// Returns the product to which a telephone number belongs.
    pub fn of_number(number: &str) -> Option<&'static Product> {
        Product::ALL.iter().find(|product| product.has(number))
    }

    /// Returns `true` if the telephone number belongs to the product.
    pub fn has(&self, number: &str) -> bool {
        number.strip_prefix(self.prefix).is_some_and(|last| {
            let is_last = last.len() == self.digits && last.bytes().all(|b| b.is_ascii_digit());
            is_last && last.parse().is_ok_and(|n: usize| n < self.count)
        })
    }

    /// Returns all numbers of the product, in E.164.
    pub fn numbers(&self) -> impl Iterator<Item = String> {
        let (prefix, digits) = (self.prefix, self.digits);
        (0..self.count).map(move |n| format!("{prefix}{n:0digits$}"))
    }
}

/// Place of a pattern's digits in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    Contains,
    End,
}

impl Place {
    /// Returns the place of a pattern that Sinch's word means.
    pub fn from_word(word: &str) -> Option<Place> {
        match word {
            "START" => Some(Place::Start),
            "CONTAINS" => Some(Place::Contains),
            "END" => Some(Place::End),
            _ => None,
        }
    }
}

/// Conditions of a search that a number must fulfil.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Filter {
    pub capabilities: Vec<String>,
    /// Digits that the whole number with its `+` must have, and the place where it must have them.
    pub pattern: Option<(String, Place)>,
}

impl Filter {
    /// Returns `true` if the number fulfils all conditions of the search.
    pub fn allows(&self, number: &str, capabilities: &[&str]) -> bool {
        let is_able = |wanted: &String| capabilities.contains(&wanted.as_str());
        let fits = self
            .pattern
            .as_ref()
            .is_none_or(|(part, place)| match place {
                Place::Start => number.starts_with(part),
                Place::Contains => number.contains(part),
                Place::End => number.ends_with(part),
            });
        fits && self.capabilities.iter().all(is_able)
    }
}

/// Numbers of all products that are taken; all others can be had.
#[derive(Debug, Default)]
pub(super) struct Stock {
    taken: BTreeSet<String>,
}

impl Stock {
    /// Returns a stock from which the given numbers are taken.
    pub fn without(taken: impl IntoIterator<Item = String>) -> Stock {
        Stock {
            taken: taken.into_iter().collect(),
        }
    }

    /// Returns `true` if the number can be had.
    pub fn has(&self, number: &str) -> bool {
        !self.taken.contains(number) && Product::of_number(number).is_some()
    }

    /// Returns at most `size` numbers of a product that can be had. It is a sample: two calls differ.
    pub fn sample(
        &self,
        product: &Product,
        filter: &Filter,
        size: usize,
        rng: &mut Rng,
    ) -> Vec<String> {
        let mut found: Vec<String> = product
            .numbers()
            .filter(|number| !self.taken.contains(number))
            .filter(|number| filter.allows(number, product.capabilities))
            .collect();
        rng.shuffle(&mut found);
        found.truncate(size);
        found
    }

    /// Takes a number out of the stock.
    pub fn take(&mut self, number: &str) {
        self.taken.insert(number.to_owned());
    }

    /// Puts numbers back into the stock.
    pub fn give_back(&mut self, numbers: &[String]) {
        for number in numbers {
            self.taken.remove(number);
        }
    }
}
