//! Machine checks, which come from outside a machine: a case is stopped at L2's first
//! instruction, and goes on with one.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use svm_model::case::{Board, Case, world};
use svm_model::cpu::CpuSet;

use super::gdb::{Gdb, Stop};
use crate::exec::boot::{self, Machine};
use crate::exec::{Ran, alone, cpu_argument};
use crate::host::error::Context;
use crate::host::process;
use crate::qemu::qmp::Qmp;
use crate::{Kind, Result};

/// Longest silence of QEMU before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Runs the case with so many machine checks pending at L2's first instruction;
/// `None` if L2 does not come to it.
///
/// # Errors
/// Harness, when QEMU cannot be started or watched; as [`alone`].
pub fn in_l2(machine: &Machine, case: &Case, checks: usize) -> Result<Option<Ran>> {
    alone(case, CpuSet::NONE, |ram| {
        let doing = || "running a case into a machine check".to_owned();
        machine.load(&ram)?;
        let folder = tempfile::tempdir().doing(Kind::Harness, doing)?;
        let socket = folder.path().join("gdb");
        let (monitor, theirs) = UnixStream::pair().doing(Kind::Harness, doing)?;
        let words = tempfile::tempfile().doing(Kind::Harness, doing)?;
        let mut command = machine.command(&cpu_argument(CpuSet::NONE), Board::Small, &ram);
        command
            .args(["-S", "-qmp", "stdio", "-gdb"])
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .stdin(OwnedFd::from(theirs.try_clone().doing(Kind::Harness, doing)?))
            .stdout(OwnedFd::from(theirs))
            .stderr(words.try_clone().doing(Kind::Harness, doing)?);
        let mut running = process::spawn(&mut command).doing(Kind::Harness, doing)?;
        drop(command);
        let mut qmp = Qmp::over(monitor, PATIENCE).doing(Kind::Harness, doing)?;
        let mut gdb = Gdb::connect(&socket, PATIENCE).doing(Kind::Harness, doing)?;
        gdb.stop_at(Stop::Instruction(world::L2_CODE)).doing(Kind::Harness, doing)?;
        if !gdb.run_to_stop().doing(Kind::Harness, doing)? {
            return Ok(None);
        }
        for _ in 0..checks {
            qmp.machine_check().doing(Kind::Harness, doing)?;
        }
        gdb.release().doing(Kind::Harness, doing)?;
        let status = running.child().wait().doing(Kind::Harness, doing)?;
        Ok(Some((ram, boot::ended(status, words))))
    })
}
