//! A line of QEMU's trace, as the log backend writes it.

use std::str::SplitAsciiWhitespace;

use svm_model::vmcb::SIZE;

use crate::explain::page::Page;

/// A day, in microseconds.
const DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// When something was traced: microseconds of its day. What lasts a day or longer is measured
/// wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// Microseconds from an earlier one to this; midnight may lie between.
    pub fn since(self, earlier: Stamp) -> u64 {
        (self.0 + DAY - earlier.0) % DAY
    }

    /// `2026-11-28T14:05:28.123456Z`; a second that is whole has no fraction.
    fn read(text: &str) -> Option<Stamp> {
        let (_, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut parts = time.splitn(3, ':').map(|part| part.parse::<u64>().ok());
        let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
        let digits = fraction.get(..6).unwrap_or(fraction);
        let micros: u64 = format!("{digits:0<6}").parse().ok()?;
        (h < 24 && m < 60 && s < 61).then_some(Stamp((h * 3600 + m * 60 + s) * 1_000_000 + micros))
    }
}

/// What was traced, when, and on which processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Only with `-msg timestamp=on`.
    pub at: Option<Stamp>,
    /// The processor's number.
    pub cpu: u32,
    /// What.
    pub event: Event,
}

/// A #VMEXIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// EXITCODE.
    pub code: u64,
    /// EXITINFO1.
    pub info1: u64,
    /// EXITINFO2.
    pub info2: u64,
}

/// At which moment a VMCB is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As VMRUN has read it.
    Vmrun,
    /// As #VMEXIT leaves it.
    Exit,
}

/// What the trace events tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A guest is entered.
    Vmrun {
        /// Its VMCB.
        vmcb: u64,
    },
    /// A check of VMRUN fails.
    Refused {
        /// The VMCB.
        vmcb: u64,
        /// As QEMU calls it.
        reason: String,
    },
    /// #VMEXIT.
    Exit {
        /// The VMCB.
        vmcb: u64,
        /// What it reports.
        exit: Exit,
    },
    /// EVENTINJ asks for an event.
    Inject {
        /// The event.
        info: u64,
        /// Its error code.
        error_code: u64,
    },
    /// GIF, or the virtual one, changes.
    Gif {
        /// Through what.
        cause: String,
        /// To what.
        on: bool,
    },
    /// Translations are dropped.
    Flush {
        /// Why.
        cause: String,
    },
    /// What there is in a VMCB.
    Vmcb {
        /// The VMCB.
        vmcb: u64,
        /// At which moment.
        when: When,
        /// All of it.
        page: Box<Page>,
    },
}

/// What came of reading a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// A trace event of SVM.
    Line(Line),
    /// Something else that QEMU writes.
    Other,
    /// It begins as an event of SVM does, and cannot be read.
    Unreadable,
}

/// Reads a line.
pub fn read(text: &str) -> Read {
    let first = text.split(' ').next().unwrap_or_default();
    let at = Stamp::read(first);
    let rest = if at.is_some() { text.get(first.len() + 1..).unwrap_or_default() } else { text };
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let read = match name {
        "svm_vmrun" => vmrun(rest),
        "svm_vmrun_refused" => refused(rest),
        "svm_vmexit" => exit(rest),
        "svm_inject" => inject(rest),
        "svm_gif" => gif(rest),
        "svm_flush" => flush(rest),
        "svm_vmcb" => vmcb(rest),
        _ => return Read::Other,
    };
    match read {
        Some((cpu, event)) => Read::Line(Line { at, cpu, event }),
        None => Read::Unreadable,
    }
}

/// Names and numbers in turn.
struct Words<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Words<'a> {
        Words(text.split_ascii_whitespace())
    }

    /// The number of that name, which is next.
    fn number(&mut self, name: &str) -> Option<u64> {
        if self.0.next()? != name {
            return None;
        }
        let number = self.0.next()?;
        match number.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        }
    }

    fn cpu(&mut self) -> Option<u32> {
        self.number("cpu")?.try_into().ok()
    }

    /// Nothing is left.
    fn end(mut self) -> Option<()> {
        self.0.next().is_none().then_some(())
    }
}

