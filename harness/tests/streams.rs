//! Guests in which exceptions follow each other without an instruction, for ever: QEMU goes on
//! answering its monitor, and ends when it is told to, with any clock.
//!
//! `SVM_QEMU=PATH cargo test -p harness --features qemu-tests --test streams`

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::qemu::qmp::Qmp;
use serde_json::json;

/// Long enough for a machine on which much else runs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where the guest's ROM is.
const ROM: u32 = 0xf_0000;
/// The handler of #DB, in the ROM: IRET.
const HANDLER: u16 = 0x80;

/// A ROM with this at these places; its first byte is the first that is executed.
fn rom(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut image = vec![0; 0x1_0000];
    // JMP F000:0000.
    let reset: &[u8] = &[0xea, 0, 0, 0, 0xf0];
    for (at, bytes) in parts.iter().chain([&(0xfff0, reset)]) {
        image[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

/// Real mode, with the vector of #DB, DR0 and DR7 set, and what starts the stream.
fn in_real_mode(dr0: u32, dr7: u32, last: &[u8]) -> Vec<u8> {
    // MOV AX, 1000h; MOV SS, AX; MOV SP, 7000h; XOR AX, AX; MOV DS, AX.
    let mut code = vec![0xb8, 0, 0x10, 0x8e, 0xd0, 0xbc, 0, 0x70, 0x31, 0xc0, 0x8e, 0xd8];
    // MOV WORD [4], HANDLER; MOV WORD [6], F000h.
    code.extend([0xc7, 0x06, 4, 0, HANDLER as u8, 0, 0xc7, 0x06, 6, 0, 0, 0xf0]);
    // MOV EAX, dr0; MOV DR0, EAX; MOV EAX, dr7; MOV DR7, EAX.
    code.extend([0x66, 0xb8]);
    code.extend(dr0.to_le_bytes());
    code.extend([0x0f, 0x23, 0xc0, 0x66, 0xb8]);
    code.extend(dr7.to_le_bytes());
    code.extend([0x0f, 0x23, 0xf8]);
    code.extend(last);
    // JMP $.
    code.extend([0xeb, 0xfe]);
    rom(&[(0, &code), (HANDLER.into(), &[0xcf])])
}

/// The gate of #DB leads to a task whose T bit is set. The descriptor of its task-state segment is
/// in the ROM, which does not keep that it is busy.
fn in_a_task() -> Vec<u8> {
    const PROTECTED: u8 = 0x40;
    // LGDT CS:[140h]; LIDT CS:[148h]; CR0.PE = 1; JMP 8:PROTECTED.
    let real = [
        0x2e, 0x66, 0x0f, 0x01, 0x16, 0x40, 0x01, 0x2e, 0x66, 0x0f, 0x01, 0x1e, 0x48, 0x01, 0x0f,
        0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0x66, 0xea, PROTECTED, 0, 0x0f, 0, 0x08, 0,
    ];
    // MOV AX, 10h; MOV DS, AX; MOV SS, AX; MOV ESP, 70000h; MOV AX, 18h; LTR AX; INT1; JMP $.
    let protected = [
        0x66, 0xb8, 0x10, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0, 0, 0x07, 0, 0x66, 0xb8, 0x18, 0,
        0x0f, 0x00, 0xd8, 0xf1, 0xeb, 0xfe,
    ];
    // Null, code, data, and two task-state segments of 68h bytes, at F0200h and F0280h.
    let gdt = [
        0u64,
        0x00cf_9b00_0000_ffff,
        0x00cf_9300_0000_ffff,
        0x0000_890f_0200_0067,
        0x0000_890f_0280_0067,
    ]
    .map(u64::to_le_bytes)
    .concat();
    // A task gate for vector 1.
    let idt = [0u64, 0x0000_8500_0020_0000].map(u64::to_le_bytes).concat();
    let register = |limit: u16, at: u32| [&limit.to_le_bytes()[..], &at.to_le_bytes()].concat();
    // From CR3 on: EIP and EFLAGS, the general registers, ESP among them, the selectors, the T bit.
    let task: Vec<u8> = [0, ROM + u32::from(HANDLER), 2, 0, 0, 0, 0, 0x6_0000, 0, 0, 0]
        .into_iter()
        .chain([0x10, 8, 0x10, 0x10, 0x10, 0x10, 0, 0x68_0001])
        .flat_map(u32::to_le_bytes)
        .collect();
    rom(&[
        (0, &real),
        (PROTECTED.into(), &protected),
        (0x100, &gdt),
        (0x140, &register(0x27, ROM + 0x100)),
        (0x148, &register(0xf, ROM + 0x180)),
        (0x180, &idt),
        (0x280 + 0x1c, &task),
    ])
}

fn streams() -> [(&'static str, Vec<u8>); 3] {
    // MOV EAX, [4]: a doubleword, any access to which is watched.
    let gate = in_real_mode(4, 0xf_0402, &[0x66, 0xa1, 4, 0]);
    // INT1, with a breakpoint on the first instruction of its handler.
    let handler = in_real_mode(ROM + u32::from(HANDLER), 0x402, &[0xf1]);
    [("a watched gate", gate), ("a breakpoint in the handler", handler), ("a task", in_a_task())]
}

/// A QEMU that does not outlive its test.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(folder: &Path, image: &[u8], more: &[String]) -> (Guest, Qmp) {
    let (bios, socket) = (folder.join("rom"), folder.join("monitor"));
    let _ = fs::remove_file(&socket);
    fs::write(&bios, image).unwrap();
    let program = std::env::var_os("SVM_QEMU").expect("SVM_QEMU must name a QEMU");
    let mut command = Command::new(program);
    command.args(["-nodefaults", "-display", "none", "-machine", "pc", "-bios"]).arg(&bios);
    command.arg("-qmp").arg(format!("unix:{},server=on,wait=off", socket.display()));
    command.args(more).stdin(Stdio::null()).stderr(Stdio::null());
    let guest = Guest(command.spawn().unwrap());
    let since = Instant::now();
    let stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(e) if since.elapsed() > PATIENCE => panic!("no monitor: {e}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let qmp = Qmp::over(stream, PATIENCE).unwrap_or_else(|e| panic!("{more:?}: {e}"));
    (guest, qmp)
}

/// Whether the processor has come to where the stream starts, or is in it.
fn started(qmp: &mut Qmp) -> bool {
    let command = json!({ "command-line": "info registers" });
    let registers = qmp.execute("human-monitor-command", command).unwrap();
    let dr7 =
        |text: &str| text.contains("DR7=0000000000000402") || text.contains("DR7=00000000000f0402");
    let tr = |text: &str| text.contains("TR =0020") || text.contains("TR =0018");
    registers.as_str().is_some_and(|text| dr7(text) || tr(text))
}

fn ends(folder: &Path, name: &str, image: &[u8], more: &[String]) {
    let (mut guest, mut qmp) = start(folder, image, more);
    let answered = |what: std::io::Result<serde_json::Value>| {
        what.unwrap_or_else(|e| panic!("{name}, {more:?}: {e}"));
    };
    let since = Instant::now();
    while !started(&mut qmp) {
        assert!(since.elapsed() < PATIENCE, "{name}, {more:?}: it does not start");
    }
    // A reset is not among them: QEMU that records does not come back from one, whatever runs.
    for command in ["stop", "cont", "query-status", "quit"] {
        answered(qmp.execute(command, json!({})));
    }
    let since = Instant::now();
    while guest.0.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < PATIENCE, "{name}, {more:?}: it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_stream_of_exceptions_does_not_keep_qemu_from_its_monitor() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("shift=3,rr=record,rrfile={}", folder.path().join("log").display());
    let ways: [&[&str]; 5] = [
        &["-accel", "tcg"],
        &["-accel", "tcg,thread=single"],
        &["-accel", "tcg", "-smp", "2"],
        &["-accel", "tcg", "-icount", "shift=3"],
        &["-accel", "tcg", "-icount", &record],
    ];
    for (name, image) in streams() {
        for way in ways {
            let more: Vec<String> = way.iter().map(|word| (*word).to_owned()).collect();
            ends(folder.path(), name, &image, &more);
        }
    }
}
