//! `cargo xtask rules`, as one types it.

use std::path::Path;
use std::process::{Command, Output};

fn rules(args: &[&str], dir: Option<&Path>) -> Output {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("rules").args(args).args(dir).arg("--cache").arg(cache.path());
    command.output().unwrap()
}

fn refused(args: &[&str], dir: &Path) -> String {
    let output = rules(args, Some(dir));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_folder_that_the_book_must_not_be_written_into_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let foreign = dir.path().join("style.css");
    std::fs::write(&foreign, "mine").unwrap();
    let said = refused(&["--book"], dir.path());
    assert!(said.contains("holds style.css, which is none of these pages"), "{said}");
    assert!(said.contains("name a new or an empty folder"), "{said}");
    let said = refused(&["--book"], &foreign.join("below"));
    assert!(said.contains("style.css/below"), "{said}");
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    let said = refused(&["--long", "--book"], &dir.path().join("new"));
    assert!(said.contains("cannot be used with"), "{said}");
    assert!(!dir.path().join("new").exists());
}

#[test]
fn rules_are_listed_with_their_sections() {
    let output = rules(&["--feature", "pause-filter", "--long"], None);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("pause.count") && said.contains("the first n PAUSEs do not exit"),
        "{said}"
    );
}
