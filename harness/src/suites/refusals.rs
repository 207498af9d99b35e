//! Why VMRUN refuses: QEMU's trace event `svm_vmrun_refused` names for each VMCB just what
//! breaks the model's rules, and nothing for one that is accepted.
//!
//! Random changes to the baseline, of values near what the rules draw a line at, until there are
//! enough VMCBs that are refused and enough that are accepted.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use svm_model::case::{Board, Case, Cpu, Step, world};
use svm_model::cases::SEED;
use svm_model::cases::random::Random;
use svm_model::coverage::FULL;
use svm_model::cpu::{CpuSet, Platform};
use svm_model::vmcb::{Field, Image, SIZE, exit};
use svm_model::{Feature, check, rules};

use crate::exec::boot::{Ended, Machine, watched};
use crate::exec::guest::{self, Guest};
use crate::exec::ram::Ram;
use crate::exec::{Booted, Boots, Executor, LIMIT, cpu_argument};
use crate::host::cache::{self, io_error};
use crate::host::error::Context;
use crate::host::{hash, regular};
use crate::qemu::Qemu;
use crate::suites::{
    Absent, Config, Job, Observation, Opened, Options, Planned, Suite, SuiteIdentity, Work,
};
use crate::{Kind, Result, Verdict};

/// The suite's name, and that of its one configuration.
pub const NAME: &str = "refusals";

/// VMCBs of either kind.
const EACH: usize = 200;
/// The test of those that are accepted.
const ACCEPTED: &str = "accepted";
/// What is traced.
const EVENTS: [&str; 3] = ["svm_vmrun", "svm_vmrun_refused", "svm_vmexit"];
/// No run takes that long.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What QEMU calls what breaks each rule; those that it does not tell apart share a name.
/// Without shadow stacks, which TCG has not, CR4.CET is a reserved bit.
const REASONS: &[(&str, &str)] = &[
    ("vmrun.intercept-set", "VMRUN is not intercepted"),
    ("vmrun.asid-zero", "ASID is zero"),
    ("vmrun.msrpm-phys", "MSRPM beyond physical addresses"),
    ("vmrun.iopm-phys", "IOPM beyond physical addresses"),
    ("vnmi.needs-nmi-intercept", "virtual NMI without intercept of NMIs"),
    ("vmrun.cr0-cd-nw", "CR0.NW without CR0.CD"),
    ("vmrun.cr0-high", "reserved bit of CR0"),
    ("vmrun.cr3-mbz", "reserved bit of CR3"),
    ("vmrun.cr3-phys", "reserved bit of CR3"),
    ("vmrun.cr4-mbz", "reserved bit of CR4"),
    ("vmrun.cet-wp", "reserved bit of CR4"),
    ("vmrun.dr6-high", "reserved bit of DR6"),
    ("vmrun.dr7-high", "reserved bit of DR7"),
    ("vmrun.efer-svme", "EFER.SVME is clear"),
    ("vmrun.efer-mbz", "reserved bit of EFER"),
    ("vmrun.lme-pg-pae", "long mode without CR4.PAE"),
    ("vmrun.lme-pg-pe", "long mode without CR0.PE"),
    ("vmrun.cs-l-d", "CS.L and CS.D"),
    ("vmrun.ncr3-mbz", "reserved bit of nCR3"),
    ("vmrun.gpat-type", "memory type in the guest PAT"),
    ("vmrun.pae-pdpte", "reserved bit of a PDPTE"),
    ("eventinj.type-reserved", "type of EVENTINJ"),
    ("eventinj.vector-not-exception", "EVENTINJ of no exception"),
    ("eventinj.vector-reserved", "EVENTINJ of no exception"),
    ("eventinj.impossible-for-mode", "EVENTINJ of #OF or #BR in 64-bit mode"),
];

/// The rule behind a reason, the first where QEMU does not tell several apart.
pub fn rule_of(reason: &str) -> Option<&'static str> {
    REASONS.iter().find(|(_, name)| *name == reason).map(|(rule, _)| *rule)
}

/// Of these no VMCB here breaks one: CR4.CET needs shadow stacks, and PDPTEs are not in the page.
const UNREACHED: [&str; 2] = ["vmrun.cet-wp", "vmrun.pae-pdpte"];

struct Refusals {
    identity: SuiteIdentity,
    guest: Guest,
    limit: Duration,
}

