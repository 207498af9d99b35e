//! Each report as a whole, against a file that was looked at.
//!
//! `UPDATE_EXPECT=1 cargo test -p harness report` writes the files anew.

use std::collections::BTreeMap;

use expect_test::expect_file;
use svm_model::Feature;

use super::{Part, Report, brief, changes, html, json, junit, overview, recorded, since, text};
use crate::bench::Unit;
use crate::bench::machine::Machine;
use crate::bench::record::{Measure, Record};
use crate::record::diff::{Basis, compare};
use crate::record::fixtures::{row, set};
use crate::record::history::History;
use crate::record::results::{Excerpts, KnownFailures, ResultSet, Row};
use crate::suites::{Absent, TestId, WHOLE};
use crate::{Kind, Verdict};

fn check(name: &str, actual: &str) {
    expect_file![format!("expected/{name}")].assert_eq(actual);
}

fn part(set: ResultSet) -> Part {
    let key = |r: &Row| (r.config.clone(), r.test.clone());
    let log = |r: &Row| (key(r), format!("/cache/{}/{}.log", set.build.name, r.test).into());
    let logs = set.tests.iter().map(log).collect();
    let seconds: BTreeMap<_, _> = set.tests.iter().map(|r| (key(r), 1.5)).collect();
    let excerpts = [(("svm".into(), "cr3".into()), "FAIL: cr3\nSUMMARY: 1 tests".into())];
    Part { seconds, logs, excerpts: excerpts.into(), set }
}

fn report(parts: Vec<Part>) -> Report {
    let command = "cargo xtask test-svm --kvm-unit-tests '../my tree'".into();
    Report { parts, ran: 7, took: 12.3, command, ..Report::default() }
}

fn of(feature: Feature, test: &str, verdict: Verdict) -> Row {
    Row { feature: Some(feature), ..row("svm", test, verdict) }
}

fn whole(verdict: Verdict, passed: u32, failed: u32) -> Row {
    Row { feature: None, passed, failed, ..row("svm", WHOLE, verdict) }
}

fn stock() -> ResultSet {
    let mut tests = vec![
        of(Feature::Intercepts, "cr3", Verdict::Fail),
        of(Feature::Intercepts, "exceptions", Verdict::Crash),
        of(Feature::Intercepts, "racy", Verdict::Pass),
        of(Feature::Lbrv, "lbr0", Verdict::Skip),
        Row { passed: 56, failed: 72, ..of(Feature::Npt, "rsvd", Verdict::Fail) },
        of(Feature::Vgif, "vgif", Verdict::Pass),
        of(Feature::Virq, "virq", Verdict::Pass),
        whole(Verdict::Crash, 325, 5),
    ];
    tests[3].known = Some("TCG has no LBR".into());
    set("stock-10.2.2", tests)
}

fn patched() -> ResultSet {
    let mut tests = vec![
        of(Feature::Intercepts, "cr3", Verdict::Pass),
        of(Feature::Intercepts, "exceptions", Verdict::Fail),
        Row { flaky: true, ..of(Feature::Intercepts, "racy", Verdict::Timeout) },
        of(Feature::Lbrv, "lbr0", Verdict::Skip),
        Row { passed: 128, failed: 0, ..of(Feature::Npt, "rsvd", Verdict::Pass) },
        of(Feature::Vgif, "vgif", Verdict::Fail),
        of(Feature::Vnmi, "vnmi", Verdict::Pass),
        whole(Verdict::Fail, 410, 1),
    ];
    tests[2].attempts = vec![Verdict::Pass, Verdict::Timeout];
    tests[2].known = Some("waits for an exact count and may step over it".into());
    set("patched-10.2.2", tests)
}

fn both_sides() -> Report {
    let mut report = report(vec![part(stock()), part(patched())]);
    report.comparisons = vec![
        compare(Basis::Series, &stock(), &patched()),
        compare(Basis::Recorded, &stock(), &stock()),
    ];
    report.unrecorded = vec![("patched-10.2.2".into(), "s".into())];
    let vnmi = TestId { suite: "s".into(), config: "svm".into(), test: "vnmi".into() };
    let reason = "TCG has no virtual NMI".into();
    report.unexpected = vec![("patched-10.2.2".into(), vnmi, reason)];
    report
}

#[test]
fn a_run_on_both_sides() {
    check("both-sides.txt", &text(&both_sides()));
}

