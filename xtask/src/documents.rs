//! What the documents say to type is what can be typed: every command of ours is taken by the same
//! parser that takes it from a shell, and what they give to cargo names packages and tests there are.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use crate::Cli;

/// What stands in documents for something of the reader's, and an example of it. Other words in
/// capitals stand for paths and names, which the parser takes as they are.
const EXAMPLES: [(&str, &str); 5] = [
    ("EXECUTOR", "qemu:patched"),
    ("FEATURE", "npt"),
    ("N", "1"),
    ("STEP", "fmt"),
    ("VERSION", "10.2.2"),
];

/// What a command lacks whose name stands alone, in a sentence.
const LACKING: [ErrorKind; 2] =
    [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the checkout")
}

/// Every document.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![repository().join("README.md"), repository().join("CONTRIBUTING.md")];
    let folders = ["docs", "harness/fuzz", "harness/guest", "harness/linux"];
    for folder in folders.map(|name| repository().join(name)) {
        let entries = fs::read_dir(&folder).expect("a folder of documents");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        all.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    all
}

/// The commands of a document that begin with `cargo`: lines of its blocks, and what backticks
/// enclose, which may go on in the next line.
fn commands(text: &str) -> Vec<String> {
    let (mut prose, mut all, mut inside) = (String::new(), Vec::new(), false);
    let mut unfinished: Option<String> = None;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            let line = line.trim_start_matches("$ ").split(" #").next().unwrap_or_default().trim();
            let line = unfinished.take().unwrap_or_default() + line;
            match line.strip_suffix('\\') {
                Some(start) => unfinished = Some(start.to_owned()),
                None => all.push(line),
            }
        } else {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    all.extend(prose.split('`').skip(1).step_by(2).map(str::to_owned));
    // Of `$(cargo ...)`, what the brackets hold.
    let ours = |line: String| {
        let (before, command) = line.split_once("cargo ")?;
        let end = command.find(')').filter(|_| before.contains("$("));
        Some(command[..end.unwrap_or(command.len())].to_owned())
    };
    all.into_iter().filter_map(ours).collect()
}

/// Why this is not to be typed behind `cargo xtask`.
fn refused(arguments: &str) -> Option<String> {
    let example = |word: &str| {
        let word = word.trim_matches(['[', ']']);
        EXAMPLES.iter().find(|(name, _)| *name == word).map_or(word, |(_, value)| value).to_owned()
    };
    // What the shell makes of the rest is its own.
    let ours = arguments.split_whitespace().take_while(|word| !["|", ">", "&&"].contains(word));
    let words: Vec<String> = ours.filter(|word| *word != "…").map(example).collect();
    // `cargo xtask COMMAND --help`.
    if words.first().is_none_or(|word| word.chars().all(|c| c.is_ascii_uppercase())) {
        return None;
    }
    match Cli::try_parse_from([String::from("xtask")].into_iter().chain(words)) {
        Ok(_) => None,
        Err(e) if e.kind() == ErrorKind::DisplayHelp => None,
        Err(e) if LACKING.contains(&e.kind()) && !arguments.contains(" -") => None,
        Err(e) => Some(e.to_string()),
    }
}

/// What `cargo test` is told of that is not there: a package, or a test of it.
fn absent(arguments: &str) -> Option<String> {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let value = |flag: &str| words.iter().position(|w| *w == flag).map(|at| words[at + 1]);
    let package = repository().join(value("-p")?);
    if !package.join("Cargo.toml").is_file() {
        return Some(package.display().to_string());
    }
    let test = package.join("tests").join(value("--test")?);
    let there = test.with_extension("rs").is_file() || test.join("main.rs").is_file();
    (!there).then(|| test.display().to_string())
}

#[test]
fn every_command_in_documents_can_be_typed() {
    let (mut own, mut tests, mut refusals) = (0, 0, Vec::new());
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        for command in commands(&text) {
            let wrong = if let Some(arguments) = command.strip_prefix("xtask") {
                own += 1;
                refused(arguments)
            } else if let Some(arguments) = command.strip_prefix("test") {
                tests += 1;
                absent(arguments)
            } else {
                None
            };
            if let Some(wrong) = wrong {
                refusals.push(format!("{}: cargo {command}: {wrong}", path.display()));
            }
        }
    }
    assert!(refusals.is_empty(), "{}", refusals.join("\n"));
    assert!(own > 60 && tests > 4, "only {own} and {tests} commands are seen");
}

#[test]
fn what_cannot_be_typed_is_found() {
    let text =
        "a `cargo xtask\nrules` b\n```\n$ cargo xtask conform \\\n  --case ID # c\nls\n```\n";
    assert_eq!(commands(text), ["xtask conform --case ID", "xtask rules"]);
    assert_eq!(refused("conform --on EXECUTOR --feature FEATURE [--seed N]"), None);
    for wrong in
        ["conform --against qemu", "confirm", "conform --feature FEATURES", "merge --json F"]
    {
        assert!(refused(wrong).is_some(), "{wrong}");
    }
    assert_eq!(absent("-p harness --test docs"), None);
    assert!(absent("-p harness --test dogs").is_some_and(|path| path.ends_with("dogs")));
    assert!(absent("-p harnes --test docs").is_some());
}
