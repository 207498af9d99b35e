//! Telling a difference of a case's own from one that a case before it has left behind.

use std::ffi::OsStr;
use std::fmt::Write;

use svm_model::case::Case;
use svm_model::cases::lasting_id;
use svm_model::cpu::CpuSet;

use super::judge::{Finding, Judged, judge};
use super::text;
use crate::Result;
use crate::exec::name::Name;
use crate::exec::{Executor, wanted};
use crate::host::process::quote;

/// More findings than that have a reason of their own.
const FEW: usize = 64;

/// Cases that are run, all tries together, to find a short run of them.
const ENOUGH: usize = 100_000;
/// Cases that could run in the time that a boot takes.
const BOOT: usize = 200;
/// How many of those before it are tried first, and then: a boot begins anew, so that the nearest
/// are the likeliest.
const NEAR: [usize; 4] = [64, 1024, 16_384, usize::MAX];
/// Cases before one that still make a command to be read.
const LISTED: usize = 8;

/// A case that differs only behind others.
#[derive(Clone, Debug)]
pub struct Behind {
    /// How it differed, and its place in the list.
    pub finding: Finding,
    /// The places of those before it that it takes, as few as were found; none where it did not
    /// differ again behind all of them.
    pub before: Vec<usize>,
}

/// All of these in words, those that differ behind the same cases together, with the command that
/// runs one `on` it again: these cases alone, or, where they are too many, `all` that ran.
pub fn told(behind: &[Behind], cases: &[Case], on: &Name, all: &str) -> Vec<String> {
    let mut alike: Vec<Vec<&Behind>> = Vec::new();
    for one in behind {
        match alike.iter_mut().find(|group| group[0].before == one.before) {
            Some(group) => group.push(one),
            None => alike.push(vec![one]),
        }
    }
    alike.iter().map(|group| together(group, cases, on, all)).collect()
}

/// Some that differ behind the same cases.
fn together(group: &[&Behind], cases: &[Case], on: &Name, all: &str) -> String {
    let (first, others) = group.split_first().expect("a group has one");
    let ids: Vec<String> = first.before.iter().map(|n| lasting_id(&cases[*n])).collect();
    let name = |one: &Behind| lasting_id(&cases[one.finding.case]);
    let id = name(first);
    let mut text = match ids.len() {
        0 => format!("{id} differed once, and not again: neither alone nor behind all others"),
        1 => format!("{id} differs only behind another case"),
        n => format!("{id} differs only behind {n} cases"),
    };
    let _ = writeln!(text, "\n  {}", text::line(&first.finding));
    if ids.is_empty() || ids.len() > LISTED {
        let _ = writeln!(text, "  again, with all that ran: {all}");
    } else {
        let on = quote(OsStr::new(&on.to_string()));
        let _ = writeln!(text, "  again: cargo xtask conform --on {on} \\");
        let named = ids.iter().chain([&id]).map(|id| quote(OsStr::new(id)));
        let cases: Vec<String> = named.map(|id| format!("    --case {id}")).collect();
        let _ = writeln!(text, "{}", cases.join(" \\\n"));
    }
    if !others.is_empty() {
        let _ = writeln!(text, "  so do {} more, the next {}", others.len(), name(others[0]));
    }
    text
}

/// Runs each case that differs again, alone, and takes those out of `judged` that then agree.
///
/// # Errors
/// As [`judge`].
pub fn confirm(
    executor: &mut dyn Executor,
    judged: &mut Judged,
    cases: &[Case],
) -> Result<Vec<Behind>> {
    if judged.findings.len() > FEW {
        return Ok(Vec::new());
    }
    let mut behind = Vec::new();
    for finding in std::mem::take(&mut judged.findings) {
        let place = finding.case;
        if differs(executor, &[&cases[place]])? {
            judged.findings.push(finding);
        } else {
            if let Some(rule) = finding.blame.rule {
                judged.tallies[rule.index()].broken -= 1;
            }
            behind.push(Behind { before: before(executor, cases, place)?, finding });
        }
    }
    Ok(behind)
}

/// Whether the last of these cases differs, when they run in one boot.
fn differs(executor: &mut dyn Executor, cases: &[&Case]) -> Result<bool> {
    Ok(judge(executor, cases)?.findings.iter().any(|f| f.case + 1 == cases.len()))
}

