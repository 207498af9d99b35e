//! GIF, virtual GIF and interrupts, explored: from a host and a guest with nothing
//! pending, every state that events and instructions lead to, for every setting
//! of the controls; and what must hold at each step, whatever came before.
//!
//! The states are the machine's own: each step puts a [`Machine`] into a state,
//! lets it do one thing, and reads what became of it.

use crate::arch::{flag, int_ctl};
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use crate::case::insn::Insn;
use crate::case::{Case, Cpu, Event, Step, world};
use crate::coverage::FULL;
use crate::machine::{Machine, Stop, Trace, baseline};
use crate::outcome::Obs;
use crate::vmcb::{Field, exit};

const INTR: u8 = 0x51;
const VINTR: u64 = 0x61;
/// What one delivery takes of the stack, but for the first, which finds it aligned.
const FRAME: u64 = 48;

/// Controls that stay as they are.
#[derive(Clone, Copy, Debug)]
struct Setup {
    vgif: bool,
    vnmi: bool,
    masking: bool,
    host_if: bool,
    /// Intercepts of INTR, NMI and VINTR.
    intr: bool,
    nmi: bool,
    vintr: bool,
}

impl Setup {
    fn all() -> impl Iterator<Item = Setup> {
        (0..128u32).filter_map(|n| {
            let bit = |b: u32| n >> b & 1 == 1;
            let setup = Setup {
                vgif: bit(0),
                vnmi: bit(1),
                masking: bit(2),
                host_if: bit(3),
                intr: bit(4),
                nmi: bit(5),
                vintr: bit(6),
            };
            // The host's IF counts with masking only; virtual NMIs need the intercept.
            let sensible = (setup.masking || !setup.host_if) && (setup.nmi || !setup.vnmi);
            sensible.then_some(setup)
        })
    }

    fn int_ctl(self) -> u64 {
        let bits = [
            (self.vgif, int_ctl::V_GIF_ENABLE),
            (self.vnmi, int_ctl::V_NMI_ENABLE),
            (self.masking, int_ctl::V_INTR_MASKING),
            (true, int_ctl::V_IGN_TPR),
        ];
        bits.iter().filter(|(on, _)| *on).fold(0, |all, (_, bit)| all | bit)
    }
}

/// Everything that decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// In the guest; else in the host, and what is said of the guest is in its VMCB.
    running: bool,
    gif: bool,
    guest_if: bool,
    shadow: bool,
    v_irq: bool,
    v_gif: bool,
    v_nmi: bool,
    v_nmi_mask: bool,
    intr: bool,
    nmi: bool,
    nmi_blocked: bool,
}

impl State {
    const START: State = State {
        running: false,
        gif: true,
        guest_if: false,
        shadow: false,
        v_irq: false,
        v_gif: false,
        v_nmi: false,
        v_nmi_mask: false,
        intr: false,
        nmi: false,
        nmi_blocked: false,
    };

    fn int_ctl(self) -> u64 {
        let bits = [
            (self.v_irq, int_ctl::V_IRQ),
            (self.v_gif, int_ctl::V_GIF),
            (self.v_nmi, int_ctl::V_NMI),
            (self.v_nmi_mask, int_ctl::V_NMI_MASK),
        ];
        bits.iter().filter(|(on, _)| *on).fold(0, |all, (_, bit)| all | bit)
    }

    fn of(m: &Machine<'_>) -> State {
        let v = &m.mem.vmcb;
        let (int, rflags, shadow) = match &m.guest {
            Some(guest) => (guest.int_ctl, m.r.rflags, m.r.shadow),
            None => {
                let shadow = v.get(Field::INT_STATE) & 1 == 1;
                (v.get(Field::INT_CTL), v.get(Field::RFLAGS), shadow)
            }
        };
        State {
            running: m.guest.is_some(),
            gif: m.gif,
            guest_if: rflags & flag::IF != 0,
            shadow,
            v_irq: int & int_ctl::V_IRQ != 0,
            v_gif: int & int_ctl::V_GIF != 0,
            v_nmi: int & int_ctl::V_NMI != 0,
            v_nmi_mask: int & int_ctl::V_NMI_MASK != 0,
            intr: m.pending.requests(INTR),
            nmi: m.pending.nmi,
            nmi_blocked: m.pending.nmi_blocked,
        }
    }