/// What a person sees first: every line fits, and no more of them than a screen has.
fn fits_a_screen(text: &str, lines: usize) {
    assert!(text.lines().count() <= lines, "{} lines:\n{text}", text.lines().count());
    let commands = |l: &&str| !l.trim_start().starts_with("cargo xtask");
    for line in text.lines().filter(commands) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_same_on_one_screen() {
    let text = brief(&both_sides());
    fits_a_screen(&text, 50);
    check("both-sides-brief.txt", &text);
    check("nothing-ran-brief.txt", &brief(&report(Vec::new())));
}

/// Every feature, every suite, hundreds of tests that a series fixes.
#[test]
fn when_all_is_well_forty_lines_of_eighty_columns_say_so() {
    let tests = |verdict: &dyn Fn(usize) -> Verdict| -> Vec<Row> {
        let of_feature = |f: &Feature| {
            let row = |n: usize| of(*f, &format!("{}{n}", f.name()), verdict(n));
            (0..40).map(row).collect::<Vec<_>>()
        };
        Feature::ALL.iter().flat_map(of_feature).chain([whole(verdict(0), 3, 0)]).collect()
    };
    let bad = [Verdict::Fail, Verdict::Pass, Verdict::Crash, Verdict::Timeout, Verdict::Skip];
    let (stock, patched) = (tests(&|n| bad[n % 5]), tests(&|_| Verdict::Pass));
    let mut all = report(Vec::new());
    let suites = ["conformance", "kvm-unit-tests", "kvm-unit-tests-x86", "migration", "rules"];
    for name in suites {
        let mut sets = [set("stock-10.2.2", stock.clone()), set("patched-10.2.2", patched.clone())];
        sets.iter_mut().for_each(|set| set.suite.name = name.into());
        all.comparisons.push(compare(Basis::Series, &sets[0], &sets[1]));
        for set in sets {
            all.comparisons.push(compare(Basis::Recorded, &set, &set));
            all.parts.push(part(set));
        }
    }
    let text = brief(&all);
    fits_a_screen(&text, 40);
    assert!(text.contains("no regression: the series fixes 3205 tests and breaks none"), "{text}");
    check("all-well-brief.txt", &text);
}

#[test]
fn as_data() {
    check("both-sides.json", &json(&both_sides()).unwrap());
    check("both-sides.xml", &junit(&both_sides()).unwrap());
}

#[test]
fn a_run_that_is_as_recorded_and_a_suite_that_is_absent() {
    let mut report = report(vec![part(stock())]);
    report.comparisons = vec![compare(Basis::Recorded, &stock(), &stock())];
    report.absent = vec![Absent { suite: "other".into(), why: "no tree: give --other DIR".into() }];
    check("as-recorded.txt", &text(&report));
    check("as-recorded-brief.txt", &brief(&report));
}

#[test]
fn another_version_of_the_suite_with_many_new_tests() {
    let mut now = stock();
    now.suite.version = "v2".into();
    now.tests.truncate(1);
    now.tests.extend((0..25).map(|n| of(Feature::Msr, &format!("new{n:02}"), Verdict::Pass)));
    let mut report = report(vec![part(now.clone())]);
    report.comparisons = vec![compare(Basis::Recorded, &stock(), &now)];
    check("new-version.txt", &text(&report));
}

#[test]
fn nothing_ran() {
    check("nothing-ran.txt", &text(&report(Vec::new())));
}

/// Three versions of stock, one patched, and reasons for some failures.
fn several() -> Vec<ResultSet> {
    let version = |name: &str, version: &str, tests: Vec<Row>| {
        let mut set = set(name, tests);
        set.build.qemu = version.into();
        set
    };
    let mut oldest = stock();
    oldest.tests.remove(5);
    oldest.tests[0] = of(Feature::Intercepts, "cr3", Verdict::Pass);
    vec![
        version("patched-10.2.2", "10.2.2", patched().tests),
        version("stock-10.2.2", "10.2.2", stock().tests),
        version("stock-7.2.22", "7.2.22", oldest.tests),
    ]
}

fn known() -> KnownFailures {
    let text = r#"
[[known]]
suite = "s"
configs = ["*"]
tests = ["lbr*", "vnmi"]
builds = ["*"]
verdicts = ["skip"]
reason = "TCG has no LBR"
link = "https://example.org/lbr"
since = "7.2"

[[known]]
suite = "s"
configs = ["svm"]
tests = ["racy"]
builds = ["*"]
verdicts = ["timeout"]
reason = "waits for an exact count and may step over it"
link = "https://example.org/racy"
since = "v1"
flaky = true

[[known]]
suite = "s"
configs = ["svm"]
tests = ["nothing"]
builds = ["*"]
verdicts = ["fail"]
reason = "was renamed"
link = "https://example.org/nothing"
since = "v0"
"#;
    KnownFailures::parse(text, "known-failures.toml").unwrap()
}

#[test]
fn everything_that_is_recorded_of_several_builds() {
    let (mut sets, known) = (several(), known());
    sets.iter_mut().for_each(|set| known.apply(set));
    check("recorded.txt", &recorded(&History::of(&sets), &known));
    let text = overview(&History::of(&sets), &known);
    fits_a_screen(&text, 50);
    check("overview.txt", &text);
}

#[test]
fn what_changed_since_a_build() {
    let (sets, known) = (several(), known());
    let history = History::of(&sets);
    let to = |to: &[&str]| to.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let next = since(&history, "stock-7.2.22", &[]).unwrap();
    check("since.txt", &changes(&history, &known, next));
    let named = since(&history, "stock-7.2.22", &to(&["patched-10.2.2"])).unwrap();
    assert_eq!((named.len(), named[0].to.as_str()), (1, "patched-10.2.2"));
    for (from, to) in [("stock-9", to(&[])), ("patched-10.2.2", to(&[]))] {
        assert_eq!(since(&history, from, &to).unwrap_err().kind(), Kind::Usage, "{from}");
    }
}

#[test]
fn more_than_is_listed_is_where_it_says() {
    let many = |verdict| {
        (0..25).map(|n| of(Feature::Msr, &format!("m{n:02}"), verdict)).collect::<Vec<_>>()
    };
    let mut sets =
        [set("stock-7.2.22", many(Verdict::Fail)), set("stock-10.2.2", many(Verdict::Pass))];
    sets[0].build.qemu = "7.2.22".into();
    let history = History::of(&sets);
    let known = KnownFailures::default();
    let next = since(&history, "stock-7.2.22", &[]).unwrap();
    let text = changes(&history, &known, next);
    // `report` has no --json.
    assert!(text.contains("and 5 more; all are in report --html DIR"), "{text}");
    let none = Excerpts::default();
    let content = html::Content { history: &history, known: &known, excerpts: &none, bench: None };
    let pages = html::pages(&content).unwrap();
    let index = &pages.iter().find(|p| p.path == "index.html").unwrap().text;
    assert!((0..25).all(|n| index.contains(&format!("m{n:02}"))), "{index}");
}

#[test]
fn the_pages_of_several_builds() {
    let (mut sets, known) = (several(), known());
    sets.iter_mut().for_each(|set| known.apply(set));
    let history = History::of(&sets);
    let mut excerpts = Excerpts::default();
    let cr3 = TestId { suite: "s".into(), config: "svm".into(), test: "cr3".into() };
    excerpts.insert("stock-10.2.2", cr3, "FAIL: cr3 <is> & \"was\"".into());
    let machine = Machine {
        cpu: "A CPU".into(),
        cores: 2,
        arch: "x86_64".into(),
        kernel: "Linux 6".into(),
        memory_gib: 8,
    };
    let rounds = |stock, patched| vec![(Some(stock), Some(patched))];
    let bench = Record {
        schema: 1,
        machine,
        builds: vec![sets[1].build.clone(), sets[0].build.clone()],
        measures: vec![
            Measure::new("world-switch/vmexit", Unit::Nanoseconds, rounds(6467.0, 6704.0)),
            Measure::new("world-switch/vmrun", Unit::Nanoseconds, rounds(6733.0, 7027.0)),
        ],
    };
    let content = html::Content {
        history: &history,
        known: &known,
        excerpts: &excerpts,
        bench: Some(&bench),
    };
    let pages = html::pages(&content).unwrap();
    let page = |path: &str| &pages.iter().find(|p| p.path == path).unwrap().text;
    check("index.html", page("index.html"));
    check("feature.html", page("feature/intercepts.html"));
    check_links(&pages);
}

/// Each link leads to a page that is there, and to something on it.
fn check_links(pages: &[html::Page]) {
    let links = regex::Regex::new(r#"(?:href|src)="([^"]*)""#).unwrap();
    let mut followed = 0;
    for page in pages.iter().filter(|p| p.path.ends_with(".html")) {
        for link in links.captures_iter(&page.text).map(|c| c[1].replace("&#x2f;", "/")) {
            if link.starts_with("data:") || link.starts_with("https://example.org") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = path.strip_prefix("../").unwrap_or(path);
            let target = pages.iter().find(|p| p.path == path);
            let target = target.unwrap_or_else(|| panic!("{} links to {link}", page.path));
            let id = format!("id=\"{anchor}\"");
            assert!(anchor.is_empty() || target.text.contains(&id), "{} to {link}", page.path);
            followed += 1;
        }
    }
    assert!(followed > 100, "{followed}");
}
