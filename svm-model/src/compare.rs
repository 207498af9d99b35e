//! Comparing what should be seen with what was seen: once, for all executors.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::outcome::{Exit, L2Event, Obs, Outcome};
use crate::snapshot::{HostReg, Slot};
use crate::vmcb::Field;

/// One thing that was seen otherwise than expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which observation of the outcome, from 0.
    pub index: usize,
    /// What of it.
    pub what: What,
    /// What should have been seen.
    pub expected: String,
    /// What was seen.
    pub observed: String,
}

/// What of an observation differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The observation itself: another one was seen, or none, or one too many.
    Observation,
    /// A value read.
    Value,
    /// A field of the VMCB after #VMEXIT.
    Vmcb(Field),
    /// A register of L1 after #VMEXIT.
    Host(HostReg),
    /// What L2's exception stubs logged.
    L2Log,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Observation => f.write_str("observation"),
            What::Value => f.write_str("value"),
            What::Vmcb(field) => write!(f, "vmcb.{field}"),
            What::Host(register) => write!(f, "host.{}", register.slot_name()),
            What::L2Log => f.write_str("L2's exceptions"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { index, what, expected, observed } = self;
        write!(f, "{what}: expected {expected}, observed {observed} (observation {index})")
    }
}

/// Every difference, in the order of the observations; none where they agree.
///
/// What `expected` leaves unknown is not compared, nor anything from
/// [`Obs::Open`] on. Behind two observations of different kinds nothing is
/// compared either: what follows is a consequence.
pub fn compare(expected: &Outcome, observed: &Outcome) -> Vec<Difference> {
    let mut found = Vec::new();
    for index in 0..expected.obs.len().max(observed.obs.len()) {
        let (e, o) = (expected.obs.get(index), observed.obs.get(index));
        if e == Some(&Obs::Open) {
            break;
        }
        if !observation(index, e, o, &mut found) {
            found.push(Difference {
                index,
                what: What::Observation,
                expected: e.map_or_else(|| "nothing more".to_string(), describe),
                observed: o.map_or_else(|| "nothing more".to_string(), describe),
            });
            break;
        }
    }
    found
}

/// Compares two observations of one kind; false where they are not of one kind.
fn observation(
    index: usize,
    expected: Option<&Obs>,
    observed: Option<&Obs>,
    found: &mut Vec<Difference>,
) -> bool {
    match (expected, observed) {
        (Some(Obs::Exit(e)), Some(Obs::Exit(o))) => {
            exit(index, e, o, found);
            true
        }
        (Some(Obs::Value(e)), Some(Obs::Value(o))) => {
            if e != o {
                found.push(hex(index, What::Value, *e, *o));
            }
            true
        }
        (e, o) => e == o,
    }
}

fn exit(index: usize, expected: &Exit, observed: &Exit, found: &mut Vec<Difference>) {
    // The exit code first: where it differs, the rest is a consequence.
    let code = expected.vmcb.get(Field::EXITCODE).zip(observed.vmcb.get(Field::EXITCODE));
    if let Some((e, o)) = code.filter(|(e, o)| e != o) {
        found.push(hex(index, What::Vmcb(Field::EXITCODE), e, o));
    }
    let vmcb = expected.vmcb.differences(&observed.vmcb);
    found.extend(
        vmcb.filter(|&(field, e, o)| field != Field::EXITCODE && !both_invalid(field, e, o))
            .map(|(field, e, o)| hex(index, What::Vmcb(field), e, o)),
    );
    let host = expected.host.differences(&observed.host);
    found.extend(host.map(|(register, e, o)| hex(index, What::Host(register), e, o)));
    if !same_log(&expected.l2_log, &observed.l2_log) {
        found.push(Difference {
            index,
            what: What::L2Log,
            expected: log(&expected.l2_log),
            observed: log(&observed.l2_log),
        });
    }
}

/// EXITINTINFO says nothing but that it says nothing, where V (bit 31) is clear
/// (APM vol. 2, 15.7.2).
fn both_invalid(field: Field, expected: u64, observed: u64) -> bool {
    field == Field::EXITINTINFO && (expected | observed) >> 31 & 1 == 0
}

