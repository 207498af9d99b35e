//! What `conform` prints on one screen, on the model itself with and without a
//! rule turned round.

use svm_model::case::Case;
use svm_model::cases;

use super::{Side, run, text};
use crate::exec::place::Place;
use crate::host::console::{Console, Verbosity};

fn side(place: &mut Place) -> Side {
    let all: Vec<Case> = cases::with_walks(cases::SEED, 0).into_iter().take(300).collect();
    run(place, &all, false, &Console::new(Verbosity::Quiet)).unwrap()
}

#[test]
fn agreement_is_said_in_words_and_in_few_lines() {
    let said = text::brief(&side(&mut Place::model()), &[], &|_| None);
    assert!(said.contains("\nAGREES with the model in every case\n"), "{said}");
    assert!(said.starts_with("model: 300 cases ran") && said.lines().count() <= 5, "{said}");
    assert!(said.lines().all(|l| l.chars().count() <= 100), "{said}");
}
