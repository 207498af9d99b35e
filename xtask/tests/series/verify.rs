//! `series lint` and `series verify`.

use crate::world::{World, text};

const LINES: [&str; 3] = ["a = fail", "b = fail", "c = pass"];

fn series(flips: [&[&str]; 2]) -> World {
    let world = World::new(&LINES);
    world.change("target/i386: svm: mend a", "a = fail", "a = pass");
    world.change("target/i386: svm: mend b", "b = fail", "b = pass");
    world.store_series(&flips);
    world
}

fn run(world: &World, args: &[&str]) -> (i32, String) {
    let qemu = world.path("qemu");
    let mut all = vec!["series"];
    all.extend(args);
    all.extend(["--qemu-src", qemu.to_str().unwrap()]);
    let out = world.run(&all);
    (out.status.code().unwrap(), text(&out))
}

#[test]
fn a_series_that_is_true_is_verified_recorded_and_resumed_without_a_build() {
    let world = series([&["kut/svm/a"], &["kut/svm/b"]]);
    let args = ["verify", "--suite", "kvm-unit-tests"];
    let (code, said) = run(&world, &args);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("passes from here on: kut/svm/a"), "{said}");
    assert!(said.contains("2 of 2 patches verified, all as series.toml says"), "{said}");
    assert_eq!(world.builds(), 3);
    let (code, _) = run(&world, &args);
    assert_eq!((code, world.builds()), (0, 3));
    let (code, said) = run(&world, &["verify", "--suite", "kvm-unit-tests", "--record"]);
    assert_eq!(code, 2, "a part cannot be recorded: {said}");
}

#[test]
fn a_claim_at_the_wrong_patch_is_told_at_both() {
    let world = series([&["kut/svm/b"], &["kut/svm/a"]]);
    let (code, said) = run(&world, &["verify", "--suite", "kvm-unit-tests"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("WRONG: kut/svm/b should pass from here on; fail"), "{said}");
    assert!(said.contains("WRONG: kut/svm/a passes without the patch already"), "{said}");
    assert!(said.contains("WRONG: kut/svm/b passes from here on, and series.toml"), "{said}");
}

#[test]
fn claims_are_written_as_they_were_seen_and_hold_then() {
    let world = series([&["kut/svm/b"], &["kut/svm/a"]]);
    let args = ["verify", "--suite", "kvm-unit-tests"];
    let (code, said) = run(&world, &[&args[..], &["--write"]].concat());
    assert_eq!(code, 0, "{said}");
    let toml = std::fs::read_to_string(world.path("repo/patches/qemu-10.2/series.toml")).unwrap();
    let claims: Vec<&str> = toml.lines().filter(|l| l.starts_with("flips")).collect();
    assert_eq!(claims, ["flips = [\"kut/svm/a\"]", "flips = [\"kut/svm/b\"]"], "{toml}");
    let (code, said) = run(&world, &args);
    assert_eq!((code, world.builds()), (0, 3), "{said}");
}

#[test]
fn a_patch_that_does_not_build_has_an_exit_code_of_its_own() {
    let world = World::new(&LINES);
    world.change("target/i386: svm: mend a", "a = fail", "#error");
    world.change("target/i386: svm: mend b", "#error", "a = pass");
    world.store_series(&[&[], &["kut/svm/a"]]);
    let (code, said) = run(&world, &["verify", "--suite", "kvm-unit-tests"]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("it does not build") && said.contains("no such thing"), "{said}");
}

#[test]
fn lint_says_what_is_wrong_and_nothing_when_nothing_is() {
    let world = series([&["kut/svm/a"], &["kut/svm/b"]]);
    let (code, said) = run(&world, &["lint"]);
    assert_eq!((code, said.contains("2 patches, nothing to say")), (0, true), "{said}");
    let file = "repo/patches/qemu-10.2/series.toml";
    let toml = std::fs::read_to_string(world.path(file)).unwrap();
    world.put(file, &toml.replace("mend b", "mend c"));
    let (code, said) = run(&world, &["lint"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("step: series.toml calls it"), "{said}");
}
