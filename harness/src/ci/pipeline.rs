//! Pipelines for CI systems that run the suites on several machines.
//!
//! Another system is another template in `data/` and another variant of
//! [`System`].

use std::path::PathBuf;
use std::str::FromStr;

use minijinja::{Environment, UndefinedBehavior, context};

use crate::host::error::Context;
use crate::host::hash;
use crate::qemu::build::patch::{self, Patch};
use crate::qemu::build::{Flavour, flags};
use crate::qemu::source::pins::{Pins, TEXT};
use crate::{Kind, Result};

/// What reads the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// GitLab CI, which QEMU itself uses.
    Gitlab,
}

impl System {
    fn template(self) -> &'static str {
        match self {
            System::Gitlab => include_str!("../../data/gitlab-ci.yml"),
        }
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "gitlab" => Ok(System::Gitlab),
            _ => Err("there is a pipeline for: gitlab".into()),
        }
    }
}

/// What the pipeline is to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// A pinned version, or the default.
    pub base: Option<String>,
    /// The folder of the series.
    pub series: PathBuf,
    /// Machines that measure.
    pub shards: u32,
    /// The container image of every job: a Rust toolchain on Debian.
    pub image: String,
}

/// The pipeline's text.
///
/// # Errors
/// Usage, for a version that is not pinned or a series that cannot be read.
pub fn pipeline(system: System, request: &Request) -> Result<String> {
    let pins = Pins::builtin()?;
    let base = &pins.base(request.base.as_deref())?.version;
    let files = patch::series(&request.series)?;
    let patches = files.iter().map(|p| Patch::read(p)).collect::<Result<Vec<_>>>()?;
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_keep_trailing_newline(true);
    let doing = || "writing the pipeline".to_owned();
    templates.add_template("pipeline", system.template()).doing(Kind::Harness, doing)?;
    let values = context! {
        base => base,
        shards => request.shards,
        image => request.image,
        qemu_key => qemu_key(base, &patches),
    };
    let template = templates.get_template("pipeline").doing(Kind::Harness, doing)?;
    template.render(values).doing(Kind::Harness, doing)
}

/// Of all that decides what the cached builds are, the compiler apart, which
/// the image decides.
fn qemu_key(base: &str, patches: &[Patch]) -> String {
    let flags = Flavour::Release.configure().join(" ");
    let parts = [base, TEXT, &patch::series_hash(patches), &flags, flags::DEVICES];
    hash::of_parts(parts)[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(dir: &std::path::Path, shards: u32) -> String {
        let request =
            Request { base: None, series: dir.into(), shards, image: "rust:1-bookworm".into() };
        pipeline(System::Gitlab, &request).unwrap()
    }

    fn patched(line: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "From: A <a@example.org>\nSubject: [PATCH] x\n\nM.\n---\n\ndiff --git a/x b/x\n\
             --- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{line}\n"
        );
        std::fs::write(dir.path().join("0001-x.patch"), text).unwrap();
        dir
    }

    fn key(text: &str) -> &str {
        let line = text.lines().find(|l| l.contains("svm-qemu-")).unwrap();
        line.split("svm-qemu-").nth(1).unwrap()
    }

    #[test]
    fn the_pipeline_builds_measures_and_merges_with_what_was_asked_for() {
        let text = text(patched("b").path(), 7);
        assert!(text.contains("\n  parallel: 7\n") && text.ends_with('\n'), "{text}");
        let jobs: Vec<&str> = text
            .lines()
            .filter(|l| l.starts_with(|c: char| c.is_ascii_lowercase()) && l.ends_with(':'))
            .collect();
        assert_eq!(jobs, ["default:", "variables:", "build:", "measure:", "merge:"]);
        let version = Pins::builtin().unwrap().default;
        assert!(text.contains(&format!("build stock --base {version}")), "{text}");
    }

    #[test]
    fn the_cache_is_another_for_another_series() {
        let (a, b) = (text(patched("b").path(), 2), text(patched("c").path(), 2));
        assert_ne!(key(&a), key(&b));
        assert_eq!(key(&a), key(&text(patched("b").path(), 3)));
        assert_eq!(key(&a).len(), 16);
    }
}
