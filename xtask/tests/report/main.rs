//! `cargo xtask report --html` in a browser, from the results of this checkout.
//!
//! Where no browser is there, the tests say so and pass.

mod browser;

use std::path::Path;
use std::process::Command;

use browser::{Browser, Seen};

/// What a phone shows, and a desk.
const WIDTHS: [u32; 2] = [360, 1280];

fn write_report(dir: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let cache = tempfile::tempdir().unwrap();
    command.args(["report", "--html"]).arg(dir).arg("--cache").arg(cache.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The pages below `dir`, by name.
fn pages(dir: &Path) -> Vec<String> {
    let html = |dir: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| n.ends_with(".html")).collect()
    };
    let features = html(&dir.join("feature")).into_iter().map(|n| format!("feature/{n}"));
    let mut pages: Vec<String> = html(dir).into_iter().chain(features).collect();
    pages.sort();
    pages
}

#[test]
fn every_page_opens_without_a_complaint_and_fits_a_phone() {
    let Some(browser) = Browser::find() else { return };
    let dir = tempfile::tempdir().unwrap();
    write_report(dir.path());
    let pages = pages(dir.path());
    assert!(pages.len() > 15, "{pages:?}");
    for width in WIDTHS {
        let (seen, complaints) = browser.open(dir.path(), &pages, width);
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(seen.len(), pages.len(), "{seen:?}");
        for Seen { page, heading, rules, needs } in seen {
            assert!(!heading.is_empty(), "{page} has no heading");
            assert!(rules > 50, "{page} has no style: {rules} rules");
            assert!(needs <= width, "{page} needs {needs} pixels of {width}");
        }
    }
}

#[test]
fn a_page_that_lacks_a_file_fails_in_a_script_or_is_too_wide_is_noticed() {
    let Some(browser) = Browser::find() else { return };
    let dir = tempfile::tempdir().unwrap();
    let page = |name: &str, body: &str| {
        let text =
            format!("<!doctype html><meta name=viewport content='width=device-width'>{body}");
        std::fs::write(dir.path().join(name), text).unwrap();
        name.to_owned()
    };
    let bad = [
        page("a.html", "<h1>a</h1><link rel=stylesheet href=none.css>"),
        page("b.html", "<h1>b</h1><script>no_such_thing()</script>"),
        page("c.html", "<h1>c</h1><div style='width:900px'>wide</div>"),
    ];
    let (seen, complaints) = browser.open(dir.path(), &bad, 360);
    let said = |what: &str| complaints.iter().any(|c| c.contains(what));
    assert!(said("no_such_thing"), "{complaints:?}");
    let of = |name: &str| seen.iter().find(|s| s.page == name).unwrap();
    assert!(of("c.html").needs >= 900 && of("b.html").needs <= 360, "{seen:?}");
    assert_eq!((of("a.html").heading.as_str(), of("a.html").rules), ("a", 0));
}
