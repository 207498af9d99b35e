//! What the documents say of this repository holds: paths, links, commands and numbers.
//!
//! A block behind `<!-- recorded SUITE BUILD… -->` is a matrix of `results/`; with
//! `: ROW, …` behind the builds only those rows. `BLESS=1 cargo test -p harness --test docs`
//! writes all such blocks anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use harness::record::Part;
use harness::record::diff::{Basis, compare};
use harness::record::results::{self, KnownFailures};
use harness::report;
use regex::Regex;
use svm_model::cases::{self, SEED};
use svm_model::{rules, written};

/// What is read first, and names every place that matters.
const MAPS: [&str; 2] = ["docs/ARCHITECTURE.md", "CONTRIBUTING.md"];

/// A measurement, which `cargo xtask conform --markdown` wrote: it counts what ran that day.
const WRITTEN_BY_CONFORM: &str = "docs/stock-defects.md";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_path_buf()
}

fn read(name: &str) -> String {
    fs::read_to_string(repository().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

/// Every document, by its path in the repository.
fn documents() -> Vec<String> {
    let here = [
        "README.md",
        "CONTRIBUTING.md",
        "harness/guest/README.md",
        "harness/linux/README.md",
        "svm-model/README.md",
    ];
    let mut all: Vec<String> = here.map(str::to_owned).into();
    for entry in fs::read_dir(repository().join("docs")).expect("docs") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            all.push(format!("docs/{name}"));
        }
    }
    all.sort();
    all
}

/// A document without its blocks between fences, and those blocks.
fn parted(text: &str) -> (String, String) {
    let (mut prose, mut blocks, mut inside) = (String::new(), String::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            continue;
        }
        let to = if inside { &mut blocks } else { &mut prose };
        to.push_str(line);
        to.push('\n');
    }
    (prose, blocks)
}

/// Whether a path exists in which a word in capitals (`FEATURE`, `NAME.rs`, `qemu-X.Y`) stands
/// for any name.
fn exists(at: &Path, parts: &[&str]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    let next = at.join(part);
    if next.exists() {
        return exists(&next, rest);
    }
    let any = regex(r"[A-Z]{2,}|X\.Y").replace_all(part, "\u{1}");
    let name = regex(&format!("^{}$", regex::escape(&any).replace('\u{1}', ".+")));
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    let mut fitting = entries.filter(|e| name.is_match(&e.file_name().to_string_lossy()));
    *any != **part && fitting.any(|entry| exists(&entry.path(), rest))
}

/// What stands between backticks and is a path: it begins in the repository's root, or ends as
/// a source does.
fn paths(text: &str) -> Vec<String> {
    let root = repository();
    let quoted = regex(r"`([A-Za-z0-9_./-]+)`");
    let path = |word: &&str| {
        let first = word.split('/').next().unwrap_or_default();
        let source = [".rs", ".toml", ".md", ".ron"].iter().any(|end| word.ends_with(end));
        word.contains('/') && (source || !first.is_empty() && root.join(first).exists())
    };
    quoted
        .captures_iter(text)
        .filter_map(|c| c.get(1))
        .map(|m| m.as_str())
        .filter(path)
        .map(str::to_owned)
        .collect()
}

/// Of these, what does not exist.
fn lost(paths: Vec<String>) -> Vec<String> {
    let gone = |path: &String| {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        !exists(&repository(), &parts)
    };
    paths.into_iter().filter(gone).collect()
}

#[test]
fn every_path_on_the_maps_exists() {
    for map in MAPS {
        let named = paths(&parted(&read(map)).0);
        assert!(named.len() >= 12, "{map} names {} paths", named.len());
        assert_eq!(lost(named), [""; 0], "in {map}");
    }
}

#[test]
fn a_path_that_is_not_there_is_found() {
    let text = "`harness/src/lib.rs`, `harness/src/no.rs`, `svm-model/src/features/FEATURE/rules.rs`, \
        `svm-model/src/features/FEATURE/no.rs`, `hernes/x.rs`, `patches/qemu-X.Y/`, `qemu/stock`";
    let gone = ["harness/src/no.rs", "svm-model/src/features/FEATURE/no.rs", "hernes/x.rs"];
    assert_eq!(lost(paths(text)), gone);
}

#[test]
fn what_runs_only_when_it_is_named_is_what_is_said() {
    let names: Vec<String> =
        harness::suites::ON_REQUEST.iter().map(|name| format!("`{name}`")).collect();
    let (last, rest) = names.split_last().expect("some suites");
    let wanted = format!("runs every suite but {} and {last} on both", rest.join(", "));
    assert!(read("docs/test-svm.md").contains(&wanted), "docs/test-svm.md does not say: {wanted}");
}

#[test]
fn the_map_fits_two_screens() {
    let text = read("docs/ARCHITECTURE.md");
    assert!(text.lines().count() <= 100, "{} lines", text.lines().count());
    let long = |l: &&str| l.chars().count() > 100 && !l.starts_with('|');
    assert_eq!(text.lines().filter(long).collect::<Vec<_>>(), [""; 0]);
}

