use super::record::{Measure, Record, Rounds};
use super::*;
use crate::qemu::{BuildIdentity, Side};

fn build(side: Side) -> BuildIdentity {
    let name = format!("{side}-1");
    BuildIdentity { name, side, qemu: "1".into(), series: None, compiler: None }
}

fn record(measures: Vec<Measure>) -> Record {
    let machine = machine::Machine {
        cpu: "a CPU".into(),
        cores: 2,
        arch: "x86_64".into(),
        kernel: "Linux 1".into(),
        memory_gib: 4,
    };
    let builds = vec![build(Side::Stock), build(Side::Patched)];
    Record { schema: record::SCHEMA, machine, builds, measures }
}

fn report(measures: Vec<Measure>) -> Report {
    Report { record: record(measures), failures: Vec::new(), whole: true }
}

fn ns(name: &str, rounds: &[(f64, f64)]) -> Measure {
    let rounds = rounds.iter().map(|&(s, p)| (Some(s), Some(p))).collect();
    Measure::new(name, Unit::Nanoseconds, rounds)
}

fn counted(name: &str, stock: f64, patched: f64) -> Measure {
    Measure::new(name, Unit::Instructions, vec![(Some(stock), Some(patched))])
}

#[test]
fn groups_are_chosen_by_name_each_once_and_in_order() {
    let names = |given: &[&str]| -> Vec<&str> {
        let given: Vec<String> = given.iter().map(|&s| s.into()).collect();
        select(&given).unwrap().iter().map(|group| group.name).collect()
    };
    let all: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
    assert_eq!(names(&[]), all);
    assert_eq!(names(&["all", "l1"]), all);
    assert_eq!(names(&["l1", "world-switch", "l1"]), ["world-switch", "l1"]);
    let e = select(&["speed".into()]).unwrap_err();
    assert_eq!(e.kind(), Kind::Usage);
    assert!(e.to_string().contains("speed") && e.to_string().contains("world-switch"), "{e}");
}

#[test]
fn rounds_become_medians_paired_ratios_and_a_spread() {
    let mut rounds = Rounds::default();
    for (n, stock, patched) in [(0, 100.0, 10.0), (1, 1000.0, 50.0), (2, 90.0, 10.0)] {
        rounds.add(n, Side::Patched, vec![Reading::new("g/a", Unit::Nanoseconds, patched)]);
        rounds.add(n, Side::Stock, vec![Reading::new("g/a", Unit::Nanoseconds, stock)]);
    }
    rounds.add(1, Side::Stock, vec![Reading::new("f/only", Unit::Bytes, 7.0)]);
    let measures = rounds.measures();
    assert_eq!(measures[0].name, "f/only");
    assert_eq!(
        (measures[0].stock, measures[0].patched, measures[0].ratio),
        (Some(7.0), None, None)
    );
    assert_eq!(measures[0].rounds, [(None, None), (Some(7.0), None)]);
    let a = &measures[1];
    assert_eq!((a.stock, a.patched, a.ratio), (Some(100.0), Some(10.0), Some(10.0)));
    assert_eq!(a.spread, Some((9.0, 20.0)));
}

#[test]
fn what_is_recorded_is_read_again_and_a_figure_is_a_line() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Record::load(dir.path()).unwrap(), None);
    let mut one = record(vec![ns("a/x", &[(40.0, 4.0)]), ns("b/y", &[(1.0, 2.0)])]);
    one.save(dir.path(), true).unwrap();
    assert_eq!(Record::load(dir.path()).unwrap(), Some(one.clone()));
    let before = std::fs::read_to_string(dir.path().join("bench.json")).unwrap();
    one.measures[1] = ns("b/y", &[(1.0, 3.0)]);
    let after = one.text().unwrap();
    let changed = before.lines().zip(after.lines()).filter(|(a, b)| a != b).count();
    assert_eq!((changed, before.lines().count()), (1, after.lines().count()));
}

#[test]
fn a_part_replaces_its_own_measures_and_only_of_the_same_builds() {
    let dir = tempfile::tempdir().unwrap();
    record(vec![ns("a/x", &[(40.0, 4.0)]), ns("b/y", &[(1.0, 2.0)])])
        .save(dir.path(), true)
        .unwrap();
    record(vec![ns("a/x", &[(50.0, 4.0)])]).save(dir.path(), false).unwrap();
    let now = Record::load(dir.path()).unwrap().unwrap();
    let stock: Vec<_> = now.measures.iter().map(|m| (m.name.as_str(), m.stock)).collect();
    assert_eq!(stock, [("a/x", Some(50.0)), ("b/y", Some(1.0))]);
    let mut other = record(vec![ns("a/x", &[(60.0, 4.0)])]);
    other.builds[1].qemu = "2".into();
    assert_eq!(other.save(dir.path(), false).unwrap_err().kind(), Kind::Usage);
    assert_eq!(Record::load(dir.path()).unwrap().unwrap(), now);
    other.save(dir.path(), true).unwrap();
    assert_eq!(Record::load(dir.path()).unwrap(), Some(other));
}

#[test]
fn another_schema_and_garbage_are_told_apart_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bench.json");
    std::fs::write(&path, "{\"schema\": 99, \"measures\": 1}").unwrap();
    let e = Record::load(dir.path()).unwrap_err().to_string();
    assert!(e.contains("schema 99") && e.contains("--record"), "{e}");
    std::fs::write(&path, "{\"schema\": 1").unwrap();
    assert!(Record::load(dir.path()).unwrap_err().to_string().contains("bench.json"));
}

#[test]
fn work_without_svm_may_not_need_more_instructions() {
    assert_eq!(report(vec![counted("l1/calls-instructions", 1000.0, 1009.0)]).failure(), None);
    let risen = report(vec![counted("l1/calls-instructions", 1000.0, 1011.0)]);
    assert_eq!(risen.failure(), Some(Kind::Regression));
    assert!(text(&risen).contains("risen: l1/calls-instructions"));
    // Times are not held to it, nor are counts of what uses SVM.
    let others = vec![ns("l1/calls", &[(1.0, 2.0)]), counted("linux/x", 1.0, 2.0)];
    assert_eq!(report(others).failure(), None);
    let lacking = Report { failures: vec!["l1: no valgrind".into()], ..report(Vec::new()) };
    assert_eq!(lacking.failure(), Some(Kind::Harness));
    assert!(text(&lacking).contains("not measured: l1: no valgrind"));
}

#[test]
fn the_table_has_a_row_for_each_measure() {
    let one_sided = Measure::new("world-switch/b", Unit::Nanoseconds, vec![(None, Some(5.0))]);
    let report =
        report(vec![ns("world-switch/a", &[(38_000.0, 2_000.0), (42_000.0, 2_000.0)]), one_sided]);
    let expected = "\
a CPU, 2 cores, 4 GiB, x86_64, Linux 1

stock-1          QEMU 1
patched-1        QEMU 1

measure        |     stock   patched |  ratio        spread | rounds
world-switch/a |  40.00 us   2.00 us | 20.000 19.000-21.000 | 2
world-switch/b |         -   5.00 ns |      -             - | 1
";
    assert_eq!(text(&report), expected);
}
