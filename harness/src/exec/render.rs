//! Cases and outcomes as text.

use std::fmt::Write;

use svm_model::case::{Case, Step, encode, world};
use svm_model::compare::{compare, describe};
use svm_model::outcome::{Exit, Obs, Outcome};
use svm_model::snapshot::Slot;
use svm_model::vmcb::Field;

use super::cpu_argument;

/// A case: what it needs, L2's program, L1's steps.
pub fn case(case: &Case) -> String {
    let mut text = format!("{}\n  feature  {}\n", case.id, case.feature);
    let names =
        |set: svm_model::cpu::CpuSet| set.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ");
    let _ = writeln!(text, "  cpu      {}", cpu_argument(case.cpu.without));
    if case.cpu.needs.iter().next().is_some() {
        let _ = writeln!(text, "  needs    {}", names(case.cpu.needs));
    }
    if !case.cpu.board.is_small() {
        text.push_str("  board    a second CPU, and a PCI device with memory\n");
    }
    text.push_str("  L2 executes\n");
    let mut rip = world::L2_CODE;
    for insn in case.program.iter().chain([&svm_model::case::Insn::Vmmcall]) {
        let length = encode::length(insn);
        let _ = writeln!(text, "    {:#x}  {insn:x?}", rip + length.setup as u64);
        rip += length.total() as u64;
    }
    text.push_str("  L1 does\n");
    for one in &case.steps {
        let _ = writeln!(text, "    {}", step(one));
    }
    text
}

fn step(step: &Step) -> String {
    match step {
        Step::Vmcb(field, value) => format!("vmcb.{field} = {value:#x}"),
        Step::Mem { pa, width, value } => format!("[{pa:#x}] = {value:#x} ({width} bytes)"),
        Step::Peek { pa, width } => format!("read [{pa:#x}] ({width} bytes)"),
        Step::Wrmsr(msr, value) => format!("WRMSR {msr:#x}, {value:#x}"),
        Step::Rdmsr(msr) => format!("RDMSR {msr:#x}"),
        Step::WriteCr(n, value) => format!("MOV CR{n}, {value:#x}"),
        Step::ReadCr(n) => format!("MOV from CR{n}"),
        Step::WriteDr(n, value) => format!("MOV DR{n}, {value:#x}"),
        Step::ReadDr(n) => format!("MOV from DR{n}"),
        Step::Rflags(value) => format!("RFLAGS {value:#x} from here on"),
        Step::Raise(event) => format!("raise {event:x?}"),
        Step::L1(insn, rax) => format!("{insn:x?} with RAX {rax:#x}"),
        Step::Vmrun(rax) => format!("VMRUN {rax:#x}"),
        Step::Window => "open a window for interrupts".to_owned(),
    }
}

/// What was expected beside what was observed; what differs is marked. All of it, or only that and
/// what one wants to see of any exit.
pub fn side_by_side(expected: &Outcome, observed: &Outcome, all: bool) -> String {
    let differences = compare(expected, observed);
    let mut text = format!("    {:<24} {:<24} observed\n", "", "expected");
    for index in 0..expected.obs.len().max(observed.obs.len()) {
        let (e, o) = (expected.obs.get(index), observed.obs.get(index));
        let name = |obs: Option<&Obs>| obs.map_or_else(|| "-".to_owned(), describe);
        let differs = differences.iter().any(|d| d.index == index);
        let mark = if differs { '!' } else { ' ' };
        let _ = writeln!(text, "  {mark} observation {index:<12} {:<24} {}", name(e), name(o));
        if let (Some(Obs::Exit(e)), Some(Obs::Exit(o))) = (e, o) {
            exit(e, o, all, &mut text);
        }
    }
    text
}

/// The fields and registers on which the expectation says something.
fn exit(expected: &Exit, observed: &Exit, all: bool, text: &mut String) {
    let vmcb = expected.vmcb.iter().map(|(f, e)| (f.name().to_owned(), e, observed.vmcb.get(f)));
    let host = expected.host.iter();
    let host = host.map(|(r, e)| (format!("L1's {}", r.slot_name()), e, observed.host.get(r)));
    let mut left_out = 0;
    for (name, e, o) in vmcb.chain(host) {
        let differs = o.is_some_and(|o| o != e);
        if !all && !differs && !SHOWN.iter().any(|field| field.name() == name) {
            left_out += 1;
            continue;
        }
        let mark = if differs { '!' } else { ' ' };
        let o = o.map_or_else(|| "-".to_owned(), |o| format!("{o:#x}"));
        let _ = writeln!(text, "  {mark}   {name:<22} {:<24} {o}", format!("{e:#x}"));
    }
    if left_out > 0 {
        let _ = writeln!(text, "      and {left_out} more as they must be (-v)");
    }
    for (who, exit) in [("expected", expected), ("observed", observed)] {
        for event in &exit.l2_log {
            let (v, error, rip) = (event.vector, event.error, event.rip);
            let _ =
                writeln!(text, "      {who}: L2 takes {v:#x}, error code {error:#x}, RIP {rip:#x}");
        }
    }
}

/// An outcome that nothing is compared with.
pub fn outcome(outcome: &Outcome) -> String {
    let mut text = String::new();
    for obs in &outcome.obs {
        let _ = writeln!(text, "    {}", describe(obs));
        if let Obs::Exit(exit) = obs {
            for field in SHOWN {
                if let Some(value) = exit.vmcb.get(field) {
                    let _ = writeln!(text, "      {:<22} {value:#x}", field.name());
                }
            }
        }
    }
    text
}

/// What one wants to see of any exit.
const SHOWN: [Field; 10] = [
    Field::EXITCODE,
    Field::EXITINFO1,
    Field::EXITINFO2,
    Field::EXITINTINFO,
    Field::INT_CTL,
    Field::INT_STATE,
    Field::RIP,
    Field::RSP,
    Field::RFLAGS,
    Field::RAX,
];