type Told = Option<(u32, Event)>;

fn vmrun(text: &str) -> Told {
    let mut words = Words::of(text);
    let (cpu, vmcb) = (words.cpu()?, words.number("vmcb")?);
    for name in ["asid", "rip", "cr3", "nested_ctl", "nested_cr3"] {
        words.number(name)?;
    }
    words.end()?;
    Some((cpu, Event::Vmrun { vmcb }))
}

fn refused(text: &str) -> Told {
    let (head, reason) = text.split_once(": ")?;
    let mut words = Words::of(head);
    let (cpu, vmcb) = (words.cpu()?, words.number("vmcb")?);
    words.end()?;
    Some((cpu, Event::Refused { vmcb, reason: reason.to_owned() }))
}

fn exit(text: &str) -> Told {
    let mut words = Words::of(text);
    let (cpu, vmcb) = (words.cpu()?, words.number("vmcb")?);
    let (code, info1) = (words.number("code")?, words.number("info1")?);
    let info2 = words.number("info2")?;
    for name in ["int_info", "rip", "next_rip"] {
        words.number(name)?;
    }
    words.end()?;
    Some((cpu, Event::Exit { vmcb, exit: Exit { code, info1, info2 } }))
}

fn inject(text: &str) -> Told {
    let mut words = Words::of(text);
    let cpu = words.cpu()?;
    words.number("vmcb")?;
    let (info, error_code) = (words.number("info")?, words.number("error_code")?);
    words.number("rip")?;
    words.end()?;
    Some((cpu, Event::Inject { info, error_code }))
}

fn gif(text: &str) -> Told {
    let (head, tail) = text.split_once(": ")?;
    let cpu = Words::of(head).cpu()?;
    let cause = head.splitn(3, ' ').nth(2)?.to_owned();
    let mut words = Words::of(tail);
    let on = match words.number("gif")? {
        0 => false,
        1 => true,
        _ => return None,
    };
    words.end()?;
    Some((cpu, Event::Gif { cause, on }))
}

fn flush(text: &str) -> Told {
    let (head, cause) = text.split_once(": ")?;
    let mut words = Words::of(head);
    let cpu = words.cpu()?;
    words.number("asid")?;
    words.end()?;
    Some((cpu, Event::Flush { cause: cause.to_owned() }))
}

