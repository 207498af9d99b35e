//! Where the C compiler puts each field, as bindgen reports it.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;

use crate::host::error::Context;
use crate::{Error, Kind, Result};

/// What the header leaves to its includer.
const PRELUDE: &str = "#include <stdint.h>\n#define QEMU_PACKED __attribute__((packed))\n";

/// One field of `struct vmcb`, with those of structs inside it in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CField {
    /// Path from `struct vmcb`: `control.exit_code`, `save.es.limit`.
    pub path: String,
    /// Bytes from the start of the VMCB.
    pub offset: usize,
    /// Bytes.
    pub width: usize,
}

/// What the check needs of a header.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// Every field but those called reserved, by offset.
    pub fields: Vec<CField>,
    /// Every constant called `SVM_EXIT_…`, in the order of its value.
    pub exits: Vec<(String, i64)>,
}

/// Reads a header.
///
/// # Errors
/// Usage, when it cannot be read; Setup, when there is no libclang; Build, when
/// it is not valid C or has no `struct vmcb`.
pub fn read(path: &Path) -> Result<Header> {
    let doing = || format!("reading QEMU's VMCB, {}", path.display());
    let text = crate::host::regular::read_text(path).doing(Kind::Usage, doing).map_err(|e| {
        e.hint("the folder must be a QEMU source tree of a version that has SVM (1.0 or later)")
    })?;
    parse(&text).map_err(|e| Error::new(e.kind(), format!("{}: {e}", doing())))
}

/// Reads the text of a header.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str) -> Result<Header> {
    let rust = bindings(text)?;
    let structs = Structs::parse(&rust)?;
    let mut fields = Vec::new();
    structs.flatten("vmcb", "", 0, &mut fields)?;
    fields.sort_by_key(|f| f.offset);
    Ok(Header { fields, exits: exits(&rust) })
}

fn bindings(text: &str) -> Result<String> {
    // bindgen itself panics without libclang.
    clang_sys::load().map_err(|e| {
        Error::new(Kind::Setup, "loading libclang, with which QEMU's headers are read")
            .because(e)
            .hint("install libclang-dev (Debian, Ubuntu), or set LIBCLANG_PATH")
    })?;
    let built = bindgen::Builder::default()
        .header_contents("vmcb.h", &format!("{PRELUDE}{text}"))
        .allowlist_type("vmcb")
        .allowlist_var("SVM_EXIT_.*")
        .layout_tests(true)
        .derive_copy(false)
        .derive_debug(false)
        .generate();
    Ok(built.doing(Kind::Build, || "compiling the header".into())?.to_string())
}

/// bindgen's structs: their members with types, and its layout tests.
struct Structs {
    members: BTreeMap<String, Vec<(String, String)>>,
    offsets: BTreeMap<(String, String), usize>,
    sizes: BTreeMap<String, usize>,
}

impl Structs {
    fn parse(rust: &str) -> Result<Structs> {
        let body = regex(r"pub struct (\w+) \{([^}]*)\}");
        let member = regex(r"pub (\w+): ([^,]+),");
        let mut members = BTreeMap::new();
        for found in body.captures_iter(rust) {
            let named = member.captures_iter(found.get(2).map_or("", |m| m.as_str()));
            let named = named.map(|m| (m[1].to_owned(), m[2].to_owned())).collect();
            members.insert(found[1].to_owned(), named);
        }
        let offset = regex(r#""Offset of field: (\w+)::(\w+)",?\s*\]\s*\[[^\]]*?- (\d+)usize"#);
        let offsets = offset
            .captures_iter(rust)
            .map(|c| Ok(((c[1].to_owned(), c[2].to_owned()), number(&c[3])?)));
        let size = regex(r#""Size of (\w+)",?\s*\]\s*\[[^\]]*?- (\d+)usize"#);
        let sizes = size.captures_iter(rust).map(|c| Ok((c[1].to_owned(), number(&c[2])?)));
        Ok(Structs {
            members,
            offsets: offsets.collect::<Result<_>>()?,
            sizes: sizes.collect::<Result<_>>()?,
        })
    }

    /// Appends the fields of a struct at `base`, and of the structs in it.
    fn flatten(&self, name: &str, path: &str, base: usize, out: &mut Vec<CField>) -> Result<()> {
        let missing = |what: &str| Error::new(Kind::Build, format!("bindgen found no {what}"));
        let members = self.members.get(name).ok_or_else(|| missing(&format!("struct {name}")))?;
        for (member, ty) in members.iter().filter(|(m, _)| !m.starts_with("reserved")) {
            let key = (name.to_owned(), member.clone());
            let offset = base
                + self.offsets.get(&key).ok_or_else(|| missing(&format!("{name}.{member}")))?;
            let path = if path.is_empty() { member.clone() } else { format!("{path}.{member}") };
            if self.members.contains_key(ty) {
                self.flatten(ty, &path, offset, out)?;
            } else {
                let width = self.width(ty).ok_or_else(|| missing(&format!("width of {ty}")))?;
                out.push(CField { path, offset, width });
            }
        }
        Ok(())
    }

    /// Bytes of a type: an integer, or an array of one.
    fn width(&self, ty: &str) -> Option<usize> {
        if let Some(array) = ty.strip_prefix('[').and_then(|t| t.strip_suffix("usize]")) {
            let (element, count) = array.split_once("; ")?;
            return Some(self.width(element)? * count.parse::<usize>().ok()?);
        }
        match ty {
            "u8" | "i8" => Some(1),
            "u16" | "i16" => Some(2),
            "u32" | "i32" => Some(4),
            "u64" | "i64" => Some(8),
            other => self.sizes.get(other).copied(),
        }
    }
}

fn exits(rust: &str) -> Vec<(String, i64)> {
    let constant = regex(r"pub const (SVM_EXIT_\w+): \w+ = (-?\d+);");
    let mut exits: Vec<_> = constant
        .captures_iter(rust)
        .filter_map(|c| Some((c[1].to_owned(), c[2].parse().ok()?)))
        .collect();
    exits.sort_by_key(|(_, code)| *code);
    exits
}

fn number(digits: &str) -> Result<usize> {
    digits.parse().doing(Kind::Harness, || format!("reading {digits} in bindgen's output"))
}

/// A pattern of this file.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a literal")
}
