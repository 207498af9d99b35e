//! Which runs a tree comes to: each named test alone, in each configuration,
//! and each unit once whole.

use std::collections::BTreeSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use svm_model::Feature;

use super::catalog::{Also, Catalog};
use super::cfg::Unit;
use super::survey::Surveyed;
use crate::host::glob::glob;
use crate::suites::{Config, Job, Options, Planned, WHOLE};
use crate::{Error, Kind, Result, Verdict};

/// Stands for the tree's root in arguments, so that no result holds a path.
pub(super) const ROOT: &str = "{kvm-unit-tests}";

/// Time for one named test: the default of the suite's own runner.
const ONE: Duration = Duration::from_secs(90);
/// Time for a whole unit.
const ALL: Duration = Duration::from_secs(300);

/// Whether a unit is one of SVM's images.
pub(super) fn is_svm(catalog: &Catalog, unit: &Unit) -> bool {
    unit.file.starts_with(&catalog.image_prefix)
}

/// Whether the user names the unit.
pub(super) fn is_named(unit: &Unit, options: &Options) -> bool {
    options.units.iter().any(|pattern| glob(pattern, &unit.name))
}

/// Plans the units that were surveyed. Pure.
///
/// # Errors
/// Usage, when two tests of one configuration have one name.
pub(super) fn plan(
    surveyed: &[Surveyed],
    catalog: &Catalog,
    timeout: Option<Duration>,
) -> Result<(Vec<Config>, Vec<Job>)> {
    let mut configs = Vec::new();
    let mut jobs = Vec::new();
    for unit in surveyed {
        let planner = Planner { unit, catalog, timeout };
        configs.push(planner.config());
        jobs.extend(planner.jobs());
    }
    let mut seen = BTreeSet::new();
    for job in &jobs {
        let name = (&job.config, &job.tests[0].test);
        if !seen.insert(name) {
            let twice = format!("{}/{} is in x86/unittests.cfg or its table twice", name.0, name.1);
            return Err(Error::new(Kind::Usage, format!("planning kvm-unit-tests: {twice}")));
        }
    }
    Ok((configs, jobs))
}

struct Planner<'a> {
    unit: &'a Surveyed,
    catalog: &'a Catalog,
    timeout: Option<Duration>,
}

