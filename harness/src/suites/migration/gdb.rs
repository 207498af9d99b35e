//! Stopping a guest at an instruction or a memory access, through QEMU's gdbstub.
//!
//! Only the few packets of the remote serial protocol that this takes.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where the guest stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Before the instruction at this linear address.
    Instruction(u64),
    /// Right after an instruction that writes the byte at this linear address.
    Write(u64),
}

/// A connection to a QEMU that has not started its guest yet.
#[derive(Debug)]
pub struct Gdb {
    stream: UnixStream,
}

impl Gdb {
    /// Connects to the socket; an answer that takes longer than `patience` is an error.
    ///
    /// # Errors
    /// Whatever the socket gave.
    pub fn connect(socket: &Path, patience: Duration) -> io::Result<Gdb> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Gdb { stream })
    }

    /// Asks for a stop; several may be asked for.
    ///
    /// # Errors
    /// When QEMU refuses or is gone.
    pub fn stop_at(&mut self, stop: Stop) -> io::Result<()> {
        let packet = match stop {
            Stop::Instruction(address) => format!("Z1,{address:x},1"),
            Stop::Write(address) => format!("Z2,{address:x},1"),
        };
        self.send(&packet, &[])?;
        match self.answer()?.as_str() {
            "OK" => Ok(()),
            other => Err(io::Error::other(format!("gdbstub answers {packet} with {other:?}"))),
        }
    }

    /// Lets the guest run until it stops. `false` when it has ended instead.
    ///
    /// # Errors
    /// When it does neither in time, or QEMU is gone.
    pub fn run_to_stop(&mut self) -> io::Result<bool> {
        self.send("c", &[])?;
        let reason = match self.answer() {
            // Ended without time for a last word.
            Err(e) if gone(&e) => return Ok(false),
            reason => reason?,
        };
        match reason.as_bytes() {
            [b'T', b'0', b'5', ..] => Ok(true),
            [b'W' | b'X', ..] => Ok(false),
            _ => Err(io::Error::other(format!("gdbstub says {reason:?}"))),
        }
    }

    /// Makes a guest that has stopped one that was paused, which can migrate.
    ///
    /// QEMU reads both requests at once: the guest is told to run, and to stop,
    /// before it is back from the stop that it stands at, so that it executes
    /// nothing in between.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn pause(&mut self) -> io::Result<()> {
        self.send("c", &[0x03])?;
        let reason = self.answer()?;
        if reason.starts_with("T02") {
            return Ok(());
        }
        Err(io::Error::other(format!("gdbstub says {reason:?} to a request to pause")))
    }

    /// Stops a guest that is running. What the stub has said before, because the monitor stopped
    /// the guest, is no answer.
    ///
    /// # Errors
    /// When QEMU is gone, or does not stop it.
    pub fn interrupt(&mut self) -> io::Result<()> {
        let patience = self.stream.read_timeout()?;
        self.stream.set_read_timeout(Some(Duration::from_millis(1)))?;
        while self.answer().is_ok() {}
        self.stream.set_read_timeout(patience)?;
        self.stream.write_all(&[0x03])?;
        self.stopped("a request to stop")
    }

    /// Has a guest that has stopped execute one instruction. `false` when it has ended instead,
    /// and when it does not come to the end of it within `limit`: a processor that sleeps does
    /// not wake up for a step, and wants [`Gdb::interrupt`].
    ///
    /// # Errors
    /// When the socket gives another error.
    pub fn step(&mut self, limit: Duration) -> io::Result<bool> {
        let patience = self.stream.read_timeout()?;
        self.stream.set_read_timeout(Some(limit))?;
        self.send("s", &[])?;
        let reason = self.answer();
        self.stream.set_read_timeout(patience)?;
        match reason {
            Err(e) if gone(&e) || e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e),
            Ok(reason) => Ok(!reason.starts_with(['W', 'X'])),
        }
    }

    /// Lets the guest run on behind the connection, which has stopped it.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn going(mut self) -> io::Result<Self> {
        self.go()?;
        Ok(self)
    }

    /// Lets a guest that has stopped run on, which [`Gdb::interrupt`] can stop again.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn go(&mut self) -> io::Result<()> {
        self.send("c", &[])
    }

    fn stopped(&mut self, by: &str) -> io::Result<()> {
        let reason = self.answer()?;
        if reason.starts_with('T') {
            return Ok(());
        }
        Err(io::Error::other(format!("gdbstub says {reason:?} to {by}")))
    }

    /// Lets a guest that has stopped go on, and leaves it to itself.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn release(&mut self) -> io::Result<()> {
        self.send("D", &[])?;
        match self.answer() {
            Err(e) if !gone(&e) => Err(e),
            _ => Ok(()),
        }
    }

    fn send(&mut self, packet: &str, behind: &[u8]) -> io::Result<()> {
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        let mut bytes = format!("${packet}#{sum:02x}").into_bytes();
        bytes.extend_from_slice(behind);
        self.stream.write_all(&bytes)
    }

    /// The next packet, which is acknowledged.
    fn answer(&mut self) -> io::Result<String> {
        let mut packet = Vec::new();
        while self.byte()? != b'$' {}
        loop {
            match self.byte()? {
                b'#' => break,
                byte => packet.push(byte),
            }
        }
        // The checksum: the socket loses nothing.
        self.byte()?;
        self.byte()?;
        // With its last word said, QEMU may be gone.
        let _ = self.stream.write_all(b"+");
        Ok(String::from_utf8_lossy(&packet).into_owned())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

/// Whether QEMU has closed the connection.
fn gone(e: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(e.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stub that reads `expected` and then writes `answer`.
    fn stub(expected: &'static [u8], answer: &'static [u8]) -> Gdb {
        let (stream, mut other) = UnixStream::pair().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        std::thread::spawn(move || {
            let mut got = vec![0; expected.len()];
            other.read_exact(&mut got).unwrap();
            assert_eq!(got, expected);
            other.write_all(answer).unwrap();
        });
        Gdb { stream }
    }

    #[test]
    fn packets_carry_their_checksum() {
        stub(b"$Z1,900000,1#3d", b"+$OK#9a").stop_at(Stop::Instruction(0x90_0000)).unwrap();
        let refused = stub(b"$Z2,1000,1#d6", b"+$E16#ac").stop_at(Stop::Write(0x1000));
        assert!(refused.unwrap_err().to_string().contains("E16"));
    }

    #[test]
    fn a_guest_that_ends_did_not_stop() {
        assert!(stub(b"$c#63", b"+$T05thread:01;#07").run_to_stop().unwrap());
        assert!(!stub(b"$c#63", b"+$W21#00").run_to_stop().unwrap());
        assert!(!stub(b"$c#63", b"+").run_to_stop().unwrap());
    }

    #[test]
    fn a_guest_is_stopped_stepped_and_let_go() {
        stub(b"\x03", b"$T02thread:01;#04").interrupt().unwrap();
        assert!(stub(b"\x03", b"$E01#a6").interrupt().is_err());
        let limit = Duration::from_secs(60);
        assert!(stub(b"$s#73", b"+$T05thread:01;#07").step(limit).unwrap());
        assert!(!stub(b"$s#73", b"+$W21#00").step(limit).unwrap());
        stub(b"$c#63", b"").go().unwrap();
    }

    #[test]
    fn a_pause_is_asked_for_in_the_same_breath() {
        stub(b"$c#63\x03", b"+$T02thread:01;#04").pause().unwrap();
    }
}
