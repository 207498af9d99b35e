//! What the guest wrote, as outcomes.

use svm_model::outcome::{Exit, L2Event, Obs, Outcome};
use svm_model::snapshot::{HostReg, HostState, VmcbState};
use svm_model::vmcb::{FIELDS, Field};
use svm_model::wire::{HOST, PARTS, Reader, host, obs};

/// The next case's observations; `None` where the bytes are not what a guest writes.
pub fn outcome(bytes: &mut Reader<'_>) -> Option<Outcome> {
    let mut outcome = Outcome::default();
    loop {
        match observation(bytes)? {
            Some(seen) => add(&mut outcome, seen),
            None => return Some(outcome),
        }
    }
}

/// The observations of a case that did not end, as far as they go.
pub fn partial(mut bytes: Reader<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(Some(seen)) = observation(&mut bytes) {
        add(&mut outcome, seen);
    }
    outcome
}

/// What one tag of the output tells.
enum Seen {
    Obs(Obs),
    /// GIF behind the exit before it.
    Gif(bool),
}

fn add(outcome: &mut Outcome, seen: Seen) {
    match (seen, outcome.obs.last_mut()) {
        (Seen::Obs(obs), _) => outcome.obs.push(obs),
        (Seen::Gif(gif), Some(Obs::Exit(exit))) => exit.host.set(HostReg::Gif, gif.into()),
        (Seen::Gif(_), _) => {}
    }
}

fn observation(bytes: &mut Reader<'_>) -> Option<Option<Seen>> {
    Some(Some(Seen::Obs(match bytes.u8()? {
        obs::END => return Some(None),
        obs::EXCEPTION => {
            let (vector, has_error, error) = (bytes.u8()?, bytes.u8()?, bytes.u32()?);
            Obs::L1Exception { vector, error: (has_error != 0).then_some(error) }
        }
        obs::INTERRUPT => Obs::L1Interrupt(bytes.u8()?),
        obs::NMI => Obs::L1Nmi,
        obs::SMI => Obs::L1Smi,
        obs::RESET => Obs::L1Reset,
        obs::VALUE => Obs::Value(bytes.u64()?),
        obs::EXIT => Obs::Exit(Box::new(exit(bytes)?)),
        obs::OPEN => Obs::Open,
        obs::GIF => return Some(Some(Seen::Gif(bytes.u8()? != 0))),
        _ => return None,
    })))
}

fn exit(bytes: &mut Reader<'_>) -> Option<Exit> {
    let mut registers = [0; HOST];
    for register in &mut registers {
        *register = bytes.u64()?;
    }
    let [control, save] = [bytes.bytes(PARTS[0].1)?, bytes.bytes(PARTS[1].1)?];
    let vmcb = vmcb(control, save);
    let mut l2_log = Vec::new();
    for _ in 0..bytes.u8()? {
        let (vector, error, rip) = (bytes.u8()?, bytes.u32()?, bytes.u64()?);
        l2_log.push(L2Event { vector, error, rip });
    }
    Some(Exit { vmcb, host: host_state(&registers), l2_log })
}

fn vmcb(control: &[u8], save: &[u8]) -> VmcbState {
    let mut values = [0; FIELDS];
    for (field, value) in Field::ALL.iter().zip(&mut values) {
        let at = u64::from(field.offset());
        let (part, base) = if at < PARTS[1].0 { (control, 0) } else { (save, PARTS[1].0) };
        let (from, width) = ((at - base) as usize, usize::from(field.width()));
        let mut word = [0; 8];
        word[..width].copy_from_slice(&part[from..from + width]);
        *value = u64::from_le_bytes(word);
    }
    VmcbState::of(values)
}

fn host_state(registers: &[u64; HOST]) -> HostState {
    let mut state = HostState::default();
    let places = [
        (HostReg::Rax, host::GPRS),
        (HostReg::L2Rcx, host::GPRS + 1),
        (HostReg::L2Rdx, host::GPRS + 2),
        (HostReg::L2Rbx, host::GPRS + 3),
        (HostReg::Rflags, host::RFLAGS),
        (HostReg::Cr0, host::CR0),
        (HostReg::Cr2, host::CR2),
        (HostReg::Cr3, host::CR3),
        (HostReg::Cr4, host::CR4),
        (HostReg::Cr8, host::CR8),
        (HostReg::Efer, host::EFER),
        (HostReg::Dr6, host::DR6),
        (HostReg::Dr7, host::DR7),
    ];
    for (register, at) in places {
        state.set(register, registers[at]);
    }
    state
}

#[cfg(test)]
mod tests {
    use svm_model::wire::EXIT_MAX;

    use super::*;

    /// The bytes that the guest writes for one exit whose memory counts up.
    fn exit_bytes() -> Vec<u8> {
        let mut bytes = vec![obs::EXIT];
        bytes.extend((0..HOST as u64).flat_map(u64::to_le_bytes));
        for (_, len) in PARTS {
            bytes.extend((0..len).map(|n| n as u8));
        }
        bytes.extend([1, 14]);
        bytes.extend(7u32.to_le_bytes());
        bytes.extend(0x90_0000u64.to_le_bytes());
        bytes
    }

    #[test]
    fn an_exit_is_read_field_by_field() {
        let mut bytes = exit_bytes();
        assert!(bytes.len() <= EXIT_MAX);
        bytes.push(obs::END);
        let mut reader = Reader(&bytes);
        let outcome = outcome(&mut reader).unwrap();
        assert!(reader.is_empty());
        let [Obs::Exit(exit)] = outcome.obs.as_slice() else { panic!("{outcome:?}") };
        assert_eq!(exit.vmcb.get(Field::EXITCODE), Some(0x7776_7574_7372_7170));
        assert_eq!(exit.vmcb.get(Field::CPL), Some(0xcb));
        assert_eq!(exit.host.get(HostReg::Cr3), Some(host::CR3 as u64));
        assert_eq!(exit.l2_log, [L2Event { vector: 14, error: 7, rip: 0x90_0000 }]);
    }

    #[test]
    fn what_breaks_off_is_nothing_and_its_beginning_is_kept() {
        let mut bytes = vec![obs::NMI];
        bytes.extend(exit_bytes());
        for len in 0..bytes.len() {
            assert_eq!(outcome(&mut Reader(&bytes[..len])), None);
            let seen = partial(Reader(&bytes[..len])).obs.len();
            assert_eq!(seen, usize::from(len > 0), "{len}");
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let mut x = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..40)
                .map(|_| {
                    x ^= x << 13;
                    x ^= x >> 7;
                    x ^= x << 17;
                    // Mostly tags, so that more than one is read.
                    if x & 3 == 0 { (x >> 8) as u8 } else { (x >> 8) as u8 & 7 }
                })
                .collect();
            outcome(&mut Reader(&bytes));
            partial(Reader(&bytes));
        }
    }
}