impl Planner<'_> {
    fn config(&self) -> Config {
        let mut args = self.arguments(None);
        args.extend(["-append".into(), "TEST".into()]);
        let words = &self.unit.params;
        let cpu = words.iter().position(|w| w == "-cpu").and_then(|at| words.get(at + 1));
        Config {
            config: self.unit.unit.name.clone(),
            cpu: cpu.cloned().unwrap_or_else(|| "qemu64".into()),
            command: format!("qemu-system-x86_64 {}", args.join(" ")),
        }
    }

    fn jobs(&self) -> Vec<Job> {
        let Unit { name: unit, test_args, .. } = &self.unit.unit;
        let filter = test_args.as_deref().unwrap_or_default();
        let table = self.unit.table.as_deref().unwrap_or_default();
        let wanted = |t: &&String| passes(filter, t) || self.catalog.includes(unit, t);
        let named: Vec<&String> = table.iter().filter(wanted).collect();
        let known = |also: &&Also| {
            let there = |t: &str| table.iter().any(|n| n == t);
            also.units.contains(unit) && also.args.split(' ').all(there)
        };
        let also: Vec<&Also> = self.catalog.also.iter().filter(known).collect();
        let mut jobs = Vec::new();
        for test in &named {
            let job = self.job(test, self.catalog.feature(test), Some(test), None);
            jobs.push(Job { alone: self.catalog.any_timed([*test]), ..job });
        }
        for a in also {
            let job = self.job(&a.name, Some(a.feature), Some(&a.args), a.smp);
            let limit = a.seconds.map(Duration::from_secs).filter(|_| self.timeout.is_none());
            jobs.push(Job { timeout: limit.unwrap_or(job.timeout), ..job });
        }
        // A unit that is one named test is that test already.
        if named.len() != 1 || named[0] != filter {
            let whole = self.job(WHOLE, None, test_args.as_deref(), None);
            let special = self.catalog.whole(unit);
            let limit = special.and_then(|s| s.seconds).map(Duration::from_secs);
            jobs.push(Job {
                alone: self.catalog.any_timed(named) || special.is_some_and(|s| s.timed),
                timeout: self.timeout.or(limit).unwrap_or(whole.timeout),
                ..whole
            });
        }
        jobs
    }

    fn job(
        &self,
        test: &str,
        feature: Option<Feature>,
        guest: Option<&str>,
        smp: Option<u32>,
    ) -> Job {
        let mut args = self.arguments(smp);
        // QEMU takes the first word after an empty -append for an option.
        if let Some(guest) = guest {
            args.extend(["-append".into(), guest.into()]);
        }
        let own = self.unit.unit.timeout.map(Duration::from_secs);
        let default = if test == WHOLE { ALL } else { ONE };
        let tests = vec![Planned { test: test.to_owned(), feature }];
        let timeout = self.timeout.unwrap_or_else(|| own.unwrap_or_default().max(default));
        let fingerprint = self.fingerprint(&args);
        let job = Job::new(&self.unit.unit.name, tests, timeout, args, fingerprint);
        Job { decided: self.decided(), ..job }
    }

    fn arguments(&self, smp: Option<u32>) -> Vec<String> {
        let unit = &self.unit.unit;
        let machine = unit.machine.as_ref().map_or(String::new(), |m| format!("{m},"));
        let cpus = smp.map(|n| n.to_string()).or_else(|| unit.smp.clone());
        let mut args: Vec<String> = "--no-reboot -nodefaults -device pc-testdev \
            -device isa-debug-exit,iobase=0xf4,iosize=0x4 -display none -serial stdio \
            -device pci-testdev -machine"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        args.push(format!("{machine}accel=tcg"));
        args.extend(["-kernel".into(), format!("{ROOT}/x86/{}", unit.file)]);
        args.extend(["-smp".into(), cpus.unwrap_or_else(|| "1".into())]);
        args.extend(self.unit.params.iter().cloned());
        args
    }

    fn fingerprint(&self, args: &[String]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.unit.image.as_deref().unwrap_or("no image"));
        for arg in args {
            hash.update([0]);
            hash.update(arg);
        }
        format!("{:x}", hash.finalize())[..16].to_owned()
    }

    fn decided(&self) -> Option<(Verdict, String)> {
        let file = &self.unit.unit.file;
        match (&self.unit.unmet, &self.unit.image) {
            (Some(why), _) => Some((Verdict::Skip, why.clone())),
            (None, None) => Some((Verdict::NotBuilt, format!("there is no x86/{file}"))),
            (None, Some(_)) => None,
        }
    }
}

