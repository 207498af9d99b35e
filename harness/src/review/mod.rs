//! `cargo xtask review`: what a reviewer does by hand, and what they forget.
//!
//! ```text
//! input -> mails -> assemble -> apply -> checkpatch, build at every patch
//!       -> suites at both ends, then between for what changed -> claims -> report
//! ```

pub mod assemble;
pub mod claims;
pub mod input;
pub mod report;
pub mod scope;

mod executed;
mod fits;
mod outcome;
mod rules;
mod walk;

use serde::Serialize;

use crate::mail::Mail;
use crate::qemu::build::patch::Patch;
use crate::qemu::build::{Flavour, Spec};
use crate::qemu::checkpatch::{self, Complaint, Severity};
use crate::qemu::source::{self, Source};
use crate::row::mails::{self, How};
use crate::row::range::Range;
use crate::row::{Bench, along};
use crate::suites::Absent;
use crate::suites::select::Selection;
use crate::{Env, Result, Verdict};
use assemble::{Assembled, Fault};
use input::Input;

pub use executed::Executed;
pub use outcome::Outcome;
pub use rules::RuleChange;

/// The base of what is reviewed: the one that is named, or where a range begins.
///
/// # Errors
/// As [`source::obtain`] and [`Range::read`].
pub fn base(env: &Env, input: &Input, named: &source::Request) -> Result<Source> {
    match input {
        Input::Range { checkout, range } if named.base.is_none() && named.dir.is_none() => {
            Ok(Range::read(env, checkout, range)?.source)
        }
        _ => source::obtain(env, named),
    }
}

/// What is to be reviewed, and on what.
pub struct Request {
    /// How the input is called in reports.
    pub name: String,
    /// The series, in order.
    pub assembled: Assembled,
    /// The base.
    pub source: Source,
    /// Patches on the base that the series is reviewed on top of.
    pub before: Vec<Patch>,
    /// `stock QEMU 10.2.2`, for reports.
    pub base: String,
    /// Which tests.
    pub selection: Selection,
    /// Attempts at each test.
    pub repeat: u32,
    /// Run the tests even if the series does not touch what they test.
    pub always: bool,
    /// Run all tests at every patch.
    pub every: bool,
    /// Hold both ends to the model's rules, with the generated cases.
    pub rules: bool,
    /// Count which of the changed lines run.
    pub lines: bool,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Review {
    /// What the input is called.
    pub input: String,
    /// The series' title: the cover letter's, or the only patch's.
    pub title: String,
    /// Its version.
    pub version: u32,
    /// What it was put on.
    pub base: String,
    /// What keeps it from being whole.
    pub faults: Vec<Fault>,
    /// Remarks about the input, in words.
    pub notes: Vec<String>,
    /// What of it runs when QEMU is built or tested.
    pub runs: Vec<Runs>,
    /// Its patches, in order.
    pub patches: Vec<PatchReview>,
    /// Bases that the whole series applies to, where it does not to this one.
    pub fits: Vec<String>,
    /// Why no suite ran, if none did.
    pub unmeasured: Option<String>,
    /// The suites that ran: name, tests on the base, tests with the series.
    pub suites: Vec<SuiteSummary>,
    /// Suites that are not on this machine.
    pub absent: Vec<Absent>,
    /// Tests that the series brings itself.
    pub companions: Vec<Companion>,
    /// Which of the changed lines of `target/i386` any suite executed, by file;
    /// none when it was not counted.
    pub executed: Option<Vec<Executed>>,
}

/// Files of one patch that run when QEMU is configured, built or tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// The patch.
    pub patch: u32,
    /// Their names.
    pub files: Vec<String>,
}

/// One suite at both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SuiteSummary {
    /// Its name and version.
    pub name: String,
    /// On the base.
    pub before: Tally,
    /// With the whole series.
    pub after: Tally,
}

/// How many tests of a suite there are, and how they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Those that pass.
    pub pass: usize,
    /// Those that do not apply to the build.
    pub skip: usize,
    /// All.
    pub all: usize,
}

/// One patch, reviewed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PatchReview {
    /// Its number in the series.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// How it applies.
    pub applies: Applies,
    /// What checkpatch says.
    pub checkpatch: Vec<Complaint>,
    /// Whether the tree builds at it.
    pub builds: Builds,
    /// What changes at it.
    pub flips: Vec<Flipped>,
    /// Rules of the model that change sides at it.
    pub rules: Vec<RuleChange>,
    /// CPU features that `-cpu max` offers from here on, and no more.
    pub features: (Vec<String>, Vec<String>),
    /// What its message says, against what was seen.
    pub remarks: Vec<claims::Remark>,
    /// What is odd about its mail.
    pub oddities: Vec<String>,
    /// What the sandbox refused when it was built, in its own words.
    pub refused: Vec<String>,
}

/// Whether and how a patch applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Applies {
    /// One before it does not, so nobody knows.
    #[default]
    Untried,
    /// As it is.
    Cleanly,
    /// By merging with the blobs that it names.
    Merged,
    /// With less context than it has.
    Fuzzily {
        /// The lines that had to match.
        context: u32,
    },
    /// Not at all.
    Refused {
        /// git's words.
        why: String,
    },
}

