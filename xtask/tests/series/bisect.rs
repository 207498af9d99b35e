//! `bisect`.

use crate::world::{World, text};

/// Twenty patches, the fourteenth of which breaks `a`.
fn twenty() -> World {
    let lines: Vec<String> = (0..20).map(|n| format!("t{n} = fail")).collect();
    let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
    all.push("a = pass");
    let world = World::new(&all);
    for (n, line) in lines.iter().enumerate() {
        let title = format!("target/i386: svm: change {n}");
        match n {
            13 => world.change(&title, "a = pass", "a = fail"),
            _ => world.change(&title, &format!("{line}\n"), &format!("t{n} = pass\n")),
        }
    }
    world
}

fn bisect(world: &World, args: &[&str]) -> (i32, String) {
    let qemu = world.path("qemu");
    let mut all = vec!["bisect", "kut/svm/a", "--qemu-src", qemu.to_str().unwrap()];
    all.extend(args);
    let out = world.run(&all);
    (out.status.code().unwrap(), text(&out))
}

#[test]
fn a_planted_regression_in_a_series_of_twenty_is_found_in_six_builds() {
    let world = twenty();
    world.store_series(&[&[][..]; 20]);
    let (code, said) = bisect(&world, &[]);
    assert_eq!(code, 0, "{said}");
    let named = "0014-target-i386-svm-change-13.patch changed it: pass before, fail with it";
    assert!(said.contains(named), "{said}");
    assert!(world.builds() <= 6, "{} builds", world.builds());
    assert!(!said.contains("known to differ"), "{said}");
    let known = "[[known]]\nsuite = \"kvm-unit-tests\"\nconfigs = [\"*\"]\ntests = [\"a\"]\nbuilds = [\"*\"]\n\
                 verdicts = [\"fail\"]\nreason = \"a race\"\nlink = \"x\"\nsince = \"v1\"\nflaky = true\n";
    world.put("repo/results/known-failures.toml", known);
    let (_, said) = bisect(&world, &[]);
    assert!(said.contains("known to differ from run to run: a race"), "{said}");
}

#[test]
fn a_range_of_commits_is_searched_without_writing_to_the_checkout() {
    let world = twenty();
    let before = listing(&world);
    let (code, said) = bisect(&world, &["--git", "HEAD~20..HEAD"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("target/i386: svm: change 13 changed it"), "{said}");
    assert!(world.builds() <= 6, "{} builds", world.builds());
    assert!(listing(&world) == before, "the checkout was written to");
}

/// Every file with its size. git touches the times of objects that it finds in
/// another repository, so times say nothing.
fn listing(world: &World) -> Vec<String> {
    let mut c = std::process::Command::new("find");
    let out = c.arg(world.path("qemu")).args(["-type", "f", "-printf", "%p %s\\n"]).output();
    let text = String::from_utf8(out.unwrap().stdout).unwrap();
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    lines.sort();
    lines
}

#[test]
fn a_test_that_nothing_changed_and_a_name_that_is_none_have_their_own_codes() {
    let world = World::new(&["a = pass", "b = fail"]);
    world.change("target/i386: svm: mend b", "b = fail", "b = pass");
    world.store_series(&[&[]]);
    let (code, said) = bisect(&world, &[]);
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("nothing changed it: it is pass in 0001-"), "{said}");
    // Not 5: that would be "nothing changed it".
    let out =
        world.run(&["bisect", "kut/svm/aa", "--qemu-src", world.path("qemu").to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out));
    assert!(text(&out).contains("has no test `kut/svm/aa`"), "{}", text(&out));
    let out = world.run(&["bisect", "svm/a"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out));
    let out = world.run(&["bisect", "kut/a", "--versions", "10.2.2,"]);
    assert!(text(&out).contains("an empty entry"), "{}", text(&out));
}
