//! What the logs say about tests that do not pass: kept in the cache, not in
//! `results/`, since logs name paths of the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ResultSet;
use crate::host::cache::{Cache, write_atomic};
use crate::host::error::Context;
use crate::qemu::BuildIdentity;
use crate::suites::TestId;
use crate::{Kind, Result};

/// Lines of an excerpt, and characters of a line.
const LINES: usize = 48;
const CHARACTERS: usize = 240;

/// Excerpts by build and test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpts(BTreeMap<(String, TestId), String>);

/// The file of one suite on one build.
#[derive(Serialize, Deserialize)]
struct File {
    build: BuildIdentity,
    suite_version: String,
    excerpts: Vec<(TestId, String)>,
}

impl Excerpts {
    /// What is kept of the logs of `sets`. A file of another build or of
    /// another version of the suite, or one that cannot be read, is no excerpt.
    pub fn load(cache: &Cache, sets: &[ResultSet]) -> Self {
        let mut all = Self::default();
        for set in sets {
            let text = std::fs::read(path(cache, set)).unwrap_or_default();
            let Ok(file) = serde_json::from_slice::<File>(&text) else { continue };
            if file.build == set.build && file.suite_version == set.suite.version {
                let build = &set.build.name;
                all.0.extend(file.excerpts.into_iter().map(|(id, e)| ((build.clone(), id), e)));
            }
        }
        all
    }

    /// Adds those of `set` to what the cache has of the same build and suite.
    ///
    /// # Errors
    /// Harness; what was there still is then.
    pub fn save(
        cache: &Cache,
        set: &ResultSet,
        excerpts: &BTreeMap<(String, String), String>,
    ) -> Result<()> {
        let mut all = Self::load(cache, std::slice::from_ref(set));
        for row in &set.tests {
            let key = (set.build.name.clone(), set.id(row));
            match excerpts.get(&(row.config.clone(), row.test.clone())) {
                Some(text) => all.0.insert(key, text.clone()),
                None => all.0.remove(&key),
            };
        }
        let file = File {
            build: set.build.clone(),
            suite_version: set.suite.version.clone(),
            excerpts: all.0.into_iter().map(|((_, id), text)| (id, text)).collect(),
        };
        let path = path(cache, set);
        let text = serde_json::to_vec(&file)
            .doing(Kind::Harness, || format!("writing {}", path.display()))?;
        write_atomic(&path, &text)
    }

    /// What the log of `id` on `build` says.
    pub fn get(&self, build: &str, id: &TestId) -> Option<&str> {
        self.0.get(&(build.to_owned(), id.clone())).map(String::as_str)
    }

    /// Adds one.
    pub fn insert(&mut self, build: &str, id: TestId, text: String) {
        self.0.insert((build.to_owned(), id), text);
    }
}

fn path(cache: &Cache, set: &ResultSet) -> PathBuf {
    cache.path(format!("excerpts/{}/{}.json", set.build.name, set.suite.name))
}

/// What of `log` is about `test`: its block, where the log has one for each
/// test, or else what is around the first failure and the end.
pub fn excerpt(log: &str, test: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with("$ ")).collect();
    let chosen = match lines.iter().position(|line| *line == test) {
        Some(start) => block(&lines[start..]),
        None => around(&lines),
    };
    let mut text: Vec<String> =
        chosen.iter().map(|line| line.chars().take(CHARACTERS).collect()).collect();
    while text.last().is_some_and(|line| line.trim().is_empty()) {
        text.pop();
    }
    text.join("\n")
}

/// The first line and those that are indented under it.
fn block<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let under = lines[1..].iter().take_while(|line| line.starts_with(' '));
    lines.iter().take(1).chain(under).take(LINES).copied().collect()
}

fn around<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    const BEFORE: usize = 6;
    const END: usize = 18;
    if lines.len() <= LINES {
        return lines.to_vec();
    }
    let end = lines.len() - END;
    let failure = lines.iter().position(|line| line.starts_with("FAIL")).filter(|at| *at < end);
    let Some(at) = failure else {
        let mut tail = vec!["…"];
        tail.extend(&lines[lines.len() - (LINES - 1)..]);
        return tail;
    };
    let from = at.saturating_sub(BEFORE);
    let to = (from + LINES - END).min(end);
    let mut chosen = if from > 0 { vec!["…"] } else { Vec::new() };
    chosen.extend(&lines[from..to]);
    if to < end {
        chosen.push("…");
    }
    chosen.extend(&lines[end..]);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::record::fixtures::{row, set};

    #[test]
    fn a_block_or_the_first_failure_and_the_end() {
        let blocks = "a: as expected\n\nb\n  feature  npt\n  differs\n  ! 1 2\nc: as expected\n";
        assert_eq!(excerpt(blocks, "b"), "b\n  feature  npt\n  differs\n  ! 1 2");
        let short = "$ /some/path/qemu -kernel x\nPASS: 1\nFAIL: 2\n\n";
        assert_eq!(excerpt(short, "t"), "PASS: 1\nFAIL: 2");
        let line = |n: usize| if n == 100 { "FAIL: 100\n".into() } else { format!("PASS: {n}\n") };
        let long: String = (0..300).map(line).collect();
        let text = excerpt(&long, "t");
        assert!(text.starts_with("…\nPASS: 94\n") && text.contains("\nFAIL: 100\n"), "{text}");
        assert!(text.ends_with("\nPASS: 299") && text.lines().count() <= LINES + 2, "{text}");
        let silent: String = (0..300).map(|n| format!("{n}\n")).collect();
        assert!(excerpt(&silent, "t").starts_with("…\n253\n"));
    }

    #[test]
    fn they_are_kept_for_the_same_build_and_added_to() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path())).unwrap();
        let rows = |names: &[&str]| names.iter().map(|n| row("c", n, Verdict::Fail)).collect();
        let texts = |names: &[&str]| {
            names
                .iter()
                .map(|n| (("c".to_owned(), (*n).to_owned()), format!("log of {n}")))
                .collect()
        };
        Excerpts::save(&cache, &set("stock-1", rows(&["a", "b"])), &texts(&["a", "b"])).unwrap();
        let later = set("stock-1", rows(&["b", "c"]));
        Excerpts::save(&cache, &later, &texts(&["c"])).unwrap();
        let loaded = Excerpts::load(&cache, std::slice::from_ref(&later));
        let get = |test: &str| {
            let id = TestId { suite: "s".into(), config: "c".into(), test: test.into() };
            loaded.get("stock-1", &id).map(str::to_owned)
        };
        assert_eq!(get("a").as_deref(), Some("log of a"));
        assert_eq!(get("b"), None, "it was measured again and has no log now");
        assert_eq!(get("c").as_deref(), Some("log of c"));
        let mut other = later;
        other.build.qemu = "11".into();
        assert_eq!(Excerpts::load(&cache, &[other]), Excerpts::default());
    }
}
