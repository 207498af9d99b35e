//! The rooms of the harness import one way: no circle, tests included.
//!
//! A room is a folder or file directly below `src`. What counts is the first
//! name behind `crate::`, wherever it stands; what `lib.rs` hands on under
//! another name counts as the room that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// For each room: the rooms that it imports, each with a file that does.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// What a file names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    /// The first names behind `crate::`.
    roots: BTreeSet<String>,
    /// Whether a chain of `super::` leads out of the room.
    leaves: bool,
}

/// Adds what `tokens` name, which stand in a module `depth` below the root.
fn names(tokens: TokenStream, depth: usize, named: &mut Named) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (n, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == "crate" && is_path(&tokens[n + 1..]) => {
                roots(&tokens[n + 3..], named);
            }
            TokenTree::Ident(word) if word == "super" => {
                let supers = tokens[n..].chunks(3).take_while(|c| {
                    matches!(&c[0], TokenTree::Ident(i) if i == "super") && is_path(&c[1..])
                });
                named.leaves |= supers.count() >= depth;
            }
            TokenTree::Group(group) => {
                let module = n >= 2 && matches!(&tokens[n - 2], TokenTree::Ident(i) if i == "mod");
                names(group.stream(), depth + usize::from(module), named);
            }
            _ => {}
        }
    }
}

fn is_path(tokens: &[TokenTree]) -> bool {
    let colon =
        |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(tokens.first()) && colon(tokens.get(1))
}

/// What stands behind `crate::`: a name, or names in braces.
fn roots(tokens: &[TokenTree], named: &mut Named) {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => _ = named.roots.insert(name.to_string()),
        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Brace => {
            let items: Vec<TokenTree> = list.stream().into_iter().collect();
            let comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
            items.split(comma).for_each(|item| roots(item, named));
        }
        _ => {}
    }
}

fn read(text: &str, depth: usize) -> Named {
    let mut named = Named::default();
    names(text.parse().expect("it is Rust"), depth, &mut named);
    named
}

/// Names at the root of the crate, with the room that each comes from.
fn handed_on(lib: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for line in lib.lines().filter_map(|l| l.strip_prefix("pub use ")) {
        let (path, names) = line.rsplit_once("::").expect("a path");
        let room = path.split("::").next().expect("a room").to_owned();
        for name in names.trim_matches(['{', '}', ';']).split(',') {
            all.insert(name.trim_end_matches(['}', ';']).trim().to_owned(), room.clone());
        }
    }
    all
}

/// The files below `folder`, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Who imports whom in `src`.
fn imports(src: &Path) -> Imports {
    let lib = fs::read_to_string(src.join("lib.rs")).expect("lib.rs");
    let handed_on = handed_on(&lib);
    let mut imports = Imports::new();
    for path in files(src).into_iter().filter(|p| !p.ends_with("lib.rs")) {
        let inside = path.strip_prefix(src).expect("it is below src").with_extension("");
        let mut parts: Vec<_> = inside.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        parts.retain(|part| part != "mod");
        let named = read(&fs::read_to_string(&path).expect("a file"), parts.len());
        let file = inside.display().to_string();
        assert!(!named.leaves, "{file}: another room is named by `crate::`, not by `super::`");
        let room = imports.entry(parts[0].clone()).or_default();
        for name in named.roots {
            let other = handed_on.get(&name).unwrap_or(&name);
            if *other != parts[0] {
                room.entry(other.clone()).or_insert_with(|| file.clone());
            }
        }
    }
    imports
}

/// Rooms in a circle, in words; none where there is none.
fn circle(imports: &Imports) -> Option<String> {
    let mut done = BTreeSet::new();
    imports.keys().find_map(|room| walk(imports, room, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    imports: &'a Imports,
    room: &'a str,
    way: &mut Vec<(&'a str, &'a str)>,
    done: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if let Some(start) = way.iter().position(|(seen, _)| *seen == room) {
        let steps = way[start..].iter().map(|(room, file)| format!("{room} (in {file}) -> "));
        return Some(steps.collect::<String>() + room);
    }
    if done.contains(room) {
        return None;
    }
    for (other, file) in imports.get(room).into_iter().flatten() {
        way.push((room, file));
        let found = walk(imports, other, way, done);
        way.pop();
        if found.is_some() {
            return found;
        }
    }
    done.insert(room);
    None
}

#[test]
fn rooms_do_not_import_in_circles() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let imports = imports(&src);
    assert!(imports.len() > 10 && imports["suites"].contains_key("exec"), "{imports:?}");
    assert_eq!(circle(&imports), None);
}

#[test]
fn a_circle_is_found_and_named_with_its_files() {
    let one = |room: &str, other: &str| {
        (room.to_owned(), BTreeMap::from([(other.to_owned(), format!("{room}/x"))]))
    };
    let round = Imports::from([one("a", "b"), one("b", "c"), one("c", "b")]);
    assert_eq!(circle(&round).as_deref(), Some("b (in b/x) -> c (in c/x) -> b"));
    assert_eq!(circle(&Imports::from([one("a", "b"), one("b", "c")])), None);
}

#[test]
fn every_way_to_name_a_room_counts() {
    let roots = |text: &str| read(text, 2).roots.into_iter().collect::<Vec<_>>();
    assert_eq!(roots("use crate::{a::b, c::{d, e}, f};"), ["a", "c", "f"]);
    assert_eq!(roots("fn f() -> crate::a::B { m!(crate::c::D) }"), ["a", "c"]);
    assert_eq!(roots("// crate::a\npub(crate) fn f() { \"crate::b\" }").len(), 0);
    assert!(read("use super::super::a;", 2).leaves && !read("use super::a;", 2).leaves);
    assert!(!read("mod tests { use super::super::a; }", 2).leaves);
    let handed = handed_on("pub use a::b::{C, D};\npub use e::F;\n");
    assert_eq!(handed.into_iter().map(|(n, r)| n + &r).collect::<Vec<_>>(), ["Ca", "Da", "Fe"]);
}