/// The guest's own filter: words that begin with `-` leave out, others choose.
fn passes(filter: &str, test: &str) -> bool {
    let words = || filter.split_whitespace();
    let out = words().filter_map(|w| w.strip_prefix('-')).any(|w| glob(w, test));
    let mut chosen = words().filter(|w| !w.starts_with('-')).peekable();
    !out && (chosen.peek().is_none() || chosen.any(|w| glob(w, test)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed(name: &str, filter: Option<&str>, table: &[&str]) -> Surveyed {
        let unit = Unit {
            name: name.into(),
            file: "svm.flat".into(),
            smp: Some("2".into()),
            test_args: filter.map(str::to_owned),
            ..Unit::default()
        };
        Surveyed {
            unit,
            params: ["-cpu", "max,+svm"].map(str::to_owned).to_vec(),
            left_out: Vec::new(),
            table: Some(table.iter().map(|t| (*t).to_owned()).collect()),
            image: Some("digest".into()),
            unmet: None,
        }
    }

    fn planned(surveyed: &Surveyed) -> Vec<Job> {
        let catalog = Catalog::built_in().unwrap();
        plan(std::slice::from_ref(surveyed), &catalog, None).unwrap().1
    }

    fn names(jobs: &[Job]) -> Vec<&str> {
        jobs.iter().map(|j| j.tests[0].test.as_str()).collect()
    }

    #[test]
    fn a_unit_is_its_tests_and_itself() {
        let unit = surveyed("u", Some("-c*"), &["a", "b", "cc"]);
        let jobs = planned(&unit);
        assert_eq!(names(&jobs), ["a", "b", WHOLE]);
        assert!(jobs[0].args.ends_with(&["-append".into(), "a".into()]), "{:?}", jobs[0].args);
        assert!(jobs[2].args.ends_with(&["-append".into(), "-c*".into()]));
        assert_ne!(jobs[0].fingerprint, jobs[1].fingerprint);
    }

    #[test]
    fn a_unit_of_one_test_is_run_once() {
        assert_eq!(names(&planned(&surveyed("u", Some("b"), &["a", "b"]))), ["b"]);
    }

    #[test]
    fn the_catalog_adds_what_a_filter_leaves_out_and_runs_of_several() {
        let table = ["svm_test_singlestep", "svm_exception_test", "pause_filter_test"];
        let unit = surveyed("svm", Some("-pause_filter_test"), &table);
        let both = "svm_test_singlestep+svm_exception_test";
        assert_eq!(names(&planned(&unit)), [table[0], table[1], table[2], both, WHOLE]);
    }

    #[test]
    fn a_unit_without_a_table_is_run_whole_only() {
        let unit = Surveyed { table: None, ..surveyed("u", None, &[]) };
        let jobs = planned(&unit);
        assert_eq!(names(&jobs), [WHOLE]);
        assert!(!jobs[0].args.contains(&"-append".to_owned()));
    }

    #[test]
    fn what_measures_time_runs_alone_by_itself_and_in_its_unit() {
        let alone = |table: &[&str]| -> Vec<bool> {
            planned(&surveyed("u", None, table)).iter().map(|j| j.alone).collect()
        };
        assert_eq!(alone(&["a", "svm_tsc_scale_test"]), [false, true, true]);
        assert_eq!(alone(&["a", "b"]), [false, false, false]);
    }

    #[test]
    fn a_unit_that_is_special_as_a_whole_is_run_so() {
        let whole = |unit: &str, timeout| {
            let (_, jobs) =
                plan(&[surveyed(unit, None, &[])], &Catalog::built_in().unwrap(), timeout).unwrap();
            (jobs[0].alone, jobs[0].timeout)
        };
        assert_eq!(whole("debug", None), (true, ALL));
        assert_eq!(whole("access", None), (false, Duration::from_secs(900)));
        assert_eq!(whole("u", None), (false, ALL));
        let asked = Duration::from_secs(5);
        assert_eq!(whole("access", Some(asked)), (false, asked));
    }

    #[test]
    fn what_cannot_run_is_decided_beforehand() {
        let unit = Surveyed { image: None, ..surveyed("u", Some("a"), &["a"]) };
        assert_eq!(planned(&unit)[0].decided.as_ref().unwrap().0, Verdict::NotBuilt);
        let unit = Surveyed { unmet: Some("kvm only".into()), ..unit };
        assert_eq!(planned(&unit)[0].decided, Some((Verdict::Skip, "kvm only".into())));
    }

    #[test]
    fn two_tests_of_one_name_are_an_error() {
        let catalog = Catalog::built_in().unwrap();
        let error = plan(&[surveyed("u", None, &["a", "b", "a"])], &catalog, None).unwrap_err();
        assert!(error.to_string().contains("u/a is in"), "{error}");
    }
}
