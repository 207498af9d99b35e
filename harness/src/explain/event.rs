//! Events in words: EVENTINJ and EXITINTINFO (15.20, 15.7.2), exceptions by name.

use svm_model::arch::event;

/// The name of an exception (8.2).
pub(crate) fn exception(vector: u64) -> String {
    let name = match vector {
        0 => "#DE",
        1 => "#DB",
        2 => "NMI",
        3 => "#BP",
        4 => "#OF",
        5 => "#BR",
        6 => "#UD",
        7 => "#NM",
        8 => "#DF",
        10 => "#TS",
        11 => "#NP",
        12 => "#SS",
        13 => "#GP",
        14 => "#PF",
        16 => "#MF",
        17 => "#AC",
        18 => "#MC",
        19 => "#XF",
        21 => "#CP",
        28 => "#HV",
        29 => "#VC",
        30 => "#SX",
        _ => return format!("vector {vector:#x}"),
    };
    name.to_owned()
}

/// Whether an exception pushes an error code (table 8-1).
pub(crate) fn has_error_code(vector: u64) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21 | 29 | 30)
}

/// An event.
pub(crate) fn words(value: u64) -> String {
    if value & event::V == 0 {
        return "nothing: V is clear".to_owned();
    }
    let vector = value & 0xff;
    let what = match value & 0x700 {
        event::INTR => format!("an interrupt, vector {vector:#x}"),
        event::NMI => "an NMI".to_owned(),
        event::EXCEPTION => format!("the exception {}", exception(vector)),
        event::SOFTWARE => format!("INT {vector:#x}"),
        kind => format!("an event of the reserved TYPE {}, vector {vector:#x}", kind >> 8),
    };
    let code = match value & event::EV {
        0 => "without an error code".to_owned(),
        _ => format!("with error code {:#x}", value >> 32),
    };
    format!("{what}, {code}")
}