/// Each quadword that is not zero, with its offset.
fn vmcb(text: &str) -> Told {
    let (head, content) = text.split_once(':')?;
    let mut words = Words::of(head);
    let (cpu, vmcb) = (words.cpu()?, words.number("vmcb")?);
    let when = match words.0.next()? {
        "VMRUN" => When::Vmrun,
        "#VMEXIT" => When::Exit,
        _ => return None,
    };
    words.end()?;
    let mut page = Box::new([0; SIZE]);
    for word in content.split_ascii_whitespace() {
        let (offset, value) = word.split_once(':')?;
        let offset = usize::from_str_radix(offset, 16)
            .ok()
            .filter(|offset| offset % 8 == 0 && *offset < SIZE)?;
        let value = u64::from_str_radix(value, 16).ok()?;
        page.get_mut(offset..offset + 8)?.copy_from_slice(&value.to_le_bytes());
    }
    Some((cpu, Event::Vmcb { vmcb, when, page }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        match read(text) {
            Read::Line(line) => line,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_event_is_read() {
        let exit = line(
            "svm_vmexit cpu 1 vmcb 0x801000 code 0x7b info1 0x400210 info2 0x1002 int_info 0x0 \
             rip 0x1000 next_rip 0x1002",
        );
        let told = Exit { code: 0x7b, info1: 0x40_0210, info2: 0x1002 };
        assert_eq!((exit.cpu, exit.at), (1, None));
        assert_eq!(exit.event, Event::Exit { vmcb: 0x80_1000, exit: told });
        let vmrun = "svm_vmrun cpu 0 vmcb 0x801000 asid 1 rip 0x1000 cr3 0x2000 nested_ctl 0x1 \
                     nested_cr3 0x3000";
        assert_eq!(line(vmrun).event, Event::Vmrun { vmcb: 0x80_1000 });
        let refused = line("svm_vmrun_refused cpu 0 vmcb 0x801000: ASID is zero");
        let reason = "ASID is zero".to_owned();
        assert_eq!(refused.event, Event::Refused { vmcb: 0x80_1000, reason });
        let inject = line("svm_inject cpu 0 vmcb 0x1000 info 0x80000b0e error_code 0x2 rip 0x7");
        assert_eq!(inject.event, Event::Inject { info: 0x8000_0b0e, error_code: 2 });
        let gif = line("svm_gif cpu 0 virtual STGI: gif 1");
        assert_eq!(gif.event, Event::Gif { cause: "virtual STGI".into(), on: true });
        let flush = line("svm_flush cpu 0 asid 1: another ASID");
        assert_eq!(flush.event, Event::Flush { cause: "another ASID".into() });
    }

    #[test]
    fn a_vmcb_is_its_words() {
        let Event::Vmcb { vmcb, when, page } =
            line("svm_vmcb cpu 0 vmcb 0x1000 #VMEXIT: 58:1 4d0:1d01 ff8:80").event
        else {
            panic!("no VMCB");
        };
        assert_eq!((vmcb, when), (0x1000, When::Exit));
        assert_eq!((page[0x58], page[0x4d0], page[0x4d1], page[0xff8]), (1, 1, 0x1d, 0x80));
        let empty = line("svm_vmcb cpu 0 vmcb 0x1000 VMRUN:").event;
        assert!(matches!(empty, Event::Vmcb { page, .. } if *page == [0; SIZE]));
    }

    #[test]
    fn stamps_are_subtracted_over_midnight() {
        let at = |stamp: &str| line(&format!("{stamp} svm_gif cpu 0 STGI: gif 1")).at.unwrap();
        let (late, early) = (at("2026-11-28T23:59:59.999990Z"), at("2026-11-29T00:00:00Z"));
        assert_eq!(early.since(late), 10);
        assert_eq!(at("2026-11-28T01:02:03.5Z").since(at("2026-11-28T01:02:03Z")), 500_000);
    }

    #[test]
    fn what_is_no_event_is_passed_over_and_what_is_broken_is_said() {
        for other in ["", " ", "svm_new cpu 0", "2026-11-28T23:59:59Z", "invalid msr", "é svm_gif"]
        {
            assert_eq!(read(other), Read::Other, "{other}");
        }
        for broken in [
            "svm_vmrun",
            "svm_vmrun cpu 0",
            "svm_vmrun cpu 0 vmcb 0x80100",
            "svm_vmrun_refused cpu 0 vmcb 0x1000",
            "svm_vmexit cpu 0 vmcb 0x1000 code 0x7b info1 0x4002",
            "svm_vmexit cpu -1 vmcb 0x1000 code 0x7b info1 0 info2 0 int_info 0 rip 0 next_rip 0",
            "svm_vmexit cpu 0 vmcb 0x1000 code 0x7b info1 0 info2 0 int_info 0 rip 0 next_rip 0 x",
            "svm_gif cpu 0 STGI: gif 2",
            "svm_gif cpu 0: gif 1",
            "svm_flush cpu 0 asid 1",
            "svm_inject cpu 0 vmcb 0x1 info 0x1 error_code",
            "svm_vmcb cpu 0 vmcb 0x1000 VMRUN 58:1",
            "svm_vmcb cpu 0 vmcb 0x1000 VMLOAD: 58:1",
            "svm_vmcb cpu 0 vmcb 0x1000 VMRUN: 57:1",
            "svm_vmcb cpu 0 vmcb 0x1000 VMRUN: 1000:1",
            "svm_vmcb cpu 0 vmcb 0x1000 VMRUN: fffffffffffffff8:1",
            "svm_vmcb cpu 0 vmcb 0x1000 VMRUN: 58",
        ] {
            assert_eq!(read(broken), Read::Unreadable, "{broken}");
        }
    }
}