    /// Puts a fresh machine into the state.
    fn enter(self, setup: Setup, m: &mut Machine<'_>) {
        let intercepts = 1 << 31
            | u64::from(setup.intr)
            | u64::from(setup.nmi) << 1
            | u64::from(setup.vintr) << 4;
        for (field, value) in [
            (Field::INT_CTL, setup.int_ctl() | self.int_ctl()),
            (Field::INT_VECTOR, VINTR),
            (Field::INTERCEPT_MISC1, intercepts),
            (Field::RFLAGS, 2 | u64::from(self.guest_if) << 9),
            (Field::INT_STATE, self.shadow.into()),
        ] {
            m.mem.vmcb.set(field, value);
        }
        if self.running {
            m.r.rflags = 2 | u64::from(setup.host_if) << 9;
            let image = m.mem.vmcb.clone();
            m.enter(world::VMCB, image).expect("nothing is broken");
        }
        m.gif = self.gif;
        m.pending.nmi = self.nmi;
        m.pending.nmi_blocked = self.nmi_blocked;
        if self.intr {
            m.pending.request(INTR);
        }
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Action {
    /// The host: an instruction, or an open window for interrupts.
    Host(Step),
    /// The host: VMRUN, with these bits of INT_CTL set and those cleared first.
    Vmrun(u64, u64),
    /// Both: an event becomes pending.
    Raise(Event),
    /// The guest: a boundary, and where nothing is taken there this instruction.
    Guest(Insn),
}

fn actions(setup: Setup, state: State) -> Vec<Action> {
    let mut all = vec![Action::Raise(Event::Nmi), Action::Raise(Event::Intr(INTR))];
    if state.running {
        let insns =
            [Insn::Nop, Insn::Sti, Insn::Cli, Insn::Stgi, Insn::Clgi, Insn::Iret, Insn::Vmmcall];
        all.extend(insns.map(Action::Guest));
        return all;
    }
    let host = [Step::L1(Insn::Stgi, 0), Step::L1(Insn::Clgi, 0), Step::Window];
    all.extend(host.map(Action::Host));
    all.extend([Action::Vmrun(0, 0), Action::Vmrun(int_ctl::V_IRQ, 0)]);
    if setup.vgif {
        all.extend([Action::Vmrun(int_ctl::V_GIF, 0), Action::Vmrun(0, int_ctl::V_GIF)]);
    }
    if setup.vnmi {
        all.push(Action::Vmrun(int_ctl::V_NMI, 0));
    }
    all
}

/// What a step led to.
struct After {
    state: State,
    /// EXITCODE, where it was a #VMEXIT.
    exit: Option<u64>,
    /// Events that the guest took.
    delivered: u64,
    /// Events that the host took.
    host: Vec<Obs>,
}

/// Does it; `None` where the manual leaves open what follows.
fn act(setup: Setup, state: State, action: &Action) -> Option<After> {
    let program = match action {
        Action::Guest(insn) => vec![insn.clone()],
        _ => Vec::new(),
    };
    let case = Case {
        id: "explore/step".into(),
        feature: crate::Feature::Vgif,
        cpu: Cpu::default(),
        program,
        steps: Vec::new(),
    };
    let mut trace = Trace::new(None);
    let mut m = Machine::new(&case, &FULL, &mut trace);
    debug_assert_eq!(m.mem.vmcb, *baseline(&FULL));
    state.enter(setup, &mut m);
    let begun = m.r.gpr[4];
    let stop = match action {
        Action::Host(step) => m.step(step),
        Action::Raise(event) if !state.running => m.step(&Step::Raise(*event)),
        Action::Raise(Event::Nmi) => {
            m.pending.nmi = true;
            Ok(())
        }
        Action::Raise(_) => {
            m.pending.request(INTR);
            Ok(())
        }
        Action::Vmrun(set, clear) => {
            let int = m.mem.vmcb.get(Field::INT_CTL);
            m.mem.vmcb.set(Field::INT_CTL, int & !clear | set);
            m.r.rflags = 2 | u64::from(setup.host_if) << 9;
            let image = m.mem.vmcb.clone();
            m.enter(world::VMCB, image).expect("nothing is broken");
            Ok(())
        }
        Action::Guest(insn) => guest_step(&mut m, insn),
    };
    let exited = state.running && m.guest.is_none();
    match stop {
        Ok(()) => {}
        Err(Stop::Exit) if exited => {}
        Err(_) => return None,
    }
    let delivered = if state.running && !exited && !matches!(action, Action::Guest(Insn::Iret)) {
        (begun - m.r.gpr[4]).div_ceil(FRAME)
    } else {
        0
    };
    let exit = exited.then(|| m.mem.vmcb.get(Field::EXITCODE));
    Some(After { state: State::of(&m), exit, delivered, host: m.obs })
}

fn guest_step(m: &mut Machine<'_>, insn: &Insn) -> Result<(), Stop> {
    let stack = m.r.gpr[4];
    m.boundary()?;
    if m.r.gpr[4] != stack {
        return Ok(());
    }
    if *insn == Insn::Iret {
        let frame = [world::L2_CODE, world::L2_CS.into(), 0x202, stack, world::L2_DS.into()];
        m.r.gpr[4] = stack - 0x28;
        for (n, value) in (0..).zip(frame) {
            m.mem.write(stack - 0x28 + 8 * n, 8, value);
        }
    }
    match m.instruction() {
        Err(Stop::Raise(event)) => m.deliver(event),
        other => other,
    }
}

/// What must hold of every step.
fn check(setup: Setup, before: State, action: &Action, after: &After) {
    let what =
        || alloc::format!("{setup:?}\n{before:?}\n{action:?}\n{:?} {:?}", after.state, after.exit);
    let now = after.state;
    let took = |was: bool, is: bool| was && !is;
    let intr = took(before.intr, now.intr);
    let nmi = took(before.nmi, now.nmi);
    let raised = matches!(action, Action::Raise(_));
    let host_took = after.host.len() as u64;

    // Nothing physical is taken, and nothing exits for it, while GIF is clear; STGI may set it.
    let stgi = matches!(action, Action::Host(Step::L1(Insn::Stgi, _)));
    if !before.gif && !stgi {
        assert!(!intr && !nmi && after.host.is_empty(), "taken with GIF clear\n{}", what());
        assert!(!matches!(after.exit, Some(exit::INTR | exit::NMI | exit::VINTR)), "{}", what());
    }
    // #VMEXIT clears GIF; it loses nothing that is pending.
    if after.exit.is_some() {
        // An NMI that the guest took at the same boundary is the one thing that may be gone.
        let nmi_taken = !setup.nmi && now.nmi_blocked || !nmi;
        let v_nmi_taken = now.v_nmi_mask || !took(before.v_nmi, now.v_nmi);
        assert!(!now.gif && !intr && nmi_taken, "lost in an exit\n{}", what());
        assert!(!took(before.v_irq, now.v_irq) && v_nmi_taken, "lost in an exit\n{}", what());
    }
    let holds = |code| after.exit == Some(code);
    assert!(!holds(exit::INTR) || setup.intr && now.intr, "{}", what());
    assert!(!holds(exit::NMI) || setup.nmi && now.nmi && !before.nmi_blocked, "{}", what());
    assert!(!holds(exit::VINTR) || setup.vintr && now.v_irq, "{}", what());

    if before.running && after.exit.is_none() {
        let virq = took(before.v_irq, now.v_irq);
        let vnmi = took(before.v_nmi, now.v_nmi);
        // Each event that is no longer pending was taken, once, and nothing else was.
        if !matches!(action, Action::Guest(Insn::Iret)) {
            let gone = [intr, nmi, virq, vnmi].iter().filter(|g| **g).count() as u64;
            assert_eq!(after.delivered, gone, "lost, or taken twice\n{}", what());
        }
        // Delivery of an NMI ends a shadow.
        assert!(!intr || !setup.intr && (!before.shadow || nmi), "{}", what());
        let governing = if setup.masking { setup.host_if } else { before.guest_if };
        assert!(!intr || governing, "taken with IF clear\n{}", what());
        assert!(!nmi || !setup.nmi && !before.nmi_blocked && now.nmi_blocked, "{}", what());
        // A virtual interrupt: never without virtual GIF, IF, or in a shadow.
        let open = before.gif && (!setup.vgif || before.v_gif);
        assert!(!virq || open && before.guest_if && !before.shadow && !setup.vintr, "{}", what());
        assert!(!vnmi || setup.vnmi && open && !before.v_nmi_mask && now.v_nmi_mask, "{}", what());
        // With virtual GIF, STGI and CLGI leave the real one alone.
        let own = matches!(action, Action::Guest(Insn::Stgi | Insn::Clgi));
        assert!(!(setup.vgif && own) || now.gif == before.gif, "{}", what());
    } else if !before.running && !matches!(action, Action::Vmrun(..)) {
        // In the host: what is seen is what is gone. A raised event may be taken at once.
        let gone = u64::from(intr) + u64::from(nmi);
        assert!(host_took == gone || raised && host_took == gone + 1, "{}", what());
        assert!((before.v_irq, before.v_nmi) == (now.v_irq, now.v_nmi), "{}", what());
    }
    if matches!(action, Action::Vmrun(..)) {
        assert!(now.gif && !intr && !nmi && after.host.is_empty(), "{}", what());
    }
}

/// With GIF set and a window open the host sees each pending event exactly once: it comes to its
/// STGI by an IRETQ, which ends what blocks NMIs.
fn drains(setup: Setup, state: State) {
    if state.running {
        return;
    }
    let after = act(setup, state, &Action::Host(Step::L1(Insn::Stgi, 0))).expect("STGI is clear");
    let mut seen = after.host;
    let after = act(setup, after.state, &Action::Host(Step::Window)).expect("so is a window");
    seen.extend(after.host);
    let count = |wanted: &Obs| seen.iter().filter(|o| *o == wanted).count();
    assert_eq!(count(&Obs::L1Nmi), usize::from(state.nmi), "{setup:?} {state:?}");
    assert_eq!(count(&Obs::L1Interrupt(INTR)), usize::from(state.intr), "{setup:?} {state:?}");
}

fn explore(setup: Setup) -> (usize, usize) {
    let mut seen = BTreeSet::from([State::START]);
    let mut open = vec![State::START];
    let mut steps = 0;
    while let Some(state) = open.pop() {
        drains(setup, state);
        for action in actions(setup, state) {
            let Some(after) = act(setup, state, &action) else { continue };
            steps += 1;
            check(setup, state, &action, &after);
            if seen.insert(after.state) {
                open.push(after.state);
            }
        }
    }
    (seen.len(), steps)
}

#[test]
fn every_reachable_state_keeps_the_promises_of_gif() {
    let (mut states, mut steps) = (0, 0);
    for setup in Setup::all() {
        let (s, t) = explore(setup);
        states += s;
        steps += t;
    }
    // All of what the controls allow is there: a change that cuts off a part shows here.
    assert!(states > 10_000 && steps > 5 * states, "{states} states, {steps} steps");
}