/// Whether the tree builds at a patch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Builds {
    /// It was not tried.
    #[default]
    Untried,
    /// It does.
    Yes,
    /// It does, and the binary is the same as before, byte for byte.
    Unchanged,
    /// It does not.
    No {
        /// The compiler's first words.
        why: String,
    },
}

/// A test whose verdict changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flipped {
    /// The test.
    pub test: String,
    /// The feature that it is about.
    pub feature: Option<String>,
    /// Before.
    pub from: Option<Verdict>,
    /// After.
    pub to: Option<Verdict>,
    /// Worse, better, or another way to fail.
    pub worse: bool,
    /// It ends differently each time.
    pub flaky: bool,
    /// What the test says.
    pub why: Option<String>,
    /// Patches before this one that do not build, and may be to blame as well.
    pub or_earlier: Vec<u32>,
}

/// A test that the series brings itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Companion {
    /// Its file.
    pub file: String,
    /// The patch that brings it.
    pub patch: u32,
    /// How it ends on the base and at each patch that builds.
    pub verdicts: Vec<(u32, Verdict)>,
    /// What is to be said about it.
    pub verdict: CompanionVerdict,
}

/// What a test of the series' own shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CompanionVerdict {
    /// It fails without the fix, passes with it, and comes with or after it.
    Good {
        /// The patch from which it passes.
        fixed: u32,
    },
    /// It comes before the patch that makes it pass.
    TooEarly {
        /// The patch from which it passes.
        fixed: u32,
    },
    /// It passes without the series, too.
    PassesWithout,
    /// It fails with the whole series.
    FailsWith,
    /// It is of a kind that cannot be run here.
    NotRun,
}

/// Reviews a series. The bench builds and runs; nothing else is touched.
///
/// # Errors
/// Build, when the base does not build; what the bench gives. What is wrong
/// with the series is no error.
pub fn review(env: &Env, bench: &mut dyn Bench, request: &Request) -> Result<Review> {
    let Assembled { version, cover, patches, faults, notes } = &request.assembled;
    let mails: Vec<Mail> = patches.iter().map(|(_, mail)| mail.clone()).collect();
    let title = cover.as_ref().or(mails.first()).map_or("", |m| &m.subject.title);
    let mut review = Review {
        input: request.name.clone(),
        title: title.into(),
        version: *version,
        base: request.base.clone(),
        faults: faults.clone(),
        notes: notes.clone(),
        runs: runs(patches),
        ..Review::default()
    };
    let on = mails::apply(env, &request.source, &request.before, &mails)?;
    for (at, (number, mail)) in patches.iter().enumerate() {
        let (n, all) = (at as u64, patches.len() as u64);
        env.console.progress(n, all, format_args!("checkpatch, {}", mail.subject.title));
        let complaints = checkpatch::check(&request.source.dir, &mail.to_patch(), true)?;
        review.patches.push(PatchReview {
            number: *number,
            title: mail.subject.title.clone(),
            applies: applies(&on, at),
            checkpatch: complaints,
            oddities: mail.oddities.clone(),
            ..PatchReview::default()
        });
    }
    env.console.end_progress();
    if on.refused.is_some() {
        review.fits = fits::fits(env, request, &mails)?;
    }
    let mut files: Vec<_> = request.before.iter().map(|p| p.path.clone()).collect();
    files.extend(mails::files(&on.applied));
    let spec = Spec { source: request.source.clone(), patches: files, flavour: Flavour::Release };
    let points = along(&spec, &request.base).split_off(request.before.len());
    walk::walk(env, bench, request, &points, &mails, &mut review)?;
    for (patch, mail) in review.patches.iter_mut().zip(&mails) {
        patch.remarks = claims::remarks(mail, patch);
    }
    Ok(review)
}

fn runs(patches: &[(u32, Mail)]) -> Vec<Runs> {
    let of = |(patch, mail): &(u32, Mail)| {
        let files = scope::runs(mail).into_iter().map(str::to_owned).collect();
        Runs { patch: *patch, files }
    };
    patches.iter().map(of).filter(|r| !r.files.is_empty()).collect()
}

fn applies(on: &mails::OnBase, at: usize) -> Applies {
    match (on.applied.get(at), &on.refused) {
        (Some(applied), _) => match applied.how {
            How::Cleanly => Applies::Cleanly,
            How::Merged => Applies::Merged,
            How::Fuzzily { context } => Applies::Fuzzily { context },
        },
        (None, Some((n, why))) if *n == at => Applies::Refused { why: why.clone() },
        (None, _) => Applies::Untried,
    }
}

impl PatchReview {
    /// Whether a test got worse at it, or QEMU breaks a rule from here on.
    pub fn is_worse(&self) -> bool {
        self.flips.iter().any(|f| f.worse) || self.rules.iter().any(RuleChange::is_worse)
    }

    /// checkpatch's errors, without its warnings.
    pub fn errors(&self) -> impl Iterator<Item = &Complaint> {
        self.checkpatch.iter().filter(|c| c.severity == Severity::Error)
    }
}

#[cfg(test)]
mod exported_tests;
#[cfg(test)]
mod tests;
