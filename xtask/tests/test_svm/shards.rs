//! `--shard K/N` and `cargo xtask merge`.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::fake::{World, json, text};

const TESTS: [&str; 7] = ["good1", "good2", "bad", "skipped", "triple", "good3", "garbage"];

fn file(world: &World, shard: u32) -> PathBuf {
    world.path(&format!("shard-{shard}.json"))
}

fn run_shards(world: &World, of: u32) {
    for number in 1..=of {
        let path = file(world, number);
        let shard = format!("{number}/{of}");
        let output = world.run(&["--shard", &shard, "--results", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        assert!(text(&output).contains(&format!("shard {shard} only")), "{}", text(&output));
    }
}

fn merge(world: &World, shards: &[u32], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("merge").arg("--cache").arg(world.path("cache")).args(args);
    command.args(shards.iter().map(|&n| file(world, n)));
    command.env("CARGO_MANIFEST_DIR", world.path("repo")).output().unwrap()
}

/// The results of a report, without times and logs.
fn rows(world: &World, name: &str) -> Vec<String> {
    let report = json(&world.path(name));
    let tests = report["results"][0]["tests"].as_array().unwrap();
    let keys = ["config", "test", "verdict", "passed", "failed", "why"];
    tests.iter().map(|t| keys.map(|k| t[k].to_string()).join(" ")).collect()
}

#[test]
fn four_shards_merged_are_the_run_that_was_not_cut() {
    let world = World::new(&TESTS);
    run_shards(&world, 4);
    let started: usize = TESTS.iter().map(|t| world.started(t).len()).sum();
    assert_eq!(started, TESTS.len(), "each test is measured once");
    let at = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let merged = merge(&world, &[3, 1, 4, 2], &["--json", &at("merged.json")]);
    assert_eq!(merged.status.code(), Some(0), "{}", text(&merged));
    let whole = world.run(&["--fresh", "--json", &at("whole.json")]);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole));
    assert_eq!(rows(&world, "merged.json"), rows(&world, "whole.json"));
    assert_eq!(rows(&world, "whole.json").len(), TESTS.len());
}

#[test]
fn a_shard_that_died_is_reported_as_missing_tests_with_a_code_of_its_own() {
    let world = World::new(&TESTS);
    run_shards(&world, 3);
    let junit = world.path("junit.xml");
    let at = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let args = ["--json", &at("lost.json"), "--junit", junit.to_str().unwrap()];
    let output = merge(&world, &[1, 3], &args);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("SHARD 2 IS MISSING, and with it 2 results"), "{said}");
    let rows = rows(&world, "lost.json");
    assert_eq!(rows.len(), TESTS.len(), "no fewer tests: {rows:?}");
    assert_eq!(rows.iter().filter(|r| r.contains("shard 2/3 left no result")).count(), 2);
    assert!(std::fs::read_to_string(junit).unwrap().contains("the shard left no results"));
    let output = merge(&world, &[1, 3], &["--record"]);
    // The kvm-unit-tests here are a part: a unit run whole is left out.
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = merge(&world, &[1, 1], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("shard 1 is there twice"), "{}", text(&output));
}

#[test]
fn more_shards_than_tests_leave_some_with_nothing_to_do() {
    let world = World::new(&["good1", "good2"]);
    run_shards(&world, 4);
    let output = merge(&world, &[1, 2, 3, 4], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let output = world.run(&["--shard", "5/4", "--results", "x"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let output = world.run(&["--shard", "1/4"]);
    assert_eq!(output.status.code(), Some(2), "a shard without a file: {}", text(&output));
}