/// How a heading is called in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The links of a document that lead nowhere.
fn dead(document: &str, text: &str) -> Vec<String> {
    let folder = repository().join(document).parent().expect("a folder").to_path_buf();
    let mut dead = Vec::new();
    for found in regex(r"\]\(([^)\s]+)\)").captures_iter(&parted(text).0) {
        let target = &found[1];
        if target.contains("://") {
            continue;
        }
        let (file, part) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { repository().join(document) } else { folder.join(file) };
        let there = match fs::read_to_string(&path) {
            Ok(other) => {
                let headings = other.lines().filter(|l| l.starts_with('#')).map(anchor);
                part.is_empty() || headings.collect::<BTreeSet<_>>().contains(part)
            }
            Err(_) => path.is_dir() && part.is_empty(),
        };
        if !there {
            dead.push(target.to_owned());
        }
    }
    dead
}

#[test]
fn links_between_documents_resolve() {
    for document in documents() {
        assert_eq!(dead(&document, &read(&document)), [""; 0], "in {document}");
    }
    let text = "[a](build.md) [b](no.md) [c](build.md#source) [d](build.md#no) [e](../README.md)";
    assert_eq!(dead("docs/build.md", text), ["no.md", "build.md#no"]);
}

/// The rooms of a text, in its order: names in backticks in the first column of a table, or
/// in `lib.rs`' list.
fn rooms(text: &str) -> Vec<String> {
    let words = regex(r"`(?:mod@)?([a-z_]+)`");
    let rows = text.lines().map(|l| l.trim_start_matches("//! "));
    let first = rows.filter(|l| l.starts_with("| ")).filter_map(|l| l.split('|').nth(1));
    first
        .flat_map(|cell| words.captures_iter(cell).map(|c| c[1].to_owned()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn rooms_are_all_on_the_map_and_import_what_is_above_them() {
    let map = read("docs/ARCHITECTURE.md");
    let (_, table) = map.split_once("<!-- rooms -->").expect("the rooms");
    let rooms = rooms(table.split("\n\n").next().expect("a table"));
    let src = repository().join("harness/src");
    let there = fs::read_dir(&src).expect("src").map(|e| {
        let name = e.expect("an entry").file_name().to_string_lossy().into_owned();
        name.trim_end_matches(".rs").to_owned()
    });
    let mut there: Vec<String> = there.filter(|name| name != "lib").collect();
    there.sort();
    let mut named = rooms.clone();
    named.sort();
    assert_eq!(named, there);

    let import = regex(r"crate::([a-z_]+)");
    for (place, room) in rooms.iter().enumerate() {
        for text in sources(&src, room) {
            for found in import.captures_iter(&text) {
                let below =
                    rooms.iter().position(|r| *r == found[1]).filter(|other| *other > place);
                assert!(below.is_none(), "{room} imports {}, which stands below it", &found[1]);
            }
        }
    }
}

/// The sources of a room.
fn sources(src: &Path, room: &str) -> Vec<String> {
    fn below(path: &Path, all: &mut Vec<String>) {
        if path.is_dir() {
            let entries = fs::read_dir(path).expect("a folder");
            entries.for_each(|e| below(&e.expect("an entry").path(), all));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(fs::read_to_string(path).expect("a source"));
        }
    }
    let mut all = Vec::new();
    let both = [src.join(room), src.join(format!("{room}.rs"))];
    both.iter().filter(|path| path.exists()).for_each(|path| below(path, &mut all));
    all
}

/// How many cases are generated.
static GENERATED: LazyLock<usize> = LazyLock::new(|| cases::all(SEED).len());

/// What a text counts that the data counts otherwise. A series may be one that was measured.
fn miscounted(text: &str) -> Vec<String> {
    let exact = [
        (r"(\d[\d,]*) (?:hand-)?written cases", written::all().len()),
        (r"(\d[\d,]*) generated cases", *GENERATED),
        (r"(\d[\d,]*) rules\b", rules::COUNT),
    ];
    let number = |text: &str| text.replace(',', "").parse::<usize>().expect("a number");
    let mut wrong = Vec::new();
    for (pattern, right) in exact {
        let found = regex(pattern);
        let found = found.captures_iter(text).filter(|c| number(&c[1]) != right);
        wrong.extend(found.map(|c| format!("{} (now {right})", &c[0])));
    }
    let series = measured_series();
    let found = regex(r"series of (\d+) patches");
    let found = found.captures_iter(text).filter(|c| !series.contains(&number(&c[1])));
    wrong.extend(found.map(|c| format!("{} (measured: {series:?})", &c[0])));
    wrong
}

/// How many patches the series has, and had in each measurement that is recorded.
fn measured_series() -> BTreeSet<usize> {
    let results = repository().join("results");
    let patches = repository().join("patches/qemu-10.2");
    let patch = |e: &fs::DirEntry| e.path().extension().is_some_and(|x| x == "patch");
    let now = fs::read_dir(patches).expect("the series").flatten().filter(patch).count();
    let sets = results::load_all(&results).expect("results");
    let mut all: BTreeSet<usize> =
        sets.iter().filter_map(|s| s.build.series.as_ref()).map(|s| s.patches).collect();
    all.insert(now);
    let bench = fs::read_to_string(results.join("bench.json")).expect("bench.json");
    let counted = regex(r#""patches": ?(\d+)"#);
    all.extend(counted.captures_iter(&bench).map(|c| c[1].parse::<usize>().expect("a number")));
    all
}

#[test]
fn numbers_are_those_of_the_data() {
    for document in documents().iter().filter(|document| *document != WRITTEN_BY_CONFORM) {
        assert_eq!(miscounted(&read(document)), [""; 0], "in {document}");
    }
    let wrong =
        miscounted("1,000 written cases, 3 generated cases, 4 rules, series of 999 patches");
    assert_eq!(wrong.len(), 4, "{wrong:?}");
    assert_eq!(miscounted(&format!("all {} rules", rules::COUNT)), [""; 0]);
}

/// The matrix that a block's head asks for: `SUITE BUILD… : ROW, …`.
fn matrix(head: &str) -> String {
    let (what, rows) = head.split_once(':').unwrap_or((head, ""));
    let mut words = what.split_whitespace();
    let suite = words.next().expect("a suite");
    let folder = repository().join("results");
    let known = KnownFailures::load(&folder).expect("known failures");
    let sets = words.map(|build| {
        let set = results::load(&folder, build, suite).expect("results");
        let mut set = set.unwrap_or_else(|| panic!("nothing is recorded of {suite} on {build}"));
        known.apply(&mut set);
        set
    });
    let sets: Vec<_> = sets.collect();
    let sets: Vec<_> = sets.iter().collect();
    let rows: Vec<&str> = rows.split(',').map(str::trim).filter(|r| !r.is_empty()).collect();
    let wanted = |n: usize, line: &str| {
        let name = line.split('|').next().unwrap_or_default().trim();
        n < 2 || rows.is_empty() || rows.contains(&name)
    };
    let all = report::matrix(&sets);
    let kept = all.lines().enumerate().filter(|(n, line)| wanted(*n, line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

/// What `test-svm` prints when all is as it is recorded, for `STOCK PATCHED`.
fn printed(head: &str) -> String {
    let folder = repository().join("results");
    let known = KnownFailures::load(&folder).expect("known failures");
    let mut sets = results::load_all(&folder).expect("results");
    sets.iter_mut().for_each(|set| known.apply(set));
    let (stock, patched) = head.split_once(' ').expect("two builds");
    let of = |build: &str| sets.iter().filter(|s| s.build.name == build).collect::<Vec<_>>();
    let mut all = report::Report { ran: 0, ..report::Report::default() };
    for set in of(stock).into_iter().chain(of(patched)) {
        let part = Part {
            set: set.clone(),
            seconds: BTreeMap::new(),
            logs: BTreeMap::new(),
            excerpts: BTreeMap::new(),
        };
        all.parts.push(part);
        all.comparisons.push(compare(Basis::Recorded, set, set));
    }
    for to in of(patched) {
        let from = of(stock).into_iter().find(|s| s.suite.name == to.suite.name);
        all.comparisons.extend(from.map(|from| compare(Basis::Series, from, to)));
    }
    report::brief(&all)
}

#[test]
fn the_report_in_the_readme_is_what_is_printed_and_fits_a_screen() {
    let block = regex(r"(?s)<!-- printed ([^>]+?) -->\n```\n(.*?)```\n");
    let text = read("README.md");
    let anew = block.replace_all(&text, |found: &regex::Captures<'_>| {
        format!("<!-- printed {} -->\n```\n{}```\n", &found[1], printed(&found[1]))
    });
    if std::env::var_os("BLESS").is_some() {
        fs::write(repository().join("README.md"), anew.as_bytes()).expect("README.md");
    } else {
        assert_eq!(text, anew, "README.md is not as printed; BLESS=1 writes it anew");
    }
    let shown = block.captures(&anew).expect("README.md shows a report")[2].to_owned();
    assert!(shown.lines().count() <= 50, "{shown}");
    let long = |l: &&str| l.chars().count() > 100;
    let prose = shown.lines().filter(|l| !l.trim_start().starts_with("cargo xtask"));
    assert_eq!(prose.filter(long).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn matrices_are_what_is_recorded() {
    let block = regex(r"(?s)<!-- recorded ([^>]+?) -->\n```\n(.*?)```\n");
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        let anew = block.replace_all(&text, |found: &regex::Captures<'_>| {
            seen += 1;
            format!("<!-- recorded {} -->\n```\n{}```\n", &found[1], matrix(&found[1]))
        });
        if std::env::var_os("BLESS").is_some() {
            fs::write(repository().join(&document), anew.as_bytes()).expect("a document");
        } else {
            assert_eq!(text, anew, "{document} is not as recorded; BLESS=1 writes it anew");
        }
    }
    assert!(seen > 0, "no document shows a matrix");
}
