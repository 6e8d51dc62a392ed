//! What the target has of a row and the source does not, or has otherwise.

use crate::store::postgres::storable;
use crate::store::sql::cells::{Cell, Cells};
use crate::store::sql::inbox::{digest, fingerprint_of};

/// Makes a row of the target from one of the source, in place.
pub(super) type Derive = fn(&mut Cells);

/// Place of the key by which a duplicate is recognised in rows of deliveries, and in those of the queue.
const DEDUP_KEY: usize = 2;

/// Place of the digest in rows of deliveries.
const DIGEST: usize = 3;

/// Leaves a row as it is.
pub(super) fn nothing(_: &mut Cells) {}

/// Fills in the digest of a delivery's body where the body is there, and makes its key that of the event.
pub(super) fn delivery(row: &mut Cells) {
    if let (Some(Cell::Null), Some(Cell::Bytes(body))) = (row.get(DIGEST), row.last()) {
        row[DIGEST] = Cell::Bytes(digest(body).to_vec());
    }
    if let Some(Cell::Bytes(digest)) = row.get(DIGEST).cloned() {
        event_key(row, &digest);
    }
}

/// Makes the key of a delivery that waits that of its event, by its body, which the queue does not have.
pub(super) fn pending(row: &mut Cells) {
    if let Some(Cell::Bytes(body)) = row.pop() {
        event_key(row, &digest(&body));
    }
}

/// Takes the digest of the body off the key. The source keeps an event that came with another body under a key of its
/// own, that of the event with the digest behind it; at the target the digest is a column of the key.
fn event_key(row: &mut Cells, digest: &[u8]) {
    let suffix = format!(" {}", fingerprint_of(digest));
    if let Some(Cell::Text(key)) = row.get_mut(DEDUP_KEY) {
        while let Some(event) = key.strip_suffix(&suffix).filter(|event| !event.is_empty()) {
            *key = event.to_owned();
        }
    }
}

/// Makes each text of a row one that the target can store, as it does with what it accepts itself.
pub(super) fn make_storable(row: &mut Cells) {
    for cell in row {
        if let Cell::Text(text) = cell
            && text.contains('\0')
        {
            *text = storable(text).into_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn a_conflict_has_the_key_of_its_event_and_the_digest_of_its_body() {
        let body = b"{}".to_vec();
        let own = digest(&body).to_vec();
        let suffix = fingerprint_of(&own);
        let of_another = fingerprint_of(&digest(b"another"));
        for (key, expected) in [
            ("e1".to_owned(), "e1".to_owned()),
            (format!("e1 {suffix}"), "e1".to_owned()),
            (format!("e1 {suffix} {suffix}"), "e1".to_owned()),
            // A delivery without an event's id, and an id that looks like the key of another body.
            (suffix.clone(), suffix.clone()),
            (format!("e1 {of_another}"), format!("e1 {of_another}")),
            (format!(" {suffix}"), format!(" {suffix}")),
        ] {
            let of_body = [Cell::Int(1), Cell::Int(1), text(&key), Cell::Null];
            let mut row = of_body.to_vec();
            row.push(Cell::Bytes(body.clone()));
            delivery(&mut row);
            assert_eq!(
                row[DEDUP_KEY..=DIGEST],
                [text(&expected), Cell::Bytes(own.clone())]
            );

            let mut emptied = of_body.to_vec();
            emptied[DIGEST] = Cell::Bytes(own.clone());
            emptied.push(Cell::Null);
            delivery(&mut emptied);
            assert_eq!(emptied[DEDUP_KEY..=DIGEST], row[DEDUP_KEY..=DIGEST]);

            let mut waiting = vec![
                Cell::Int(1),
                Cell::Int(1),
                text(&key),
                Cell::Bytes(body.clone()),
            ];
            pending(&mut waiting);
            assert_eq!(waiting, [Cell::Int(1), Cell::Int(1), text(&expected)]);
        }
    }

    #[test]
    fn a_text_with_the_character_0_is_stored_as_the_target_stores_it() {
        let mut row = vec![Cell::Int(1), text("a\0b"), text("ab"), Cell::Bytes(vec![0])];
        make_storable(&mut row);
        assert_eq!(
            row,
            [
                Cell::Int(1),
                text("a\u{fffd}b"),
                text("ab"),
                Cell::Bytes(vec![0])
            ]
        );
    }
}
