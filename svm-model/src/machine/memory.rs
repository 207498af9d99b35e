//! Memory as a case sees it: the world's baseline, and what was written since.

use alloc::vec::Vec;

use crate::case::{encode, insn::Insn, world};
use crate::vmcb::{FIELDS, Field, Image, SIZE};

/// Physical memory: what the world holds at the start, and the quadwords that
/// differ by now. The two VMCB pages are kept as fields, which VMRUN and
/// #VMEXIT go through all the time.
pub(crate) struct Memory<'a> {
    program: &'a [Insn],
    pub(crate) vmcb: Image,
    pub(crate) vmcb2: Image,
    /// By address: a case that loops writes thousands.
    words: Vec<(u64, u64)>,
    /// A bit for each address in `words`, several addresses to a bit: most of what is
    /// read was never written.
    written: u64,
    code: Vec<u8>,
    /// A bit for each page that a table walk has read, several pages to a bit.
    walked: u64,
    /// Counts the changes to such pages.
    pub(crate) version: u32,
    /// Whether the baseline's page tables are as they were.
    pub(crate) tables_clean: bool,
    /// Whether the permission maps are all zero.
    pub(crate) maps_clean: bool,
    /// Whether all that was read and written belongs to the case.
    pub(crate) contained: bool,
}