/// Builds the guest.
///
/// # Errors
/// Build, when it does not compile.
pub fn open(options: &Options) -> Result<Opened> {
    if !options.checkout.join(guest::FOLDER).is_dir() {
        let why = format!("no {} in this checkout", guest::FOLDER);
        return Ok(Opened::Absent(Absent { suite: NAME.into(), why }));
    }
    let guest = guest::build(&options.checkout)?;
    // What is asked depends on the processor a little; what it is made from does not.
    let drawn: Vec<String> = asked(&FULL).iter().map(|a| format!("{:?}", a.case.steps)).collect();
    let parts = drawn.iter().map(String::as_str).chain(EVENTS).chain([&*guest.digest]);
    let version = format!("{EACH} of either kind, {}", &hash::of_parts(parts)[..16]);
    let identity = SuiteIdentity { name: NAME.into(), version };
    Ok(Opened::Ready(Box::new(Refusals {
        identity,
        guest,
        limit: options.timeout.unwrap_or(LIMIT),
    })))
}

/// The tests: one for each rule that is reached, and one for what is accepted.
fn tests() -> Vec<Planned> {
    let feature = |id: &str| rules::named(id).map(|(_, rule)| rule.feature);
    let reached = REASONS.iter().map(|(rule, _)| *rule).filter(|rule| !UNREACHED.contains(rule));
    let mut all: Vec<Planned> =
        reached.map(|rule| Planned { test: rule.into(), feature: feature(rule) }).collect();
    all.push(Planned { test: ACCEPTED.into(), feature: Some(Feature::VmrunChecks) });
    all
}

/// A VMCB that VMRUN is given.
struct Asked {
    case: Case,
    /// The rules that it breaks.
    broken: Vec<&'static str>,
}

/// One random change.
fn change(random: &mut Random, image: &Image, cpu: &Platform) -> (Field, u64) {
    let fields = [
        Field::CR0,
        Field::CR3,
        Field::CR4,
        Field::EFER,
        Field::DR6,
        Field::DR7,
        Field::INTERCEPT_MISC2,
        Field::GUEST_ASID,
        Field::MSRPM_BASE_PA,
        Field::IOPM_BASE_PA,
        Field::N_CR3,
        Field::G_PAT,
        Field::EVENTINJ,
        Field::INT_CTL,
        Field::CS_ATTRIB,
    ];
    let field = *random.one(&fields);
    let value = image.get(field);
    let flipped = |random: &mut Random| value ^ 1 << random.below(64);
    let high = |random: &mut Random| value ^ 1 << (32 + random.below(32));
    let value = match field {
        Field::CR0 => value ^ *random.one(&[1 << 29, 1 << 30, 3 << 29, 1, 1 << 32, 1 << 63, 2, 8]),
        Field::CR3 => value ^ 1 << (u32::from(cpu.phys_bits) - 2 + random.below(26) as u32).min(63),
        Field::EFER => match flipped(random) {
            // Whether there is LMSLE, the manual leaves to the processor.
            lmsle if (lmsle ^ value) == 1 << 13 => value ^ 1 << 12,
            other => other,
        },
        Field::DR6 | Field::DR7 => high(random),
        Field::INTERCEPT_MISC2 => value ^ *random.one(&[1, 0x40]),
        Field::GUEST_ASID => random.below(3) as u64,
        Field::MSRPM_BASE_PA | Field::IOPM_BASE_PA => {
            (1u64 << cpu.phys_bits).wrapping_sub(random.below(6) as u64 * 0xfff)
        }
        Field::N_CR3 => value ^ 1 << (u32::from(cpu.phys_bits) + random.below(12) as u32),
        Field::G_PAT => {
            let at = 8 * random.below(8);
            value & !(0xff << at) | (random.below(10) as u64) << at
        }
        Field::EVENTINJ => {
            // Exceptions, as often as not.
            let kind = if random.below(2) == 0 { 3 } else { random.below(8) as u64 };
            let vector = *random.one(&[0, 2, 4, 5, 9, 13, 15, 21, 31, 32, 0x80, 0xff]);
            1 << 31 | (random.below(2) as u64) << 11 | kind << 8 | vector
        }
        Field::INT_CTL => value ^ 1 << 26,
        Field::CS_ATTRIB => value | 1 << 10,
        // PAE, as often as not.
        Field::CR4 if random.below(2) == 0 => value ^ 1 << 5,
        _ => flipped(random),
    };
    (field, value)
}

