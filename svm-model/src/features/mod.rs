//! SVM's features, one folder each: its rules, what the model does for them, and its cases.
//! See the crate's documentation for what each file holds, and how to add one.

use crate::rules::Rule;

macro_rules! features {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Every table of rules, in the order of rule numbers.
        pub const TABLES: &[&[Rule]] = &[$($name::rules::TABLE),*];

        /// The tables by the names of their features, as the model names rules.
        pub(crate) mod tables {
            $(pub(crate) use super::$name::rules as $name;)*
        }
    };
}

// One line registers a feature; the order is that of rule numbers.
features! {
    vmrun,
    vmrun_state,
    vmexit,
    intercepts,
    io,
    task_switch,
    physical,
    event_injection,
    vgif,
    virq,
    vnmi,
    vmload_vmsave,
    npt,
    gmet,
    nrip,
    decode_assists,
    lbrv,
    tsc_scale,
    pause_filter,
    idle_hlt,
    bus_lock,
    spec_ctrl,
    tlb_asid,
    debug,
    msr,
}

/// The number of a table's first rule, which is the given one: as many as the tables in front have.
pub(crate) const fn first_number(rule: &str) -> u16 {
    let (mut table, mut number) = (0, 0);
    while table < TABLES.len() {
        if same(TABLES[table][0].id, rule) {
            return number;
        }
        number += TABLES[table].len() as u16;
        table += 1;
    }
    panic!("this table of rules is not registered in features/mod.rs")
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut n = 0;
    while n < a.len() && n < b.len() && a[n] == b[n] {
        n += 1;
    }
    n == a.len() && n == b.len()
}
