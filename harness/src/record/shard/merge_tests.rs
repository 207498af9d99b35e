use super::*;
use crate::Verdict;
use crate::record::fixtures::{row, set};
use crate::record::results::{ResultSet, Row, SCHEMA};
use crate::record::shard::Shard;
use crate::record::shard::share::Results;
use crate::suites::TestId;
use crate::suites::select::Selection;

const TESTS: [(&str, u32, Verdict); 4] = [
    ("a", 1, Verdict::Pass),
    ("b", 2, Verdict::Fail),
    ("c", 1, Verdict::Crash),
    ("d", 2, Verdict::Pass),
];

fn whole() -> ResultSet {
    set("stock-1", TESTS.map(|(name, _, verdict)| row("c", name, verdict)).to_vec())
}

fn share(number: u32) -> (PathBuf, Share) {
    let missing = |(name, shard, _)| Row {
        why: Some(format!("shard {shard}/2 left no result")),
        ..row("c", name, Verdict::Missing)
    };
    let id = |name: &str| TestId { suite: "s".into(), config: "c".into(), test: name.into() };
    let mine = TESTS.iter().filter(|t| t.1 == number);
    let tests: Vec<Row> = mine.map(|t| row("c", t.0, t.2)).collect();
    let seconds = tests.iter().map(|r| ((r.config.clone(), r.test.clone()), 1.5)).collect();
    let share = Share {
        schema: SCHEMA,
        shard: Shard { number, of: 2 },
        selection: Selection::default(),
        command: String::new(),
        outline: vec![set("stock-1", TESTS.map(missing).to_vec())],
        cut: TESTS.map(|(name, shard, _)| (id(name), shard)).to_vec(),
        results: vec![Results { tests, seconds, excerpts: Vec::new() }],
        absent: Vec::new(),
        ran: 2,
        took: f64::from(number),
    };
    (format!("shard-{number}.json").into(), share)
}

#[test]
fn shards_put_together_are_the_whole_in_any_order() {
    for order in [[1, 2], [2, 1]] {
        let merged = merge(order.map(share).to_vec()).unwrap();
        assert_eq!(merged.parts[0].set, whole());
        assert_eq!(merged.parts[0].seconds.len(), 4);
        assert_eq!((merged.lost, merged.ran, merged.took), (vec![], 4, 2.0));
    }
}

#[test]
fn a_shard_that_died_leaves_its_tests_missing() {
    let merged = merge(vec![share(1)]).unwrap();
    let rows = &merged.parts[0].set.tests;
    let seen: Vec<_> = rows.iter().map(|r| (r.test.as_str(), r.verdict)).collect();
    let (pass, crash, missing) = (Verdict::Pass, Verdict::Crash, Verdict::Missing);
    assert_eq!(seen, [("a", pass), ("b", missing), ("c", crash), ("d", missing)]);
    assert_eq!(rows[1].why.as_deref(), Some("shard 2/2 left no result"));
    assert_eq!(merged.lost, [2]);
}

#[test]
fn shards_of_different_runs_or_one_twice_are_refused_by_name() {
    let error = |shares: Vec<(PathBuf, Share)>| {
        let e = merge(shares).unwrap_err();
        assert_eq!(e.kind(), Kind::Usage);
        e.to_string()
    };
    assert!(error(vec![]).contains("no shard"));
    assert!(error(vec![share(1), share(1)]).contains("shard 1 is there twice"));
    let other = |change: &dyn Fn(&mut Share)| {
        let mut second = share(2);
        change(&mut second.1);
        error(vec![share(1), second])
    };
    let text = other(&|s| s.outline[0].build.qemu = "9".into());
    assert!(text.contains("shard-1.json and shard-2.json"), "{text}");
    assert!(text.contains("the QEMU that was measured"), "{text}");
    assert!(other(&|s| s.shard.of = 3).contains("number of shards"));
    assert!(other(&|s| s.outline[0].suite.version = "v2".into()).contains("the suites"));
    assert!(other(&|s| s.cut[0].1 = 2).contains("in which shard"));
}

#[test]
fn a_share_is_read_as_it_was_written_and_anything_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.json");
    let (_, mut one) = share(1);
    one.save(&path).unwrap();
    assert_eq!(Share::load(&path).unwrap(), one);
    one.schema += 1;
    one.save(&path).unwrap();
    assert!(Share::load(&path).unwrap_err().to_string().contains("it has schema"));
    for (text, word) in [("{}", "--shard K/N wrote"), ("", "--shard K/N wrote")] {
        std::fs::write(&path, text).unwrap();
        let e = Share::load(&path).unwrap_err();
        assert!(e.kind() == Kind::Usage && e.to_string().contains(word), "{e}");
    }
}
