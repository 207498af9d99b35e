//! A build that counts which lines run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::patch::Patch;
use super::tree::Tree;
use super::{
    Built, Flavour, Spec, apply, build_in, compiler, configure_args, diagnose, flags, ninja,
    tree_for,
};
use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::process;
use crate::host::sandbox::{self, Limits, Room, Sandbox};
use crate::host::setup;
use crate::{Env, Error, Kind, Result};

/// By file, as named in QEMU's tree: by line that has code, whether it ran.
pub type Lines = BTreeMap<String, BTreeMap<u32, bool>>;

/// The same, with all that is known of each line.
pub type Counts = BTreeMap<String, BTreeMap<u32, Count>>;

/// What became of a line that has code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The function that it is in.
    pub function: String,
    /// Whether it ran.
    pub ran: bool,
    /// For each way on from it, where there is more than one: whether it was taken.
    pub branches: Vec<bool>,
}

/// A QEMU with counters. Its tree is held as long as this lives, since the
/// counters are beside the objects.
#[derive(Debug)]
pub struct Counted {
    tree: Tree,
    /// What was built; the path is that in the tree.
    pub built: Built,
}

#[derive(Deserialize)]
struct Document {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    file: String,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    line_number: u32,
    count: u64,
    #[serde(default)]
    function_name: String,
    #[serde(default)]
    branches: Vec<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    count: u64,
}

/// Builds `spec` with counters, all at zero, in a sandbox if one is given.
///
/// # Errors
/// As [`super::build`]; Setup, when there is no gcov.
pub fn counted(env: &Env, spec: &Spec, sandbox: Option<&Sandbox>) -> Result<Counted> {
    if setup::find_tool("gcov").is_none() {
        return Err(Error::new(Kind::Setup, "there is no gcov on this machine")
            .hint("it comes with gcc; lines are counted with it"));
    }
    let spec = Spec { flavour: Flavour::Gcov, ..spec.clone() };
    let built = build_in(env, &spec, sandbox)?;
    let patches: Vec<Patch> = spec.patches.iter().map(|p| Patch::read(p)).collect::<Result<_>>()?;
    let applied = apply::apply(&spec.source, &patches)?;
    let tree = tree_for(env, &spec, sandbox)?;
    // The binary may be an old one, and the tree elsewhere by now.
    tree.checkout(applied.tip())?;
    ninja::configure(env, &tree, configure_args(env, &spec, &compiler()?)?)?;
    if !ninja::ninja(env, &tree, flags::TARGET)? {
        return Err(diagnose::explain(&spec.source, &tree, &patches, &applied));
    }
    let path = tree.build().join(flags::TARGET);
    let counted = Counted { tree, built: Built { path, ..built } };
    for file in counted.counters("")? {
        fs::remove_file(&file).map_err(|e| io_error("removing", &file, e))?;
    }
    Ok(counted)
}

impl Counted {
    /// The lines of files below `folder`, after some runs.
    ///
    /// # Errors
    /// Harness, when gcov cannot be understood.
    pub fn lines(&self, folder: &str) -> Result<Lines> {
        let ran = |lines: BTreeMap<u32, Count>| lines.into_iter().map(|(n, c)| (n, c.ran));
        let counts = self.counts(folder)?;
        Ok(counts.into_iter().map(|(file, lines)| (file, ran(lines).collect())).collect())
    }

    /// The same, with functions and branches.
    ///
    /// # Errors
    /// As [`Counted::lines`].
    pub fn counts(&self, folder: &str) -> Result<Counts> {
        let mut counts = Counts::new();
        for counter in self.counters(&folder.replace('/', "_"))? {
            let mut c = self.tree.command(Path::new("gcov"))?;
            let counter = counter.strip_prefix(self.tree.build()).unwrap_or(&counter);
            c.args(["--json-format", "--branch-probabilities", "--stdout"]).arg(counter);
            // Whoever was built in a sandbox may have written counters of its own.
            let text = match self.tree.room() {
                None => process::stdout(Kind::Harness, &mut c)?,
                Some(room) => {
                    let room = Room { limits: Limits::QUESTION, ..room };
                    sandbox::stdout(&mut c, Stdio::null(), &room)?
                }
            };
            read(&text, folder, &mut counts).doing(Kind::Harness, || {
                format!("reading what gcov says of {}", counter.display())
            })?;
        }
        Ok(counts)
    }

    /// What the binary needs of its tree to run in a sandbox, if it was built in one.
    pub fn room(&self) -> Option<Room> {
        self.tree.room()
    }

    /// Counter files of objects whose names begin with `prefix`.
    fn counters(&self, prefix: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let build = self.tree.build();
        // A link that a build left may lead to another build's.
        let is = |p: &Path, what: fn(&fs::FileType) -> bool| {
            p.symlink_metadata().is_ok_and(|meta| what(&meta.file_type()))
        };
        let folders = entries(&build)?.into_iter().filter(|d| is(d, fs::FileType::is_dir));
        for dir in folders {
            let named = |p: &PathBuf| {
                let name = p.file_name().unwrap_or_default().to_string_lossy();
                let fits = name.ends_with(".gcda") && name.starts_with(prefix);
                fits && is(p, fs::FileType::is_file)
            };
            found.extend(entries(&dir)?.into_iter().filter(named));
        }
        Ok(found)
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let doing = |e| io_error("listing", dir, e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(doing)? {
        paths.push(entry.map_err(doing)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Adds one of gcov's answers. A line that ran in any object ran.
fn read(text: &str, folder: &str, counts: &mut Counts) -> serde_json::Result<()> {
    let begins = format!("{folder}/");
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document>() {
        for file in document?.files {
            // Names are from the build folder: `../src/target/i386/...`.
            let Some(at) = file.file.find(&begins) else { continue };
            let known = counts.entry(file.file[at..].to_owned()).or_default();
            for line in file.lines {
                known.entry(line.line_number).or_default().add(line);
            }
        }
    }
    Ok(())
}

impl Count {
    fn add(&mut self, line: Line) {
        self.ran |= line.count > 0;
        if self.function.is_empty() {
            self.function = line.function_name;
        }
        // A line that is inlined twice has its branches twice: the longest list counts.
        self.branches.resize(self.branches.len().max(line.branches.len()), false);
        for (taken, branch) in self.branches.iter_mut().zip(&line.branches) {
            *taken |= branch.count > 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_ran_in_any_object_ran_and_other_folders_are_left_out() {
        let one = r#"{"files": [{"file": "../src/target/i386/a.c.inc", "lines":
            [{"line_number": 1, "count": 0, "function_name": "f", "branches":
              [{"count": 0, "fallthrough": true, "throw": false}, {"count": 0}]},
             {"line_number": 2, "count": 0}]},
            {"file": "/usr/include/x.h", "lines": [{"line_number": 1, "count": 7}]}]}"#;
        let two = one
            .replace("\"line_number\": 2, \"count\": 0", "\"line_number\": 2, \"count\": 3")
            .replace("{\"count\": 0}]", "{\"count\": 9}]");
        let mut counts = Counts::new();
        read(&format!("{one}\n{two}\n{one}"), "target/i386", &mut counts).unwrap();
        let first = Count { function: "f".into(), ran: false, branches: vec![false, true] };
        let second = Count { ran: true, ..Count::default() };
        assert_eq!(counts.len(), 1);
        assert_eq!(counts["target/i386/a.c.inc"], BTreeMap::from([(1, first), (2, second)]));
        assert!(read("{\"files\": 1}", "x", &mut counts).is_err());
    }
}
