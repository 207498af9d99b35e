//! What a flag may be given. What the command line alone shows to be wrong is
//! refused by its parser, before anything is fetched, built or locked.

use std::path::PathBuf;

use clap::builder::{
    PathBufValueParser, PossibleValuesParser, RangedI64ValueParser, TypedValueParser,
};
use harness::host::cache;
use harness::qemu::source::pins::Pins;
use harness::suites::SUITES;
use harness::{Error, Kind};

/// The name of a suite.
pub(crate) fn suite() -> PossibleValuesParser {
    SUITES.iter().map(|(name, _)| *name).collect::<Vec<_>>().into()
}

/// A pinned version of QEMU.
pub(crate) fn base(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() {
        return Err("an empty entry names no version".to_owned());
    }
    let pins = Pins::builtin().map_err(|e| e.to_string())?;
    match pins.base(Some(name)) {
        Ok(base) => Ok(base.version.clone()),
        Err(e) => Err(e.to_string()),
    }
}

/// A file that will be written.
pub(crate) fn file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.is_dir() {
        true => Err("it is a folder".to_owned()),
        false => cache::writable(&path).map(|()| path),
    })
}

/// How many run side by side.
pub(crate) fn jobs() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=256)
}

/// How many cases are drawn; all of them are in memory.
pub(crate) fn cases() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=1_000_000)
}

/// Refuses one file for two outputs, of which the second would be left.
///
/// # Errors
/// Usage.
pub(crate) fn apart(outputs: &[(&str, &Option<PathBuf>)]) -> harness::Result<()> {
    let named: Vec<_> = outputs.iter().filter_map(|(flag, p)| Some((flag, p.as_ref()?))).collect();
    for (n, (flag, path)) in named.iter().enumerate() {
        let same = |(_, other): &&(&&str, &PathBuf)| cache::same_file(path, other);
        if let Some((other, _)) = named[..n].iter().find(same) {
            let what = format!("{other} and {flag} name one file, {}", path.display());
            return Err(Error::new(Kind::Usage, what));
        }
    }
    Ok(())
}

/// A folder that will be written into.
pub(crate) fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| cache::writable(&path.join("x")).map(|()| path))
}