/// Few cases before that one which make it differ: what can be left out is, in ever smaller parts.
fn before(executor: &mut dyn Executor, cases: &[Case], place: usize) -> Result<Vec<usize>> {
    // Those that share its boot, whatever else they need of the CPU.
    let all = executor.platform(CpuSet::NONE)?.features;
    let same = |n: &usize| wanted(all, &cases[*n]) == wanted(all, &cases[place]);
    let mut enough = |before: &[usize]| {
        let run: Vec<&Case> = before.iter().chain([&place]).map(|n| &cases[*n]).collect();
        differs(executor, &run)
    };
    let all: Vec<usize> = (0..place).filter(same).collect();
    let mut rest = Vec::new();
    for near in NEAR.map(|n| &all[all.len().saturating_sub(n)..]) {
        if enough(near)? {
            rest = near.to_vec();
        }
        if !rest.is_empty() || near.len() == all.len() {
            break;
        }
    }
    if rest.is_empty() {
        return Ok(rest);
    }
    let (mut size, mut ran) = (rest.len().div_ceil(2), 0);
    while size > 0 && rest.len() > 1 && ran < ENOUGH {
        // The nearest ones are the likeliest to matter, and so the last to be left out.
        let mut start = 0;
        while start < rest.len() && ran < ENOUGH {
            let end = (start + size).min(rest.len());
            let without = [&rest[..start], &rest[end..]].concat();
            // A boot costs what some cases do.
            ran += without.len() + BOOT;
            if !without.is_empty() && enough(&without)? {
                rest = without;
            } else {
                start += size;
            }
        }
        size /= 2;
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use svm_model::case::{Draft, Insn};
    use svm_model::cpu::{CpuFeature, Platform};
    use svm_model::outcome::Outcome;
    use svm_model::{Feature, coverage, model};

    use super::*;
    use crate::exec::Ran;

    /// An executor on which a case with HLT and one with PAUSE spoil every case with CPUID that
    /// comes after both in the same run, in which CLTS is always wrong, and RSM once.
    #[derive(Default)]
    struct Leaky {
        once: bool,
    }

    impl Executor for Leaky {
        fn platform(&mut self, _: CpuSet) -> Result<Platform> {
            Ok(coverage::FULL)
        }

        fn run(
            &mut self,
            cases: &[&Case],
            emit: &mut dyn FnMut(usize, Ran) -> Result<()>,
        ) -> Result<()> {
            let (mut halted, mut paused) = (false, false);
            for (n, case) in cases.iter().enumerate() {
                let has = |insn| case.program.contains(&insn);
                let once = has(Insn::Rsm) && !std::mem::replace(&mut self.once, true);
                let wrong = has(Insn::Clts) || halted && paused && has(Insn::Cpuid) || once;
                halted |= has(Insn::Hlt);
                paused |= has(Insn::Pause);
                let right = model::run(case, &coverage::FULL);
                emit(n, Ran::Outcome(if wrong { Outcome::default() } else { right }))?;
            }
            Ok(())
        }
    }

    #[test]
    fn what_a_case_leaves_behind_is_told_from_what_another_does() {
        let mut insns = vec![Insn::Nop; 20];
        insns.extend([Insn::Hlt, Insn::Clts, Insn::Nop, Insn::Pause, Insn::Rsm, Insn::Wbinvd]);
        insns.extend([Insn::Cpuid, Insn::Cpuid]);
        let cases: Vec<Case> = insns
            .into_iter()
            .enumerate()
            .map(|(n, insn)| {
                let draft = Draft::new(Feature::Intercepts, format!("x/{n}"));
                // What a case needs of the CPU does not part it from others.
                let needs = insn == Insn::Hlt;
                let draft = if needs { draft.needs(&[CpuFeature::NripSave]) } else { draft };
                draft.program(&[insn]).done()
            })
            .collect();
        let all: Vec<&Case> = cases.iter().collect();
        let mut leaky = Leaky::default();
        let mut judged = judge(&mut leaky, &all).unwrap();
        assert_eq!(judged.findings.len(), 4);
        let behind = confirm(&mut leaky, &mut judged, &cases).unwrap();
        assert_eq!(judged.findings.iter().map(|f| f.case).collect::<Vec<_>>(), [21]);
        let found: Vec<_> = behind.iter().map(|b| (b.finding.case, b.before.clone())).collect();
        assert_eq!(found, [(24, vec![]), (26, vec![20, 23]), (27, vec![20, 23])]);
        let on = "qemu:/a b/qemu".parse().unwrap();
        let told = told(&behind, &cases, &on, "ALL").concat();
        expect_test::expect![[r#"
            x/24 differed once, and not again: neither alone nor behind all others
              observation: expected #VMEXIT 0x81, observed nothing more (observation 0)
              again, with all that ran: ALL
            x/26 differs only behind 2 cases
              observation: expected #VMEXIT 0x81, observed nothing more (observation 0)
              again: cargo xtask conform --on 'qemu:/a b/qemu' \
                --case x/20 \
                --case x/23 \
                --case x/26
              so do 1 more, the next x/27
        "#]]
        .assert_eq(&told);
    }
}
