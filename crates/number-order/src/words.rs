//! Counts in words.

/// Returns a number with the words for one or for several: `1 order`, `2 orders are`.
pub fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_told_in_the_singular_and_any_other_number_in_the_plural() {
        for (number, expected) in [
            (0, "0 orders are"),
            (1, "1 order is"),
            (2, "2 orders are"),
            (11, "11 orders are"),
        ] {
            assert_eq!(counted(number, "order is", "orders are"), expected);
        }
    }
}