/// The RIP that #DF pushes is undefined (APM vol. 2, 15.12.9).
fn same_log(expected: &[L2Event], observed: &[L2Event]) -> bool {
    let same = |(e, o): (&L2Event, &L2Event)| {
        (e.vector, e.error) == (o.vector, o.error) && (e.rip == o.rip || e.vector == 8)
    };
    expected.len() == observed.len() && expected.iter().zip(observed).all(same)
}

fn log(events: &[L2Event]) -> String {
    if events.is_empty() {
        return "none".to_string();
    }
    let one =
        |e: &L2Event| format!("{:#x} (error code {:#x}, RIP {:#x})", e.vector, e.error, e.rip);
    events.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn hex(index: usize, what: What, expected: u64, observed: u64) -> Difference {
    Difference {
        index,
        what,
        expected: format!("{expected:#x}"),
        observed: format!("{observed:#x}"),
    }
}

/// One observation in a few words.
pub fn describe(obs: &Obs) -> String {
    match obs {
        Obs::L1Exception { vector, error: None } => format!("exception {vector} in L1"),
        Obs::L1Exception { vector, error: Some(error) } => {
            format!("exception {vector} (error code {error:#x}) in L1")
        }
        Obs::L1Interrupt(vector) => format!("interrupt {vector:#x} in L1"),
        Obs::L1Nmi => "NMI in L1".to_string(),
        Obs::L1Smi => "SMI in L1".to_string(),
        Obs::L1Reset => "reset".to_string(),
        Obs::L1Shutdown => "shutdown".to_string(),
        Obs::Value(value) => format!("value {value:#x}"),
        Obs::Exit(exit) => match exit.vmcb.get(Field::EXITCODE) {
            Some(code) => format!("#VMEXIT {code:#x}"),
            None => "#VMEXIT".to_string(),
        },
        Obs::Open => "anything".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;

    use super::*;

    fn exits(code: u64, info1: Option<u64>) -> Obs {
        let mut exit = Exit::default();
        exit.vmcb.set(Field::EXITCODE, code);
        if let Some(info1) = info1 {
            exit.vmcb.set(Field::EXITINFO1, info1);
        }
        Obs::Exit(Box::new(exit))
    }

    fn of(obs: &[Obs]) -> Outcome {
        Outcome { obs: obs.to_vec() }
    }

    #[test]
    fn what_is_left_open_agrees_with_anything() {
        let observed = of(&[exits(0x81, Some(7)), Obs::L1Nmi]);
        assert_eq!(compare(&of(&[exits(0x81, None), Obs::L1Nmi]), &observed), vec![]);
        assert_eq!(compare(&of(&[exits(0x81, None), Obs::Open]), &observed), vec![]);
    }

    #[test]
    fn the_exit_code_is_the_first_difference_of_an_exit() {
        let found = compare(&of(&[exits(0x81, Some(1))]), &of(&[exits(0x78, Some(2))]));
        let what: Vec<_> = found.iter().map(|d| d.what).collect();
        assert_eq!(what, [What::Vmcb(Field::EXITCODE), What::Vmcb(Field::EXITINFO1)]);
    }

    #[test]
    fn exitintinfo_that_is_not_valid_says_nothing() {
        let with = |value| {
            let mut exit = Exit::default();
            exit.vmcb.set(Field::EXITINTINFO, value);
            of(&[Obs::Exit(Box::new(exit))])
        };
        assert_eq!(compare(&with(0), &with(0x306)), vec![]);
        assert_eq!(compare(&with(0), &with(0x8000_0306)).len(), 1);
        assert_eq!(compare(&with(0x8000_0306), &with(0x306)).len(), 1);
    }

    #[test]
    fn one_too_few_and_one_too_many_are_differences() {
        let (none, one) = (of(&[]), of(&[Obs::L1Nmi]));
        assert_eq!(compare(&one, &none)[0].observed, "nothing more");
        assert_eq!(compare(&none, &one)[0].expected, "nothing more");
    }

    #[test]
    fn behind_another_kind_nothing_is_compared() {
        let expected = of(&[exits(0x81, None), Obs::Value(1)]);
        let fault = Obs::L1Exception { vector: 13, error: Some(0) };
        let found = compare(&expected, &of(&[fault, Obs::Value(2)]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].observed, "exception 13 (error code 0x0) in L1");
    }
}
