//! The real bench: the build cache and the suites of this machine.

use std::collections::BTreeSet;

use super::{Bench, Breach, Point, Step, ask, companion};
use crate::exec::place;
use crate::qemu::build;
use crate::qemu::build::counted::{Lines, counted};
use crate::qemu::{Qemu, Side};
use crate::record::results::ResultSet;
use crate::row::range::Range;
use crate::rule_check::Choice;
use crate::rule_check::judge::{Finding, judge};
use crate::suites::select::Selection;
use crate::suites::{Absent, Options};
use crate::test_svm::{self, Request};
use crate::{Env, Kind, Result, Verdict};

/// Builds with [`crate::qemu::build`] and measures as `test-svm` does.
pub struct Lab<'a> {
    env: &'a Env,
    options: Options,
    jobs: usize,
    absent: Vec<Absent>,
    suites: Vec<String>,
    range: Option<Range>,
}

impl<'a> Lab<'a> {
    /// A bench that finds suites by `options` and runs `jobs` QEMUs at a time.
    pub fn new(env: &'a Env, options: Options, jobs: usize) -> Self {
        Lab { env, options, jobs, absent: Vec::new(), suites: Vec::new(), range: None }
    }

    /// The same, for points of a range whose patches are written when needed.
    pub fn with_range(self, range: Range) -> Self {
        Lab { range: Some(range), ..self }
    }

    /// The suites that were measured, with their versions.
    pub fn suites(&self) -> &[String] {
        &self.suites
    }

    /// Suites that were not there when something was measured.
    pub fn absent(&self) -> &[Absent] {
        &self.absent
    }
}

impl Lab<'_> {
    fn request(&self, qemu: &Qemu, what: &Selection, repeat: u32) -> Request {
        Request {
            qemus: vec![qemu.clone()],
            options: self.options.clone(),
            selection: what.clone(),
            jobs: self.jobs,
            fresh: false,
            repeat,
            shard: None,
            record: false,
            command: String::new(),
        }
    }
}

impl Bench for Lab<'_> {
    fn build(&mut self, point: &Point) -> Result<Step> {
        self.env.console.detail(format_args!("at {}", point.name));
        if let Some(range) = &self.range {
            range.fill(point)?;
        }
        let built = match build::build(self.env, &point.spec) {
            Ok(built) => built,
            Err(e) if e.kind() == Kind::Build => return Ok(Step::Broken(e.to_string())),
            Err(e) => return Err(e),
        };
        let side = if point.spec.patches.is_empty() { Side::Stock } else { Side::Patched };
        Ok(Step::Built(Box::new(Qemu::built(side, &built)?)))
    }

    fn features(&mut self, qemu: &Qemu) -> Result<BTreeSet<String>> {
        ask::features(qemu)
    }

    fn companion(
        &mut self,
        tip: &Point,
        test: &str,
        qemus: &[&Qemu],
    ) -> Result<Option<Vec<Verdict>>> {
        companion::run(self.env, tip, test, qemus)
    }

    fn measure(&mut self, qemu: &Qemu, what: &Selection, repeat: u32) -> Result<Vec<ResultSet>> {
        let request = self.request(qemu, what, repeat);
        let report = test_svm::run(self.env, &request)?;
        self.absent = report.absent;
        for part in &report.parts {
            let name = format!("{} {}", part.set.suite.name, part.set.suite.version);
            if !self.suites.contains(&name) {
                self.suites.push(name);
            }
        }
        Ok(report.parts.into_iter().map(|part| part.set).collect())
    }

    fn rules(&mut self, qemu: &Qemu, only: Option<&[String]>) -> Result<Option<Vec<Breach>>> {
        let mut cases = Choice::default().cases()?;
        if let Some(only) = only {
            let only: BTreeSet<&String> = only.iter().collect();
            cases.retain(|case| only.contains(&case.id));
        }
        let mut executor = place::qemu(self.env, qemu, "tcg")?;
        let judged = judge(&mut executor, &cases.iter().collect::<Vec<_>>())?;
        let breach = |finding: &Finding| Breach {
            case: cases[finding.case].id.clone(),
            rule: finding.blame.rule.map_or_else(|| "no rule".into(), |rule| rule.to_string()),
        };
        Ok(Some(judged.findings.iter().map(breach).collect()))
    }

    fn lines(&mut self, point: &Point, what: &Selection, folder: &str) -> Result<Option<Lines>> {
        self.env.console.step("running the suites on a build that counts lines");
        let counted = counted(self.env, &point.spec)?;
        let side = if point.spec.patches.is_empty() { Side::Stock } else { Side::Patched };
        let qemu = Qemu::built(side, &counted.built)?;
        // A verdict that is known would leave no trace in the counters.
        let request = Request { fresh: true, ..self.request(&qemu, what, 1) };
        test_svm::run(self.env, &request)?;
        counted.lines(folder).map(Some)
    }
}
