//! The I/O permission map.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use crate::Feature::Intercepts;
use crate::case::{Draft, Insn, Step, world};
use crate::rules as r;
use crate::vmcb::{Field, exit};

fn draft(id: &str, insn: Insn) -> Draft {
    Draft::new(Intercepts, format!("io/{id}")).program(&[insn])
}

fn bits(draft: Draft, pa: u64, value: u64) -> Draft {
    draft.step(Step::Mem { pa, width: 1, value })
}

pub(crate) fn cases() -> Vec<Draft> {
    let out = |id, size, port| draft(id, Insn::Out { size, port }).intercept(exit::IOIO);
    let exits = |d: Draft| {
        let behind = d.rip(1);
        d.run().exits(exit::IOIO).at(0).field(Field::EXITINFO2, behind)
    };
    let map = |port: u64| world::IOPM + port / 8;
    let spans = |id, size, port, at: u64, value| {
        exits(bits(out(id, size, port), map(at), value)).about(r::io::IOIO_SPAN)
    };
    vec![
        exits(bits(out("out-intercepted", 1, 0x80), map(0x80), 1))
            .about([r::io::IOIO_BIT, r::io::IOIO_INFO2]),
        exits(
            bits(draft("in-intercepted", Insn::In { size: 1, port: 0x80 }), map(0x80), 1)
                .intercept(exit::IOIO),
        )
        .about([r::io::IOIO_BIT, r::io::IOIO_INFO2]),
        bits(out("other-port", 1, 0x80), map(0x80), 0xfe).about(r::io::IOIO_BIT).run().ends(),
        bits(draft("map-not-enabled", Insn::Out { size: 1, port: 0x80 }), map(0x80), 0xff)
            .about(r::io::IOIO_PROT)
            .run()
            .ends(),
        // Every byte of an access counts, also where the map's bytes and pages end.
        spans("word-second-byte", 2, 0x80, 0x80, 2),
        spans("word-across-bytes", 2, 0x87, 0x88, 1),
        spans("dword-last-byte", 4, 0x80, 0x80, 8),
        spans("word-across-pages", 2, 0x7fff, 0x8000, 1),
        spans("word-beyond-last-port", 2, 0xffff, 0x1_0000, 1),
    ]
}
