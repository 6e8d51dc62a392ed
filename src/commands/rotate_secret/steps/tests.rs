//! What is done next, by tables, and where it ends, from wherever it begins.

use proptest::prelude::*;

use super::*;

const QUIET: Duration = Duration::from_secs(60);

fn at(secs: i64) -> Time {
    Time(secs * 1_000_000)
}

/// A secret in force that has verified callbacks from the first time to the second.
fn used(span: Option<(i64, i64)>) -> Line {
    Line {
        is_in_force: true,
        is_made_here: false,
        first_at: span.map(|(first, _)| at(first)),
        last_at: span.map(|(_, last)| at(last)),
    }
}

fn made() -> Line {
    Line {
        is_made_here: true,
        ..used(None)
    }
}

fn standing(file: Vec<Line>, at_sinch: AtSinch) -> Standing {
    Standing {
        in_force: file.len(),
        file,
        at_sinch,
        given: Given::Nothing,
        now: at(1000),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_next_step_follows_from_what_there_is() {
    use AtSinch::{Elsewhere, Unusable};
    use Step::{Add, Change, Reload, Retire, TakeOver};
    let old = || used(Some((1, 990)));
    let not_in_force = Line {
        is_in_force: false,
        ..made()
    };
    let seen = |span| used(Some(span));
    let given = |given, mut standing: Standing| {
        standing.given = given;
        standing
    };
    let one = |line| standing(vec![line], AtSinch::Line(0));
    let two = |lines: [Line; 2], at_sinch| standing(lines.to_vec(), AtSinch::Line(at_sinch));
    let still = |left| Some(Step::Watch(Watch::Quiet(Duration::from_secs(left))));
    let unseen = Some(Step::Watch(Watch::Unseen));
    let mut reloaded_too_late = one(made());
    reloaded_too_late.in_force = 2;
    for (what, standing, expected) in [
        ("nothing has begun", one(old()), Some(Add)),
        ("nor here, though it was made", one(made()), Some(Add)),
        ("drift", standing(vec![old()], Elsewhere), Some(TakeOver)),
        (
            "taken over",
            two([old(), not_in_force.clone()], 1),
            Some(Reload),
        ),
        ("added", two([old(), not_in_force], 0), Some(Reload)),
        ("in force", two([old(), made()], 0), Some(Change(1))),
        ("at Sinch", two([old(), made()], 1), unseen),
        (
            "seen, the old one is used",
            two([old(), seen((900, 999))], 1),
            still(50),
        ),
        (
            "seen, the old one is not",
            two([used(None), seen((980, 999))], 1),
            still(40),
        ),
        (
            "quiet",
            two([seen((1, 940)), seen((900, 999))], 1),
            Some(Retire),
        ),
        ("the file has less", reloaded_too_late, Some(Reload)),
        ("no secret", standing(vec![old()], Unusable), Some(Add)),
        (
            "added to none",
            standing(vec![old(), made()], Unusable),
            Some(Change(1)),
        ),
        ("given", given(Given::New, one(old())), Some(Add)),
        (
            "given, added",
            given(Given::Line(1), two([old(), used(None)], 0)),
            Some(Change(1)),
        ),
        (
            "given, at Sinch",
            given(Given::Line(1), two([old(), used(None)], 1)),
            unseen,
        ),
        ("given, done", given(Given::Line(0), one(old())), None),
    ] {
        assert_eq!(standing.next(false, QUIET), expected, "{what}");
    }
    assert_eq!(one(old()).next(true, QUIET), None, "done");
}

#[test]
fn a_secret_that_somebody_may_be_about_to_set_is_not_retired() {
    for (file, at_sinch, given, stranger) in [
        (vec![used(None)], 0, Given::Nothing, None),
        (vec![used(None), used(None)], 0, Given::Nothing, Some(1)),
        (vec![used(None), used(None)], 0, Given::Line(1), None),
        (vec![used(None), made()], 0, Given::Nothing, None),
        (
            vec![used(None), made(), used(None)],
            1,
            Given::Nothing,
            Some(2),
        ),
        // What stands before Sinch's is old.
        (vec![used(None), used(None)], 1, Given::Nothing, None),
    ] {
        let mut standing = standing(file, AtSinch::Line(at_sinch));
        standing.given = given;
        assert_eq!(standing.stranger(), stranger, "{standing:?}");
    }
    let drift = standing(vec![used(None)], AtSinch::Elsewhere);
    assert_eq!(drift.stranger(), None);
}

#[test]
fn a_plan_names_every_step_in_its_order() {
    use Step::{Add, Change, Reload, Retire, TakeOver};
    let watch = Step::Watch(Watch::Unseen);
    let plan = |standing: Standing| standing.plan(QUIET);
    assert_eq!(
        plan(standing(vec![used(None)], AtSinch::Line(0))),
        [Add, Reload, Change(1), watch, Retire, Reload]
    );
    assert_eq!(
        plan(standing(vec![used(None)], AtSinch::Elsewhere)),
        [TakeOver, Reload, watch, Retire, Reload]
    );
    assert_eq!(
        plan(standing(vec![used(None)], AtSinch::Unusable)),
        [Add, Reload, Change(1), watch, Retire, Reload]
    );
}

fn any_line() -> impl Strategy<Value = Line> {
    let span = prop::option::of((1_i64..1000, 0_i64..500));
    (any::<bool>(), any::<bool>(), span).prop_map(|(is_in_force, is_made_here, span)| Line {
        is_in_force,
        is_made_here,
        ..used(span.map(|(first, more)| (first, first + more)))
    })
}

prop_compose! {
    fn any_standing()(
        file in prop::collection::vec(any_line(), 1..5),
    )(
        at_sinch in prop_oneof![
            (0..file.len()).prop_map(AtSinch::Line),
            Just(AtSinch::Elsewhere),
            Just(AtSinch::Unusable),
        ],
        given in prop_oneof![
            (0..file.len()).prop_map(Given::Line),
            Just(Given::New),
            Just(Given::Nothing),
        ],
        in_force in 0_usize..6,
        file in Just(file),
    ) -> Standing {
        Standing { file, at_sinch, given, in_force, now: at(2000) }
    }
}

proptest! {
    /// From wherever it begins, a rotation ends with one secret, which Sinch has and the service verifies by. Sinch is
    /// given only what is in force, and what Sinch has is never taken out of the file. A run that is killed after any
    /// step, and started again, ends so as well.
    #[test]
    fn a_rotation_ends_well_and_sinch_never_has_what_is_not_in_force(
        begin in any_standing(), killed_after in 0_usize..12,
    ) {
        let (mut standing, mut has_begun, mut steps) = (begin, false, 0);
        while let Some(step) = standing.next(has_begun, QUIET) {
            if let Step::Change(line) = step {
                prop_assert!(standing.file[line].is_in_force);
            }
            let was_accepted = matches!(standing.at_sinch, AtSinch::Line(line) if standing.file[line].is_in_force);
            standing = standing.after(step, QUIET);
            if was_accepted {
                let AtSinch::Line(line) = standing.at_sinch else {
                    panic!("{step:?} has lost it");
                };
                prop_assert!(standing.file[line].is_in_force, "{:?}", step);
            }
            steps += 1;
            has_begun = steps != killed_after;
            prop_assert!(steps < 30, "{:?}", standing);
        }
        prop_assert_eq!(standing.at_sinch, AtSinch::Line(0));
        prop_assert_eq!((standing.file.len(), standing.in_force), (1, 1));
        prop_assert!(standing.file[0].is_in_force);
    }
}
