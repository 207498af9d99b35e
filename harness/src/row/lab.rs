//! The real bench: the build cache and the suites of this machine.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Bench, Breach, Point, Step, ask, companion};
use crate::exec::place;
use crate::host::hash;
use crate::host::sandbox::{self, Room, Sandbox};
use crate::qemu::build::counted::{Lines, counted};
use crate::qemu::build::{self, Built};
use crate::qemu::{self, Qemu, Side};
use crate::record::results::ResultSet;
use crate::row::range::Range;
use crate::rule_check::Choice;
use crate::rule_check::judge::{Finding, judge_telling};
use crate::suites::select::Selection;
use crate::suites::{Absent, Options};
use crate::test_svm::{self, Request};
use crate::{Env, Error, Kind, Result, Verdict};

/// Builds with [`crate::qemu::build`] and measures as `test-svm` does.
pub struct Lab<'a> {
    env: &'a Env,
    options: Options,
    jobs: usize,
    absent: Vec<Absent>,
    suites: Vec<String>,
    range: Option<Range>,
    strangers: Option<Strangers>,
}

/// Points behind the first so many patches are a stranger's.
struct Strangers {
    ours: usize,
    patience: Duration,
    sandbox: Option<Sandbox>,
}

impl<'a> Lab<'a> {
    /// A bench that finds suites by `options` and runs `jobs` QEMUs at a time.
    pub fn new(env: &'a Env, options: Options, jobs: usize) -> Self {
        Lab {
            env,
            options,
            jobs,
            absent: Vec::new(),
            suites: Vec::new(),
            range: None,
            strangers: None,
        }
    }

    /// The same, for points of a range whose patches are written when needed.
    pub fn with_range(self, range: Range) -> Self {
        Lab { range: Some(range), ..self }
    }

    /// The same, and points with more than `ours` patches are a stranger's: they
    /// are built and run in a sandbox, and a build that does nothing for as long as
    /// `patience` is ended. The first of them needs a sandbox to be had.
    pub fn with_strangers_behind(self, ours: usize, patience: Duration) -> Self {
        Lab { strangers: Some(Strangers { ours, patience, sandbox: None }), ..self }
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
    /// The sandbox for a point, if it is a stranger's.
    fn sandbox(&mut self, point: &Point) -> Result<Option<Sandbox>> {
        let Some(strangers) = &mut self.strangers else { return Ok(None) };
        if point.spec.patches.len() <= strangers.ours {
            return Ok(None);
        }
        if strangers.sandbox.is_none() {
            strangers.sandbox = Some(Sandbox::find(self.env)?.with_patience(strangers.patience));
        }
        Ok(strangers.sandbox.clone())
    }

    /// What was built, as suites get it: behind a path that confines it, if it is
    /// a stranger's. Its digest is that of the binary.
    fn qemu(
        &self,
        point: &Point,
        built: &Built,
        sandbox: Option<&Sandbox>,
        room: Option<Room>,
    ) -> Result<Qemu> {
        let side = if point.spec.patches.is_empty() { Side::Stock } else { Side::Patched };
        let Some(sandbox) = sandbox else { return Qemu::built(side, built) };
        let binary = qemu::digest(&built.path)?;
        let mut room = room.unwrap_or_default();
        room.shown.extend(built.firmware.iter().cloned());
        let place = hash::of_parts([built.path.as_os_str().as_encoded_bytes()]);
        let folder = self.env.cache.dir("confined")?.join(&place[..16]);
        let path = sandbox::wrap(sandbox, &folder, &built.path, room)?;
        let confined = Qemu::built(side, &Built { path, ..built.clone() }).map_err(|e| {
            // What is no QEMU to us is a fault of the series, not of the caller's.
            Error::new(Kind::Build, "what was built does not start").because(e)
        })?;
        Ok(Qemu { digest: binary, ..confined })
    }

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
        let sandbox = self.sandbox(point)?;
        let qemu = build::build_in(self.env, &point.spec, sandbox.as_ref())
            .and_then(|built| self.qemu(point, &built, sandbox.as_ref(), None));
        match qemu {
            Ok(qemu) => Ok(Step::Built(Box::new(qemu))),
            Err(e) if e.kind() == Kind::Build => Ok(Step::Broken(e.to_string())),
            Err(e) => Err(e),
        }
    }

    fn refused(&mut self) -> Vec<String> {
        let sandbox = self.strangers.as_ref().and_then(|s| s.sandbox.as_ref());
        sandbox.map_or_else(Vec::new, Sandbox::take_refused)
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
        let sandbox = self.sandbox(tip)?;
        companion::run(self.env, tip, test, qemus, sandbox.as_ref())
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
        let mut cases = Choice::default().cases(&self.env.repo)?;
        if let Some(only) = only {
            let only: BTreeSet<&String> = only.iter().collect();
            cases.retain(|case| only.contains(&case.id));
        }
        let mut executor = place::qemu(self.env, qemu, "tcg")?;
        let (all, name) = (cases.iter().collect::<Vec<_>>(), &qemu.build.name);
        let (console, total) = (&self.env.console, all.len() as u64);
        let judged = judge_telling(&mut executor, &all, &mut |done| {
            console.progress(done as u64, total, format_args!("cases on {name}"));
        });
        console.end_progress();
        let judged = judged?;
        let breach = |finding: &Finding| Breach {
            case: cases[finding.case].id.clone(),
            rule: finding.blame.rule.map_or_else(|| "no rule".into(), |rule| rule.to_string()),
        };
        Ok(Some(judged.findings.iter().map(breach).collect()))
    }

    fn lines(&mut self, point: &Point, what: &Selection, folder: &str) -> Result<Option<Lines>> {
        self.env.console.step("running the suites on a build that counts lines");
        let sandbox = self.sandbox(point)?;
        let counted = counted(self.env, &point.spec, sandbox.as_ref())?;
        let qemu = self.qemu(point, &counted.built, sandbox.as_ref(), counted.room())?;
        // A verdict that is known would leave no trace in the counters.
        let request = Request { fresh: true, ..self.request(&qemu, what, 1) };
        test_svm::run(self.env, &request)?;
        counted.lines(folder).map(Some)
    }
}
