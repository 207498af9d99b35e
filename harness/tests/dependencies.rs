//! Every package that a manifest declares is named in that crate's sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use toml::Table;

/// Every crate of this repository, by its folder.
const CRATES: [&str; 8] = [
    "harness",
    "harness/cexec",
    "harness/example",
    "harness/guest",
    "harness/linux",
    "svm-model",
    "svm-model/no-std",
    "xtask",
];
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_path_buf()
}

fn manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The packages that a table of a manifest declares.
fn declared(manifest: &Table, table: &str) -> Vec<String> {
    let table = manifest.get(table).and_then(|value| value.as_table());
    table.into_iter().flat_map(|table| table.keys().cloned()).collect()
}

/// The names in a crate's sources, but for those of other crates inside its folder.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target")
                && !path.join("Cargo.toml").exists()
            {
                names(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            idents(text.parse().expect("Rust"), found);
        }
    }
}

fn idents(tokens: TokenStream, found: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => _ = found.insert(ident.to_string()),
            TokenTree::Group(group) => idents(group.stream(), found),
            _ => {}
        }
    }
}

/// Of what a manifest declares, what no name is.
fn unused(manifest: &Table, names: &BTreeSet<String>) -> Vec<String> {
    let all = KINDS.iter().flat_map(|kind| declared(manifest, kind));
    all.filter(|package| !names.contains(&package.replace('-', "_"))).collect()
}

#[test]
fn every_dependency_is_named_in_the_sources() {
    let root = repository();
    let mut used = BTreeSet::new();
    for folder in CRATES.map(|folder| root.join(folder)) {
        let manifest = manifest(&folder);
        let mut names_of = BTreeSet::new();
        names(&folder, &mut names_of);
        assert!(names_of.len() > 50, "{}: {} names", folder.display(), names_of.len());
        assert_eq!(unused(&manifest, &names_of), [""; 0], "in {}", folder.display());
        used.extend(KINDS.iter().flat_map(|kind| declared(&manifest, kind)));
    }
    let workspace = manifest(&root);
    let workspace = workspace["workspace"].as_table().expect("a workspace");
    let nobody: Vec<String> = declared(workspace, "dependencies");
    let nobody: Vec<String> = nobody.into_iter().filter(|name| !used.contains(name)).collect();
    assert_eq!(nobody, [""; 0], "the workspace has versions that no crate takes");
}

#[test]
fn a_dependency_that_only_a_comment_names_is_unused() {
    let manifest: Table =
        "[dependencies]\na-b = \"1\"\nc = \"1\"\n[dev-dependencies]\nd = \"1\"\n".parse().unwrap();
    let mut names = BTreeSet::new();
    idents("use a_b::X; // c\nfn f() { g(\"d\") }".parse().unwrap(), &mut names);
    assert_eq!(unused(&manifest, &names), ["c", "d"]);
}