/// As many of either kind as are wanted, in random order.
fn asked(cpu: &Platform) -> Vec<Asked> {
    let mut random = Random::new(SEED);
    let (mut all, mut left) = (Vec::new(), [EACH, EACH]);
    while left != [0, 0] {
        let mut image = Image::ZERO;
        world::BASELINE.iter().for_each(|(field, value)| image.set(*field, *value));
        let mut steps = Vec::new();
        for _ in 0..1 + random.below(3) {
            let (field, value) = change(&mut random, &image, cpu);
            image.set(field, value);
            steps.push(Step::Vmcb(field, value));
        }
        steps.push(Step::Vmrun(world::VMCB));
        let mut page = [0; SIZE];
        image.write_to(&mut page);
        let broken: Vec<_> = check(&page, cpu).iter().map(|one| one.rule.id).collect();
        let kind = &mut left[usize::from(broken.is_empty())];
        if *kind == 0 {
            continue;
        }
        *kind -= 1;
        let id = format!("{NAME}/{}", all.len());
        let (feature, program) = (Feature::VmrunChecks, Vec::new());
        let case = Case { id, feature, cpu: Cpu::default(), program, steps };
        all.push(Asked { case, broken });
    }
    all
}

/// A machine whose QEMU traces VMRUN.
struct Traced {
    machine: Machine,
    /// Where it writes what it traces.
    folder: PathBuf,
    /// All of it, boot by boot.
    said: Rc<RefCell<String>>,
}

impl Boots for Traced {
    fn boot(&self, without: CpuSet, board: Board, ram: &Ram) -> Result<(Ended, Duration)> {
        self.machine.load(ram)?;
        let mut command = self.machine.command(&cpu_argument(without), board, ram);
        for event in EVENTS {
            command.args(["-trace", event]);
        }
        let own = self.folder.join("trace");
        command.arg("-D").arg(&own);
        let ended = watched(command, ram, self.machine.limit)?;
        // Behind a guest that does not end, there is another boot.
        match regular::read_to_string(&own) {
            Ok(said) => self.said.borrow_mut().push_str(&said),
            // Without such events QEMU has nothing to write.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(io_error("reading", &own, e)),
        }
        Ok(ended)
    }
}

/// The reasons in a trace, VMRUN by VMRUN; whether it was a refusal beside them. How the guest of
/// one that was none ends, if it does, says nothing.
fn refusals(trace: &str) -> Vec<(bool, BTreeSet<String>)> {
    let (mut all, mut reasons) = (Vec::new(), BTreeSet::new());
    let invalid = format!(" code {:#x} ", exit::INVALID);
    for line in trace.lines() {
        if let Some((_, said)) = line.split_once("svm_vmrun_refused ") {
            reasons.extend(said.split_once(": ").map(|(_, reason)| reason.to_owned()));
        } else if line.contains("svm_vmrun ") {
            all.push((false, std::mem::take(&mut reasons)));
        } else if line.contains("svm_vmexit ") && line.contains(&invalid) {
            all.push((true, std::mem::take(&mut reasons)));
        }
    }
    all
}

/// What QEMU must say of a VMCB.
fn expected(one: &Asked) -> BTreeSet<String> {
    let of = |rule: &&'static str| REASONS.iter().find(|(id, _)| id == rule).map(|(_, r)| *r);
    one.broken.iter().filter_map(of).map(str::to_owned).collect()
}

/// What came of a test, and the first VMCB of which QEMU says something else.
fn observation(test: &str, asked: &[Asked], said: &[(bool, BTreeSet<String>)]) -> Observation {
    let about = |one: &Asked| match test {
        ACCEPTED => one.broken.is_empty(),
        rule => one.broken.contains(&rule),
    };
    let (mut passed, mut failed, mut first) = (0, 0, None);
    for (one, (invalid, reasons)) in asked.iter().zip(said).filter(|(one, _)| about(one)) {
        let wanted = expected(one);
        if *reasons == wanted && *invalid != one.broken.is_empty() {
            passed += 1;
            continue;
        }
        failed += 1;
        let changes = &one.case.steps[..one.case.steps.len() - 1];
        first.get_or_insert(format!("{changes:x?}: expected {wanted:?}, traced {reasons:?}"));
    }
    let verdict = match (passed, failed) {
        (0, 0) => return Observation::bare(test, Verdict::Missing, "no VMCB breaks that rule"),
        (_, 0) => Verdict::Pass,
        _ => Verdict::Fail,
    };
    Observation { passed, failed, first_failure: first, ..Observation::bare(test, verdict, "") }
}

impl Refusals {
    /// What is asked, and what QEMU has traced.
    fn traced(&self, qemu: &Qemu, folder: &Path) -> Result<(Vec<Asked>, String)> {
        let machine = Machine { limit: self.limit, ..Machine::new(qemu, self.guest.clone()) };
        let said = Rc::new(RefCell::new(String::new()));
        let traced = Traced { machine, folder: folder.to_owned(), said: Rc::clone(&said) };
        let mut executor = Booted::new(traced);
        let asked = asked(&executor.platform(CpuSet::NONE)?);
        let cases: Vec<&Case> = asked.iter().map(|one| &one.case).collect();
        executor.run(&cases, &mut |_, _| Ok(()))?;
        drop(executor);
        Ok((asked, said.take()))
    }
}