impl<'a> Memory<'a> {
    /// At the start of a case.
    pub(crate) fn new(program: &'a [Insn], vmcb: &Image) -> Memory<'a> {
        Memory {
            program,
            vmcb: vmcb.clone(),
            vmcb2: Image::ZERO,
            words: Vec::new(),
            written: 0,
            code: Vec::new(),
            walked: 0,
            version: 0,
            tables_clean: true,
            maps_clean: true,
            contained: true,
        }
    }

    /// The fields of the VMCB at a page-aligned address.
    pub(crate) fn image(&mut self, pa: u64) -> Image {
        match pa {
            world::VMCB => self.vmcb.clone(),
            world::VMCB2 => self.vmcb2.clone(),
            _ => {
                let mut image = Image::ZERO;
                for field in Field::ALL {
                    image.set(*field, self.read(pa + u64::from(field.offset()), field.width()));
                }
                image
            }
        }
    }

    /// Writes one field of the VMCB at a page-aligned address.
    #[inline]
    pub(crate) fn set_field(&mut self, pa: u64, field: Field, value: u64) {
        self.changed(pa);
        match pa {
            world::VMCB => self.vmcb.set(field, value),
            world::VMCB2 => self.vmcb2.set(field, value),
            _ => self.write(pa + u64::from(field.offset()), field.width(), value),
        }
    }

    /// Reads up to 8 bytes, little-endian.
    pub(crate) fn read(&mut self, pa: u64, width: u8) -> u64 {
        if width == 8 && pa & 7 == 0 {
            return self.word(pa);
        }
        (0..u64::from(width.min(8))).fold(0, |value, n| {
            let at = pa.wrapping_add(n);
            value | (self.word(at & !7) >> (at % 8 * 8) & 0xff) << (n * 8)
        })
    }

    /// Reads an entry of a page table.
    pub(crate) fn entry(&mut self, pa: u64, width: u8) -> u64 {
        self.walked |= bit(pa >> 9);
        self.read(pa, width)
    }

    fn changed(&mut self, pa: u64) {
        self.version += u32::from(self.walked & bit(pa >> 9) != 0);
    }

    /// Writes up to 8 bytes, little-endian.
    pub(crate) fn write(&mut self, pa: u64, width: u8, value: u64) {
        if width == 8 && pa & 7 == 0 {
            return self.set_word(pa, value);
        }
        for n in 0..u64::from(width.min(8)) {
            let at = pa.wrapping_add(n);
            let shift = at % 8 * 8;
            let word = self.word(at & !7) & !(0xff << shift);
            self.set_word(at & !7, word | (value >> (n * 8) & 0xff) << shift);
        }
    }

    /// The aligned quadword.
    #[inline]
    pub(crate) fn word(&mut self, pa: u64) -> u64 {
        match pa & !0xfff {
            world::VMCB => return image_word(&self.vmcb, pa & 0xfff),
            world::VMCB2 => return image_word(&self.vmcb2, pa & 0xfff),
            _ => {}
        }
        if self.written & bit(pa) == 0 {
            return self.initial(pa);
        }
        match self.place(pa) {
            Ok(at) => self.words[at].1,
            Err(_) => self.initial(pa),
        }
    }

    fn set_word(&mut self, pa: u64, value: u64) {
        self.changed(pa);
        match pa & !0xfff {
            world::VMCB => return set_image_word(&mut self.vmcb, pa & 0xfff, value),
            world::VMCB2 => return set_image_word(&mut self.vmcb2, pa & 0xfff, value),
            _ => {}
        }
        if world::table_entry(pa).is_some() {
            self.tables_clean = false;
        }
        if (world::IOPM..world::MSRPM + 0x2000).contains(&pa) {
            self.maps_clean = false;
        }
        self.contained &= world::is_free(pa);
        self.written |= bit(pa);
        match self.place(pa) {
            Ok(at) => self.words[at].1 = value,
            Err(at) => self.words.insert(at, (pa, value)),
        }
    }

    /// Where the quadword at `pa` is among those that were written, or would be.
    fn place(&self, pa: u64) -> Result<usize, usize> {
        self.words.binary_search_by_key(&pa, |(at, _)| *at)
    }

    /// What the world holds there before a case changes it.
    fn initial(&mut self, pa: u64) -> u64 {
        self.contained &= world::is_known(pa);
        match pa & !0x1fff {
            world::L2_CODE => self.code_word(pa),
            _ => world::initial_word(pa),
        }
    }

    fn code_word(&mut self, pa: u64) -> u64 {
        if self.code.is_empty() {
            self.code = encode::program(self.program);
        }
        let at = (pa - world::L2_CODE) as usize;
        let byte = |n| u64::from(self.code.get(at + n).copied().unwrap_or(0));
        (0..8).fold(0, |word, n| word | byte(n) << (8 * n))
    }

    /// The quadwords that were written, VMCBs apart, in order.
    pub(crate) fn changes(&self) -> impl Iterator<Item = u64> {
        self.words.iter().map(|(pa, _)| *pa)
    }

    /// Whether L2's program is as the case gives it.
    pub(crate) fn code_clean(&self) -> bool {
        let end = world::L2_CODE + 0x2000;
        !self.words.iter().any(|(pa, _)| (world::L2_CODE..end).contains(pa))
    }
}

/// The bit of an address in 64.
fn bit(pa: u64) -> u64 {
    1 << (pa >> 3 & 63)
}

/// For each quadword of a VMCB, the fields that it holds a part of: from, and up to but
/// not including, a place in [`Field::ALL`], which goes by offset.
const FIELDS_AT: [(u8, u8); SIZE / 8] = {
    let (mut fields, mut quadword) = ([(0, 0); SIZE / 8], 0);
    let (mut from, mut to) = (0, 0);
    while quadword < fields.len() {
        let start = 8 * quadword;
        while to < FIELDS && (Field::ALL[to].offset() as usize) < start + 8 {
            to += 1;
        }
        while from < to && end(Field::ALL[from]) <= start {
            from += 1;
        }
        fields[quadword] = (from as u8, to as u8);
        quadword += 1;
    }
    fields
};

/// Where a field ends.
const fn end(field: Field) -> usize {
    field.offset() as usize + field.width() as usize
}

/// The fields in the quadword at an offset of a VMCB, and how far each begins above
/// it, in bits; below, for one that begins in the quadword before.
fn fields_at(offset: u64) -> impl Iterator<Item = (Field, i32)> {
    let (from, to) = FIELDS_AT[offset as usize / 8];
    let place = move |f: &Field| (*f, 8 * (i32::from(f.offset()) - offset as i32));
    Field::ALL[from.into()..to.into()].iter().map(place)
}

/// A word moved up by a number of bits, or down by a negative one.
fn shifted(word: u64, up: i32) -> u64 {
    if up < 0 { word >> -up } else { word << up }
}

/// The quadword at an offset of a VMCB; bytes between fields read as zero.
fn image_word(image: &Image, offset: u64) -> u64 {
    fields_at(offset).fold(0, |word, (field, up)| word | shifted(image.get(field), up))
}

/// Writes the quadword at an offset of a VMCB; bytes between fields are dropped.
fn set_image_word(image: &mut Image, offset: u64, word: u64) {
    for (field, up) in fields_at(offset) {
        let others = image.get(field) & !shifted(u64::MAX, -up);
        image.set(field, others | shifted(word, -up));
    }
}
