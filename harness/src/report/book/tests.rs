//! The book as a whole, of a part of the generated cases.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::*;
use crate::record::results::ResultSet;

/// The book of the cases of two families, with results of one build.
static BOOK: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let some = |entry: &Entry| ["pause/", "bus-lock/"].iter().any(|f| entry.case.id.starts_with(f));
    let generated: Vec<Entry> = catalogue::generated().filter(some).collect();
    assert!(generated.len() > 50);
    let sets = [results("rules", "pause.count"), results("conformance", "pause/count-3")];
    pages(repo, generated, &History::of(&sets)).unwrap()
});

fn results(suite: &str, test: &str) -> ResultSet {
    let row = crate::record::results::Row {
        why: Some("expected <0x77>".into()),
        ..crate::record::fixtures::row(suite, test, Verdict::Fail)
    };
    let mut set = crate::record::fixtures::set("stock-10.2.2", vec![row]);
    set.suite.name = suite.into();
    set
}

fn text(pages: &[Page], path: &str) -> String {
    pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("{path}")).text.clone()
}

/// What a browser makes of an attribute's value.
fn plain(value: &str) -> String {
    let mut value = value.to_owned();
    for (written, meant) in [
        ("&#x2f;", "/"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&amp;", "&"),
    ] {
        value = value.replace(written, meant);
    }
    value
}

/// The path that a link on the page `from` leads to.
fn resolved(from: &str, link: &str) -> String {
    if link.is_empty() {
        return from.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => _ = parts.pop().unwrap_or_else(|| panic!("{from} to {link} leaves the book")),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_link_leads_to_a_place_that_is_there_once_and_every_page_can_be_come_to() {
    let pages = &*BOOK;
    let (link, id) =
        (Regex::new(r#"(?:href|src)="([^"]*)""#).unwrap(), Regex::new(r#" id="([^"]*)""#).unwrap());
    let mut ids: HashMap<&str, HashSet<String>> = HashMap::new();
    for page in pages {
        let on_page = ids.entry(&page.path).or_default();
        for found in id.captures_iter(&page.text) {
            assert!(on_page.insert(plain(&found[1])), "{}: {} twice", page.path, &found[1]);
        }
    }
    let mut come_to: HashSet<String> = HashSet::from(["index.html".to_owned()]);
    let mut followed = 0;
    for page in pages {
        for found in link.captures_iter(&page.text).map(|c| plain(&c[1])) {
            if found == "data:," {
                continue;
            }
            let (path, place) = found.split_once('#').unwrap_or((&found, ""));
            let path = resolved(&page.path, path);
            let there = ids.get(path.as_str());
            let there = there.unwrap_or_else(|| panic!("{} links to {found}", page.path));
            assert!(place.is_empty() || there.contains(place), "{} links to {found}", page.path);
            come_to.insert(path);
            followed += 1;
        }
    }
    assert!(followed > 5000, "{followed}");
    let never: Vec<&str> = ids.keys().copied().filter(|path| !come_to.contains(*path)).collect();
    assert_eq!(never, [""; 0]);
}

#[test]
fn an_entry_has_all_that_is_known_of_its_rule() {
    let pages = &*BOOK;
    let page = plain(&text(pages, "section/15.14.4.html"));
    let (_, entry) = page.split_once("id=\"pause.count\"").unwrap();
    let (entry, _) = entry.split_once("</section>").unwrap();
    let wanted = [
        "With a count of n, the first n PAUSEs do not exit; the next does.",
        "APM vol. 2, 15.14.4 · a condition · feature pause-filter",
        "svm-model/src/features/pause_filter/model.rs:",
        "if t.rule(pause_filter::COUNT, guest.pauses > 0) {",
        "the condition holds in ",
        "stock 10.2.2",
        "expected <0x77>",
        "<tr><th scope=\"row\">pause</th>",
        "cases/pause-filter.html#pause/",
    ];
    let lacking: Vec<&str> = wanted.into_iter().filter(|what| !entry.contains(what)).collect();
    assert_eq!(lacking, [""; 0], "{entry}");
    // What is said is escaped.
    assert!(text(pages, "section/15.14.4.html").contains("expected &lt;0x77&gt;"));
    let silent = plain(&text(pages, "silent.html"));
    assert!(silent.contains("section/15.9.html#intercept.cr0-sel-priority"), "{silent}");
}

#[test]
fn sections_come_in_the_manuals_order_and_lead_on_to_each_other() {
    let pages = &*BOOK;
    let index = plain(&text(pages, "index.html"));
    let place =
        |label: &str| index.rfind(&format!(">{label}</a>")).unwrap_or_else(|| panic!("{label}"));
    assert!(["15.5.1", "15.6", "15.9", "15.10.1", "vol. 3, CLGI"].map(place).is_sorted());
    let page = plain(&text(pages, "section/15.6.html"));
    assert!(page.contains("← 15.5.2</a>") && page.contains("15.7.1 →</a>"), "{page}");
}
