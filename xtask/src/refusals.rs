//! What cannot be meant is refused by the parser, and what it says fits a terminal. Every flag of
//! every subcommand is tried, so a new one is held to the same.

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, Parser};
use harness::host::wrap::{WIDTH, fitted};

use crate::Cli;

/// What stands for something of the reader's own, which the parser cannot know.
const OWN: [&str; 16] = [
    "A..B",
    "ARGS",
    "BUILD",
    "DIR",
    "FILE",
    "FOLDER",
    "ID",
    "IMAGE",
    "INPUT",
    "MODEL|N",
    "PATH",
    "PATTERN",
    "QEMU ARGS",
    "SOCKET",
    "TEST",
    "TEXT",
];
/// The same, and the subcommand looks itself before it does anything (`tests/early.rs`).
const LOOKED_AT: [&str; 3] = ["HEX", "REVISION", "STEP"];
/// Among those, files and folders that are read.
const READ: [&str; 10] = [
    "--cache",
    "--checkout",
    "--kvm-unit-tests",
    "--qemu",
    "--qemu-src",
    "--series",
    "--stock-qemu",
    "FILE",
    "FOLDER",
    "folder",
];

/// Every subcommand with what is typed to reach it.
fn subcommands(command: &Command, path: &[String]) -> Vec<(Vec<String>, Command)> {
    let mut all = vec![(path.to_vec(), command.clone())];
    for sub in command.get_subcommands() {
        let name = sub.get_name().to_owned();
        all.extend(subcommands(sub, &[path, &[name]].concat()));
    }
    all
}

fn every() -> Vec<(Vec<String>, Command)> {
    subcommands(&Cli::command(), &["xtask".to_owned()])
}

/// What the parser says to `value` for `arg` behind `path`; nothing where it takes it.
fn said(path: &[String], arg: &Arg, value: &str) -> Option<String> {
    let mut words = path.to_vec();
    match arg.get_long() {
        Some(long) => words.push(format!("--{long}={value}")),
        None => words.push(value.to_owned()),
    }
    let refused = [ErrorKind::ValueValidation, ErrorKind::InvalidValue];
    let e = Cli::try_parse_from(words).err()?;
    refused.contains(&e.kind()).then(|| e.render().to_string())
}

fn name_of(arg: &Arg) -> String {
    let first = arg.get_value_names().and_then(|names| names.first());
    first.map_or_else(|| arg.get_id().to_string(), ToString::to_string)
}

fn values() -> Vec<(Vec<String>, Arg, String)> {
    let mut all = Vec::new();
    for (path, command) in every() {
        let args = command.get_arguments().filter(|arg| arg.get_action().takes_values());
        all.extend(args.map(|arg| (path.clone(), arg.clone(), name_of(arg))));
    }
    all
}

/// Lines that are too wide though they could be broken.
fn too_wide(text: &str) -> Vec<&str> {
    let wide = |line: &&str| line.chars().count() > WIDTH;
    let has_gap = |line: &&str| line.trim().contains(' ');
    text.lines().filter(wide).filter(has_gap).collect()
}

#[test]
fn what_is_no_value_of_a_flag_is_refused_in_lines_that_fit() {
    let (mut tried, mut faults) = (0, Vec::new());
    for (path, arg, name) in values() {
        if OWN.contains(&name.as_str()) || LOOKED_AT.contains(&name.as_str()) {
            continue;
        }
        tried += 1;
        let flag = arg.get_long().map_or(name.clone(), |long| format!("--{long}"));
        match said(&path, &arg, "no such!") {
            None => faults.push(format!("{path:?} takes \"no such!\" for {flag}")),
            Some(text) => {
                let text = fitted(&text);
                faults.extend(too_wide(&text).iter().map(|line| format!("{path:?}: {line}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tried > 60, "only {tried} flags were tried");
}

#[test]
fn what_can_never_be_written_is_refused_before_it_costs_a_run() {
    let (mut tried, mut faults) = (0, Vec::new());
    for (path, arg, name) in values() {
        let flag = arg.get_long().map_or(name.clone(), |long| format!("--{long}"));
        if !["FILE", "DIR"].contains(&name.as_str()) || READ.contains(&flag.as_str()) {
            continue;
        }
        tried += 1;
        if said(&path, &arg, "/dev/null/x").is_none() {
            faults.push(format!("{path:?} takes /dev/null/x for {flag}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tried > 12, "only {tried} flags were tried");
}

#[test]
fn every_help_fits() {
    let mut faults = Vec::new();
    for (path, command) in every() {
        let mut words = path.clone();
        words.push("--help".to_owned());
        if command.is_hide_set() || path.len() == 1 {
            continue;
        }
        let help = Cli::try_parse_from(words).err().expect("help is asked for").render();
        let help = help.to_string();
        faults.extend(too_wide(&help).iter().map(|line| format!("{path:?}: {line}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
