//! Where the model asks each rule: read from its sources.
//!
//! A rule's line in `rules.rs` gives it a name; wherever else the model writes that name, behind
//! that of the rule's feature, it decides by the rule. Cases, and what only a broken model does,
//! do not count.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream, TokenTree};

use crate::host::cache::io_error;
use crate::{Error, Kind, Result};

/// The model's sources, in the repository.
const SOURCES: &str = "svm-model/src";
/// The rooms of them that decide.
const ROOMS: [&str; 2] = ["machine", "features"];
/// Files that do not: the tables themselves, what a broken model does, what a test explores.
const OTHERS: [&str; 3] = ["rules", "mutants", "explore"];

/// A source of the model.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its path in the repository.
    pub(super) path: String,
    /// What is in it.
    pub(super) text: String,
}

/// A line that decides by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which of the sources.
    pub(super) source: usize,
    /// The line, from 1.
    pub(super) line: usize,
}

/// The sources that decide, and where each rule is asked, by its id.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) sources: Vec<Source>,
    places: BTreeMap<String, Vec<Place>>,
}

impl Asked {
    /// Reads the sources of the checkout `repo`.
    ///
    /// # Errors
    /// Harness, when they cannot be read, or are no Rust.
    pub(super) fn read(repo: &Path) -> Result<Asked> {
        let (mut tables, mut sources) = (Vec::new(), Vec::new());
        for path in ROOMS.iter().map(|room| files(&repo.join(SOURCES).join(room))) {
            for path in path? {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let text = fs::read_to_string(&path).map_err(|e| io_error("reading", &path, e))?;
                let inside = path.strip_prefix(repo).unwrap_or(&path);
                let source = Source { path: inside.to_string_lossy().into_owned(), text };
                if stem == "rules" {
                    tables.push(source);
                } else if !is_other(&stem) {
                    sources.push(source);
                }
            }
        }
        Asked::of(&tables, sources)
    }

    fn of(tables: &[Source], mut sources: Vec<Source>) -> Result<Asked> {
        let mut ids = BTreeMap::new();
        for table in tables {
            let feature = folder(table);
            names(tokens(table)?, &mut |name, id| {
                ids.insert((feature.clone(), name), id);
            });
        }
        let mut places: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (n, source) in sources.iter().enumerate() {
            let own = folder(source);
            asks(tokens(source)?, &mut |feature, name| {
                // A feature calls its own table `rules`.
                let feature = if feature == "rules" { own.clone() } else { feature.to_string() };
                if let Some(id) = ids.get(&(feature, name.to_string())) {
                    let place = Place { source: n, line: name.span().start().line };
                    places.entry(id.clone()).or_default().push(place);
                }
            });
        }
        places.values_mut().for_each(|all| all.dedup());
        sources.iter_mut().for_each(|source| source.text.truncate(source.text.trim_end().len()));
        Ok(Asked { sources, places })
    }

    /// Where the rule of that id is asked.
    pub(super) fn places(&self, rule: &str) -> &[Place] {
        self.places.get(rule).map_or(&[], Vec::as_slice)
    }

    /// The line's text, and the source's path.
    pub(super) fn line(&self, place: Place) -> (&str, &str) {
        let source = &self.sources[place.source];
        (source.text.lines().nth(place.line - 1).unwrap_or_default().trim(), &source.path)
    }
}

/// The folder that a source is in, which is its feature's name.
fn folder(source: &Source) -> String {
    let folder = Path::new(&source.path).parent().and_then(Path::file_name);
    folder.unwrap_or_default().to_string_lossy().into_owned()
}

fn is_other(stem: &str) -> bool {
    OTHERS.contains(&stem) || stem.ends_with("written") || stem.ends_with("cases")
}

/// The Rust sources in a folder and below, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| io_error("reading the model's sources in", folder, e);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn tokens(source: &Source) -> Result<TokenStream> {
    source.text.parse().map_err(|e: proc_macro2::LexError| {
        Error::new(Kind::Harness, format!("reading {} as Rust", source.path)).because(e.to_string())
    })
}

/// `NAME = "id"`, wherever it stands in a table.
fn names(tokens: TokenStream, found: &mut impl FnMut(String, String)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for three in tokens.windows(3) {
        if let [TokenTree::Ident(name), TokenTree::Punct(is), TokenTree::Literal(id)] = three
            && is.as_char() == '='
        {
            found(name.to_string(), id.to_string().trim_matches('"').to_owned());
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            names(group.stream(), found);
        }
    }
}

/// `feature::NAME`, wherever it stands but in tests.
fn asks(tokens: TokenStream, found: &mut impl FnMut(&Ident, &Ident)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |n: usize, text: &str| tokens.get(n).is_some_and(|t| t.to_string() == text);
    for (n, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(feature) if is(n + 1, ":") && is(n + 2, ":") => {
                if let Some(TokenTree::Ident(name)) = tokens.get(n + 3) {
                    found(feature, name);
                }
            }
            TokenTree::Group(group) => {
                let test = n >= 2 && is(n - 2, "mod") && is(n - 1, "tests");
                if !test {
                    asks(group.stream(), found);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use svm_model::rules;

    use super::*;

    #[test]
    fn every_rule_is_asked_somewhere_in_this_checkout() {
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let asked = Asked::read(repo).unwrap();
        let lost: Vec<&str> = rules::all()
            .map(|(_, rule)| rule.id)
            .filter(|id| asked.places(id).is_empty())
            .collect();
        assert_eq!(lost, [""; 0]);
        for (_, rule) in rules::all() {
            for place in asked.places(rule.id) {
                assert!(asked.line(*place).0.contains("::"), "{}: {place:?}", rule.id);
            }
        }
    }

    #[test]
    fn lines_are_those_that_name_the_rule_and_tests_do_not_count() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let table = source(
            "svm-model/src/features/x/rules.rs",
            "rules! { X;\n    A = \"x.a\", \"15.1\", two, \"A.\";\n    B = \"x.b\", \"15.1\", one, \"B.\";\n}",
        );
        let model = source(
            "svm-model/src/features/x/model.rs",
            "// x::A\nfn f() {\n    t.rule(x::A, c)\n        && t.does(rules::B);\n    y::A;\n}\nmod tests {\n fn g() { x::A }\n}\n",
        );
        let asked = Asked::of(&[table], vec![model]).unwrap();
        assert_eq!(asked.places("x.a"), [Place { source: 0, line: 3 }]);
        assert_eq!(asked.line(asked.places("x.b")[0]).0, "&& t.does(rules::B);");
        assert_eq!(asked.places("x.c"), []);
    }
}