impl Suite for Refusals {
    fn identity(&self) -> &SuiteIdentity {
        &self.identity
    }

    fn configs(&self) -> Vec<Config> {
        let cpu = cpu_argument(CpuSet::NONE);
        let command = format!(
            "qemu-system-x86_64 -nodefaults -machine pc,accel=tcg,memory-backend=ram -cpu {cpu} \
             -bios svm-guest.rom -trace {}",
            EVENTS.join(" -trace ")
        );
        vec![Config { config: NAME.into(), cpu, command }]
    }

    fn plan(&self) -> Vec<Job> {
        vec![Job {
            config: NAME.into(),
            tests: tests(),
            timeout: TIMEOUT,
            args: Vec::new(),
            fingerprint: hash::of_parts([&self.identity.version]),
            decided: None,
            alone: false,
        }]
    }

    fn check(&self, qemu: &Qemu) -> Result<()> {
        crate::suites::conformance::check_device(qemu, NAME)
    }

    fn run(&self, work: &Work<'_>, emit: &mut dyn FnMut(Observation) -> Result<()>) -> Result<()> {
        let doing = || "making a folder for a trace".to_owned();
        let folder = tempfile::tempdir().doing(Kind::Harness, doing)?;
        let (asked, trace) = self.traced(work.qemu, folder.path())?;
        if let Some(dir) = work.log.parent() {
            let creating = || format!("creating {}", dir.display());
            std::fs::create_dir_all(dir).doing(Kind::Harness, creating)?;
        }
        cache::write_atomic(work.log, trace.as_bytes())?;
        let said = refusals(&trace);
        for planned in work.pending {
            emit(match said.len() {
                0 => Observation::bare(
                    &planned.test,
                    Verdict::Skip,
                    "this QEMU traces no VMRUN: it has no trace events, or was configured \
                     without --enable-trace-backends=log",
                ),
                n if n != asked.len() => {
                    let what = format!("{n} VMRUNs were traced, of {}", asked.len());
                    Observation::bare(&planned.test, Verdict::Fail, what)
                }
                _ => observation(&planned.test, &asked, &said),
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_reached_by_some_vmcb_and_has_a_name() {
        let asked = asked(&FULL);
        let count = |broken: bool| asked.iter().filter(|a| a.broken.is_empty() != broken).count();
        assert_eq!((count(true), count(false)), (EACH, EACH));
        for planned in tests().iter().filter(|p| p.test != ACCEPTED) {
            let reached = asked.iter().filter(|a| a.broken.contains(&&*planned.test)).count();
            assert!(reached > 0, "{}", planned.test);
        }
        for rule in asked.iter().flat_map(|a| &a.broken) {
            assert!(REASONS.iter().any(|(id, _)| id == rule), "{rule}");
        }
    }

    #[test]
    fn a_trace_is_read_exit_by_exit() {
        let trace = "svm_vmrun cpu 0 vmcb 0x800000 asid 1\n\
                     svm_vmexit cpu 0 vmcb 0x800000 code 0x81 info1 0x0\n\
                     svm_vmrun_refused cpu 0 vmcb 0x800000: ASID is zero\n\
                     svm_vmrun_refused cpu 0 vmcb 0x800000: CS.L and CS.D\n\
                     svm_vmexit cpu 0 vmcb 0x800000 code 0xffffffffffffffff info1 0x0\n";
        let both = ["ASID is zero", "CS.L and CS.D"].map(str::to_owned);
        let expected = [(false, BTreeSet::new()), (true, both.into())];
        assert_eq!(refusals(trace), expected);
    }

    #[test]
    fn what_is_traced_beside_the_rule_is_a_failure() {
        let asked = asked(&FULL);
        let said = |one: &Asked| (!one.broken.is_empty(), expected(one));
        let mut all: Vec<_> = asked.iter().map(said).collect();
        let good = observation("vmrun.asid-zero", &asked, &all);
        assert_eq!((good.verdict, good.failed), (Verdict::Pass, 0));
        let place = asked.iter().position(|a| a.broken.contains(&"vmrun.asid-zero")).unwrap();
        all[place].1.insert("another".into());
        let bad = observation("vmrun.asid-zero", &asked, &all);
        assert_eq!((bad.verdict, bad.failed), (Verdict::Fail, 1));
        let accepted = asked.iter().position(|a| a.broken.is_empty()).unwrap();
        all[accepted].0 = true;
        assert_eq!(observation(ACCEPTED, &asked, &all).failed, 1);
    }
}
