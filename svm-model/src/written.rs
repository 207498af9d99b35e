//! Every case that is written by hand, with what the manual says must come of it.
//!
//! They lie beside the rules that they are about, in the `written.rs` of their feature; one
//! line here registers what makes them.

use alloc::vec::Vec;

use crate::case::{Draft, Written};
use crate::features::*;
use crate::processor::{
    aborts, alignment, branches, caches, ferr, flags, gates, locked, ordinary, own_code, pae,
    shadow, traps, xstate,
};

/// What makes cases.
type Family = fn() -> Vec<Draft>;

/// In the order of the catalogue.
const FAMILIES: &[Family] = &[
    vmrun_state::written::cases,
    vmrun::written::cases,
    vgif::written::cases,
    vmload_vmsave::written::cases,
    intercepts::register_written::cases,
    intercepts::written::cases,
    nrip::written::cases,
    intercepts::exception_written::cases,
    physical::written::cases,
    virq::written::cases,
    event_injection::written::cases,
    npt::written::cases,
    tlb_asid::written::cases,
    msr::written::map,
    io::written::cases,
    msr::written::own,
    debug::written::cases,
    idle_hlt::written::cases,
    bus_lock::written::cases,
    spec_ctrl::written::cases,
    intercepts::register_written::write_traps,
    decode_assists::written::cases,
    lbrv::written::cases,
    tsc_scale::written::cases,
    msr::written::off,
    pause_filter::written::cases,
    tlb_asid::written::off,
    gmet::written::cases,
    vnmi::written::cases,
    idle_hlt::written::off,
    bus_lock::written::off,
    spec_ctrl::written::off,
    vmload_vmsave::written::off,
    intercepts::written::off,
    vmrun::legacy_written::cases,
    physical::smm_written::cases,
    vmrun::race_written::cases,
    ordinary::cases,
    pae::cases,
    xstate::cases,
    vgif::race_written::cases,
    aborts::cases,
    branches::cases,
    own_code::cases,
    debug::breakpoint_written::cases,
    vmrun_state::latched_written::cases,
    vmexit::undone_written::cases,
    intercepts::priority_written::cases,
    vmrun::unstated_written::cases,
    npt::rmw_written::cases,
    traps::cases,
    shadow::cases,
    caches::cases,
    ferr::cases,
    xstate::undefined::cases,
    debug::stream_written::cases,
    gates::cases,
    locked::cases,
    alignment::cases,
    decode_assists::written::stacks,
    task_switch::trap_written::cases,
    task_switch::written::cases,
    npt::la57_written::cases,
    physical::blocked_written::cases,
    lbrv::written::narrow,
    msr::written::refused,
    task_switch::restart_written::cases,
    flags::cases,
    physical::smm_msr_written::cases,
    physical::order_written::cases,
    vmload_vmsave::device_written::cases,
];

/// What makes those that no QEMU of ours can run: what the manual says of CPUs that TCG is not,
/// and of what the model leaves open once a rule is broken. They are held against the model
/// alone, whole and with each rule broken.
const ELSEWHERE: &[Family] =
    &[intercepts::written::elsewhere, vmrun::written::elsewhere, intercepts::written::task_switch];

/// Every written case that a QEMU can run, in an order that stays as it is.
pub fn all() -> Vec<Written> {
    made(FAMILIES)
}

/// Written cases for CPUs that TCG is not.
pub fn elsewhere() -> Vec<Written> {
    made(ELSEWHERE)
}

fn made(families: &[Family]) -> Vec<Written> {
    families.iter().flat_map(|family| family()).map(Draft::finish).collect()
}
