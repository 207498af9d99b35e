//! Why lines stay unreached: `harness/data/unreached.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::File;
use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::{Kind, Result};

const FILE: &str = "harness/data/unreached.toml";

/// All of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasons {
    #[serde(default)]
    line: Vec<Entry>,
}

/// Lines of one function, and one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its file in QEMU's tree.
    file: String,
    /// The function that the lines are in.
    function: String,
    /// The lines, without what stands around them; all of the function, where none is
    /// named.
    #[serde(default)]
    text: Vec<String>,
    /// Why nothing reaches them.
    reason: String,
}

impl Entry {
    fn is_about(&self, file: &str, function: &str, text: &str) -> bool {
        self.file == file
            && self.function == function
            && (self.text.is_empty() || self.text.iter().any(|t| t == text))
    }
}

impl Reasons {
    pub(super) fn load(repo: &Path) -> Result<Self> {
        let path = repo.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| io_error("reading", &path, e))?;
        Self::parse(&text).doing(Kind::Usage, || format!("reading {}", path.display()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The reason for a line.
    pub(super) fn of(&self, file: &str, function: &str, text: &str) -> Option<&str> {
        let entry = self.line.iter().find(|e| e.is_about(file, function, text))?;
        Some(&entry.reason)
    }

    /// Those that no unreached line has: the line runs, or is gone.
    pub(super) fn stale(&self, files: &BTreeMap<String, File>) -> Vec<String> {
        let unreached = |entry: &Entry, text: Option<&String>| {
            files.get(&entry.file).is_some_and(|file| {
                let same = |of: &String| text.is_none_or(|text| text == of);
                file.unreached.iter().any(|u| u.function == entry.function && same(&u.text))
            })
        };
        let mut stale = Vec::new();
        for entry in &self.line {
            let name = format!("{}, {}", entry.file, entry.function);
            if entry.text.is_empty() && !unreached(entry, None) {
                stale.push(name.clone());
            }
            let gone = entry.text.iter().filter(|text| !unreached(entry, Some(text)));
            stale.extend(gone.map(|text| format!("{name}: {text}")));
        }
        stale
    }
}
