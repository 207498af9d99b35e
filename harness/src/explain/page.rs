//! A VMCB's page: out of a file, or out of what a debugger printed.

use std::io;
use std::path::Path;

use svm_model::vmcb::SIZE;

use crate::host::cache::io_error;
use crate::host::error::Context;
use crate::host::{interrupt, regular};
use crate::{Error, Kind, Result};

/// A VMCB as it is in memory.
pub type Page = [u8; SIZE];

/// Bytes of the most that is read: hex of a page, with addresses and text beside it,
/// has some twenty thousand.
const MOST: u64 = 1 << 20;

/// The page whose hex comes on standard input.
///
/// # Errors
/// Usage, when that is no page, or goes on for longer than any; interrupted.
pub fn standard_input() -> Result<Page> {
    let input = io::stdin();
    let doing = || "reading hex from standard input".into();
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        await_input(&input)?;
        let n = rustix::io::read(&input, &mut some).doing(Kind::Usage, doing)?;
        bytes.extend_from_slice(&some[..n]);
        if n == 0 {
            return hex(&String::from_utf8_lossy(&bytes));
        }
        if bytes.len() as u64 > MOST {
            let what = format!("standard input has more than {} KiB", MOST >> 10);
            let hint = format!("a VMCB is one page of {SIZE} bytes, as hex");
            return Err(Error::new(Kind::Usage, what).hint(hint));
        }
    }
}

/// Until there is something to read, or nothing any more.
fn await_input(input: &io::Stdin) -> Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    loop {
        interrupt::check()?;
        match poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&moment)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(e).doing(Kind::Harness, || "waiting for standard input".into()),
        }
    }
}

/// The page in a file.
///
/// # Errors
/// Usage, when the file cannot be read, or is no page.
pub fn file(path: &Path) -> Result<Page> {
    let bytes = regular::read_at_most(path, MOST).map_err(|e| {
        let e = io_error("reading", path, e);
        Error::new(Kind::Usage, e.to_string())
    })?;
    sized(&bytes, &path.display().to_string())
}

fn sized(bytes: &[u8], name: &str) -> Result<Page> {
    bytes.try_into().map_err(|_| {
        let what = format!("{name} has {} bytes; a VMCB is one page of {SIZE}", bytes.len());
        let hint = "QEMU's monitor: pmemsave ADDRESS 4096 \"FILE\"; hex goes through `explain -`";
        Error::new(Kind::Usage, what).hint(hint)
    })
}

/// The page that a debugger printed: bytes as pairs of digits, or numbers behind `0x`, each as
/// many bytes as it has digits for. What ends with a colon at the start of a line is an address;
/// what is behind `|`, or behind two spaces of such a line, are the bytes as text.
///
/// # Errors
/// Usage, when that is no hex, or no page.
pub fn hex(text: &str) -> Result<Page> {
    let mut bytes = Vec::with_capacity(SIZE);
    for (n, line) in (1..).zip(text.lines()) {
        let bad = |what: &str| {
            let shown: String = what.chars().take(20).collect();
            Error::new(Kind::Usage, format!("line {n} of the hex: {shown:?} is no hex"))
        };
        for word in data(line).split_whitespace() {
            push(&mut bytes, word).ok_or_else(|| bad(word))?;
        }
    }
    sized(&bytes, "the hex")
}

/// What of a line is data.
fn data(line: &str) -> &str {
    let line = line.split('|').next().unwrap_or_default();
    let Some((_, rest)) = line.split_once(':') else {
        // As hexdump has it: an address of eight digits, two spaces.
        return match line.split_once("  ") {
            Some((address, rest)) if address.len() == 8 => rest,
            _ if line.len() == 8 && !line.contains(' ') => "",
            _ => line,
        };
    };
    let rest = rest.trim_start();
    rest.split("  ").next().unwrap_or_default()
}

fn push(bytes: &mut Vec<u8>, word: &str) -> Option<()> {
    if let Some(number) = word.strip_prefix("0x") {
        let width = number.len().div_ceil(2).next_power_of_two();
        let value = u64::from_str_radix(number, 16).ok()?;
        bytes.extend(&value.to_le_bytes()[..width]);
        return Some(());
    }
    if !word.len().is_multiple_of(2) || !word.is_ascii() {
        return None;
    }
    for pair in word.as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).ok()?;
        bytes.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A page of rising bytes, printed line by line.
    fn printed(line: impl Fn(usize, &[u8]) -> String) -> String {
        let page: Vec<u8> = (0..SIZE).map(|n| n as u8).collect();
        page.chunks(16).enumerate().map(|(n, bytes)| line(16 * n, bytes) + "\n").collect()
    }

    fn pairs(bytes: &[u8], between: &str) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(between)
    }

    fn words(bytes: &[u8]) -> String {
        let word = |b: &[u8]| format!("0x{:016x}", u64::from_le_bytes(b.try_into().unwrap()));
        bytes.chunks(8).map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_debuggers_print_is_read() {
        for text in [
            printed(|_, bytes| pairs(bytes, "")),
            printed(|_, bytes| pairs(bytes, " ")),
            // xxd
            printed(|at, bytes| format!("{at:08x}: {}  ..ab: |..", pairs(bytes, " "))),
            // hexdump -C
            printed(|at, bytes| format!("{at:08x}  {}  |..0x..|", pairs(bytes, " ")))
                + "00001000\n",
            // QEMU's xp and gdb's x
            printed(|at, bytes| format!("{at:016x}: {}", words(bytes))),
            printed(|at, bytes| {
                format!("0x{at:x} <vmcb+{at}>:\t{}", words(bytes).replace(' ', "\t"))
            }),
        ] {
            let page = hex(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            assert_eq!((page[0x70], page[0xfff]), (0x70, 0xff));
        }
    }

    #[test]
    fn what_is_no_page_is_refused_with_what_would_be_one() {
        for (text, says) in [
            ("", "the hex has 0 bytes; a VMCB is one page of 4096"),
            ("00 01\n", "the hex has 2 bytes"),
            ("00\nzz\n", "line 2 of the hex: \"zz\" is no hex"),
            ("0x123456789abcdef01", "\"0x123456789abcdef01\" is no hex"),
            ("0", "\"0\" is no hex"),
            ("é1", "is no hex"),
        ] {
            let e = hex(text).unwrap_err();
            assert!(e.kind() == Kind::Usage && e.to_string().contains(says), "{text}: {e}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vmcb");
        let e = file(&path).unwrap_err();
        assert!(e.kind() == Kind::Usage && e.to_string().contains("reading"), "{e}");
        fs::write(&path, [0; 100]).unwrap();
        let e = file(&path).unwrap_err();
        assert!(e.to_string().contains("vmcb has 100 bytes; a VMCB is one page"), "{e}");
        assert!(e.to_string().contains("pmemsave"), "{e}");
        fs::write(&path, [0; SIZE]).unwrap();
        assert_eq!(file(&path).unwrap(), [0; SIZE]);
    }
}
