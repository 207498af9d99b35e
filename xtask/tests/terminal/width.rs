//! What is printed where nothing is wrong.

use std::fs;

use svm_model::case::world;
use svm_model::vmcb::{Field, Image, SIZE};

use crate::{too_wide, words, xtask};

/// Whatever runs without a QEMU. VMCB is one that VMRUN refuses.
const PRINTS: &[&str] = &[
    "bench model --seconds 1",
    "case list",
    "case list --feature npt",
    "case show pause/again",
    "case run pause/again --on model",
    "conform --on model --cases 50",
    "doctor",
    "doctor --base 7.2",
    "explain VMCB",
    "explain VMCB --cpu EPYC",
    "merge --help",
    "report",
    "report -v",
    "report --suite conformance --since stock-10.0.13",
    "rules --long",
    "soak --on model --minutes 0.001 --cases 50 --drawn",
];

#[test]
fn what_is_printed_fits() {
    let dir = tempfile::tempdir().unwrap();
    let vmcb = dir.path().join("vmcb");
    let (mut image, mut page) = (Image::ZERO, [0; SIZE]);
    let odd = [(Field::GUEST_ASID, 0), (Field::DR7, 1 << 40), (Field::CR4, u64::MAX)];
    world::BASELINE.iter().chain(&odd).for_each(|(field, value)| image.set(*field, *value));
    image.write_to(&mut page);
    fs::write(&vmcb, page).unwrap();
    let mut faults = Vec::new();
    for typed in PRINTS {
        let args = words(typed).into_iter().map(|word| match word.as_str() {
            "VMCB" => vmcb.display().to_string(),
            _ => word,
        });
        let (code, said) = xtask(&dir.path().join("cache"), None, &args.collect::<Vec<_>>());
        if ![0, 1, 3].contains(&code) || said.is_empty() {
            faults.push(format!("{typed}: {code}: {said}"));
        }
        faults.extend(too_wide(&said).iter().map(|line| format!("{typed}: {line}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
