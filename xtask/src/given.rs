//! What a flag may be given. What the command line alone shows to be wrong is
//! refused by its parser, before anything is fetched, built or locked.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use harness::host::cache;
use harness::qemu::source::pins::Pins;
use harness::suites::SUITES;

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

/// A folder that will be written into.
pub(crate) fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| cache::writable(&path.join("x")).map(|()| path))
}
