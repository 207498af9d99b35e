//! What is kept of an output that may never end.

use std::collections::VecDeque;

/// The first and the last part of a stream, and how much was in between.
#[derive(Clone, Debug, Default)]
pub struct Bounded {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

/// Bytes kept from the start. The largest unit prints about 100 KiB.
pub(super) const HEAD: usize = 2 << 20;
/// Bytes kept from the end, where the summary is.
pub(super) const TAIL: usize = 256 << 10;
/// A guest that has printed this much will not stop by itself.
pub(super) const FLOOD: u64 = 64 << 20;

impl Bounded {
    /// Takes in the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend(&rest[rest.len().saturating_sub(TAIL)..]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }

    /// How many bytes came, kept or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the stream is longer than any test's.
    pub fn flooded(&self) -> bool {
        self.total > FLOOD
    }

    /// The kept bytes as text; what is no UTF-8 becomes U+FFFD, and a line
    /// says how much was left out.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        let lost = self.total - (self.head.len() + self.tail.len()) as u64;
        if lost > 0 {
            text.push_str(&format!("\n[... {lost} bytes left out ...]\n"));
        }
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        text.push_str(&String::from_utf8_lossy(&tail));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_streams_are_kept_whole() {
        let mut kept = Bounded::default();
        kept.push(b"PASS: a\n");
        kept.push(b"PASS: b\n");
        assert_eq!(kept.text(), "PASS: a\nPASS: b\n");
        assert!(!kept.flooded());
    }

    #[test]
    fn long_streams_keep_both_ends_and_say_what_is_lost() {
        let mut kept = Bounded::default();
        kept.push(b"first\n");
        let filler = vec![b'x'; 100_000];
        for _ in 0..100 {
            kept.push(&filler);
        }
        kept.push(b"\nlast");
        let text = kept.text();
        assert!(text.starts_with("first\n") && text.ends_with("\nlast"));
        let lost = 6 + 10_000_000 + 5 - HEAD - TAIL;
        assert!(text.contains(&format!("[... {lost} bytes left out ...]")));
        assert_eq!(kept.head.len() + kept.tail.len(), HEAD + TAIL);
    }

    #[test]
    fn a_push_larger_than_both_ends_is_cut() {
        let mut kept = Bounded::default();
        kept.push(&vec![b'y'; HEAD + 3 * TAIL]);
        assert_eq!(kept.tail.len(), TAIL);
        assert!(!kept.flooded());
        kept.push(&vec![b'z'; FLOOD as usize]);
        assert!(kept.flooded());
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let mut kept = Bounded::default();
        kept.push(b"PASS: \xff\xfe\nFAIL: x\n");
        assert_eq!(kept.text(), "PASS: \u{fffd}\u{fffd}\nFAIL: x\n");
    }
}
