//! Building the guest, and what of its ELF file goes where.

use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::ElfFile64;
use object::{Object, ObjectSegment};

use crate::host::error::Context;
use crate::host::hash;
use crate::host::process;
use crate::{Error, Kind, Result};

/// Its sources, in the checkout.
pub const FOLDER: &str = "harness/guest";
/// Where the ROM ends: the top of 4 GiB.
const ROM_END: u64 = 1 << 32;
/// The ROM's size: what real mode reaches after reset.
pub const ROM_SIZE: u64 = 1 << 16;

/// The guest, ready to be put into a machine.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What goes into RAM: physical address and bytes.
    pub segments: Vec<(u64, Vec<u8>)>,
    /// The ROM below 4 GiB, with the reset vector, as a file for `-bios`.
    pub rom: PathBuf,
    /// Digest of all of it.
    pub digest: String,
}

/// Builds the guest of the checkout `repo` with cargo; nothing happens if it is built.
///
/// # Errors
/// Build, when it does not compile; Harness on I/O failures.
pub fn build(repo: &Path) -> Result<Guest> {
    build_program(repo, "svm-guest")
}

/// [`build`] for a program of the guest's package: the cases' interpreter, or
/// the one that measures.
///
/// # Errors
/// As [`build`].
pub fn build_program(repo: &Path, program: &str) -> Result<Guest> {
    load(&compile(repo, FOLDER, program)?)
}

/// Compiles the package in the checkout's `folder`, which is a workspace of its
/// own with its own flags, and says where its `program` is.
///
/// # Errors
/// Build, when it does not compile.
pub fn compile(repo: &Path, folder: &str, program: &str) -> Result<PathBuf> {
    let source = repo.join(folder);
    let name = source.file_name().unwrap_or(source.as_os_str());
    let target = repo.join("target").join(name);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(&source)
        .args(["build", "--release", "--quiet", "--locked", "--target-dir"])
        .arg(&target);
    // The package's own flags are the only ones.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    process::stdout(Kind::Build, &mut command)?;
    Ok(target.join("x86_64-unknown-linux-gnu/release").join(program))
}

/// Reads the guest's ELF file, and writes its ROM beside it.
///
/// # Errors
/// Harness, when there is no such file or it is no guest.
pub fn load(elf: &Path) -> Result<Guest> {
    let doing = || format!("reading the guest {}", elf.display());
    let bytes = std::fs::read(elf).doing(Kind::Harness, doing)?;
    let file: ElfFile64 = ElfFile64::parse(&*bytes).doing(Kind::Harness, doing)?;
    let mut segments = Vec::new();
    let mut rom = None;
    for segment in file.segments() {
        let data = segment.data().doing(Kind::Harness, doing)?;
        match segment.address() {
            at if at >= ROM_END - ROM_SIZE => rom = Some(rom_image(at, data)),
            at => segments.push((at, data.to_vec())),
        }
    }
    let rom = rom.ok_or_else(|| Error::new(Kind::Harness, doing() + ": it has no reset vector"))?;
    let path = elf.with_extension("rom");
    if std::fs::read(&path).ok().as_deref() != Some(&rom) {
        crate::host::cache::write_atomic(&path, &rom)?;
    }
    let parts = segments.iter().map(|(_, data)| data.as_slice()).chain([rom.as_slice()]);
    let digest = hash::of_parts(parts);
    Ok(Guest { segments, rom: path, digest })
}

fn rom_image(at: u64, data: &[u8]) -> Vec<u8> {
    let mut image = vec![0; ROM_SIZE as usize];
    let start = (at - (ROM_END - ROM_SIZE)) as usize;
    image[start..start + data.len()].copy_from_slice(data);
    image
}
