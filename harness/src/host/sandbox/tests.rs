use std::fs;
use std::time::Instant;

use super::*;

/// What `script` printed and how it ended, in `room`.
fn run(room: &Room, script: &str) -> (Option<i32>, String) {
    let sandbox = Sandbox::probe().unwrap();
    let mut c = sandbox.command(room, Path::new("/bin/sh"));
    c.args(["-c", script]);
    let out = process::output_within(&mut c, Duration::from_secs(120)).unwrap();
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    (out.status.code(), text.into_owned())
}

#[test]
fn only_what_is_open_can_be_written_and_only_what_is_shown_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (open, shown, hidden) =
        (dir.path().join("open"), dir.path().join("shown"), dir.path().join("hidden"));
    for folder in [&open, &shown, &hidden] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("a"), "text").unwrap();
    }
    Sandbox::probe().unwrap().hand_over(&open, true).unwrap();
    let room = Room { shown: vec![shown.clone()], open: vec![open.clone()], ..Room::default() };
    let at = dir.path().display();
    let (code, said) = run(
        &room,
        &format!(
            "cd {at}; echo new > open/b; cat shown/a; echo x > shown/b; ls hidden; echo x > b; \
             echo x > /usr/x; exit 7"
        ),
    );
    assert_eq!(code, Some(7), "{said}");
    assert_eq!(fs::read_to_string(open.join("b")).unwrap(), "new\n");
    assert!(said.starts_with("text"), "{said}");
    assert!(said.matches("Read-only file system").count() >= 2, "{said}");
    assert!(!shown.join("b").exists() && !dir.path().join("b").exists());
    assert!(said.contains("hidden") && !said.contains("\na\n"), "{said}");
}

#[test]
fn the_compiler_works() {
    let script = "echo 'int main(void) { return 7; }' > x.c && cc -o x x.c && ./x";
    let (code, said) = run(&Room::default(), script);
    assert_eq!(code, Some(7), "{said}");
}

#[test]
fn no_network_no_environment_and_nobody_elses_processes() {
    let here = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = here.local_addr().unwrap().port();
    let script = format!(
        "cat /proc/net/dev | tail -n +3 | grep -vc ' *lo:'; env; ls /proc | grep -c '^[0-9]'; \
         bash -c 'echo > /dev/tcp/127.0.0.1/{port}' && echo connected"
    );
    let (_, said) = run(&Room::default(), &script);
    assert!(said.starts_with("0\n") && !said.contains("connected"), "{said}");
    assert!(!said.contains("CARGO") && said.contains("HOME=/tmp"), "{said}");
    let processes = said.lines().find_map(|l| l.parse::<u32>().ok().filter(|n| *n > 0));
    assert!(processes.is_some_and(|n| n < 8), "{said}");
}

#[test]
fn processes_without_end_and_files_without_end_are_refused() {
    let limits = Limits { processes: 8, file: 1 << 20, ..Limits::QUESTION };
    let room = Room { limits, ..Room::default() };
    let (_, said) = run(&room, "head -c 9000000 /dev/zero > /tmp/x; ls -s /tmp/x | cut -d' ' -f1");
    assert!(said.lines().any(|l| l == "1024"), "{said}");
    if matches!(Sandbox::probe().unwrap().way, Way::OtherUser(_)) {
        let (_, said) = run(&room, "n=0; while [ $n -lt 999 ]; do n=$((n+1)); sleep 9 & done");
        assert!(said.contains("Cannot fork"), "{said}");
    }
}

#[test]
fn nothing_can_be_put_into_memory_beside_tmp() {
    let room = Room::default();
    for way in [Sandbox::probe().unwrap().way, Way::Namespace] {
        let sandbox = Sandbox::of(way);
        let mut c = sandbox.command(&room, Path::new("/bin/sh"));
        c.args(["-c", "echo walls; echo x > /dev/null && echo null; for f in /dev/x /dev/shm/x; do echo x > $f && echo wrote; done"]);
        let out = process::output_within(&mut c, Duration::from_secs(120)).unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        // Some machines have no user namespaces.
        assert!(said == "walls\nnull\n" || (said.is_empty() && way == Way::Namespace), "{said}");
    }
}

#[test]
fn time_memory_and_disk_without_end_are_ended_and_said() {
    let end = |limits: Limits, open: Vec<PathBuf>, script: &str| {
        let sandbox = Sandbox::probe().unwrap();
        let room = Room { limits, open, ..Room::default() };
        let mut c = sandbox.command(&room, Path::new("/bin/sh"));
        let begun = Instant::now();
        let mut running = process::spawn(c.args(["-c", script])).unwrap();
        let guard =
            Guard::over(rustix::process::Pid::from_child(running.child()), limits, room.written());
        running.wait().unwrap();
        (guard.verdict(), begun.elapsed())
    };
    let time = Duration::from_secs(1);
    // In a session of its own, and deaf to signals.
    let (why, took) = end(
        Limits { time, ..Limits::QUESTION },
        Vec::new(),
        "trap '' TERM; setsid sleep 500 & sleep 500",
    );
    assert_eq!(why, Some(Exceeded::Time(time)));
    assert!(took < Duration::from_secs(100), "{took:?}");
    let idle = Duration::from_secs(1);
    let (why, _) = end(
        Limits { idle, ..Limits::QUESTION },
        Vec::new(),
        "mkfifo /tmp/x; exec 3<> /tmp/x; read -r token <&3",
    );
    assert_eq!(why, Some(Exceeded::Idle(idle)));
    let memory = 64 << 20;
    let (why, _) = end(Limits { memory, ..Limits::QUESTION }, Vec::new(), "tail /dev/zero");
    assert_eq!(why, Some(Exceeded::Memory(memory)));
    let dir = tempfile::tempdir().unwrap();
    Sandbox::probe().unwrap().hand_over(dir.path(), true).unwrap();
    let open = || vec![dir.path().to_owned()];
    let cd = format!("cd {}; mkdir d; ln -s /usr d/usr; ", dir.path().display());
    let disk = 16 << 20;
    let fill = cd.clone() + "for n in 1 2 3; do head -c 8000000 /dev/zero > d/$n; done; sleep 500";
    let (why, _) = end(Limits { disk, ..Limits::QUESTION }, open(), &fill);
    assert_eq!(why, Some(Exceeded::Disk(disk)));
    fs::remove_dir_all(dir.path().join("d")).unwrap();
    let (why, _) = end(
        Limits { files: 20, ..Limits::QUESTION },
        open(),
        &(cd + "for n in 1 2 3 4 5 6 7 8 9; do mkdir d/$n; touch d/$n/a; done; sleep 500"),
    );
    assert_eq!(why, Some(Exceeded::Files(20)));
}

#[test]
fn what_is_refused_is_heard_once() {
    let sandbox = Sandbox::of(Way::Namespace);
    for line in ["gcc -c x.c", "sh: cannot create /x: Read-only file system\u{1b}[2J"] {
        sandbox.hear(line);
        sandbox.hear(line);
    }
    assert_eq!(sandbox.take_refused(), ["sh: cannot create /x: Read-only file system\u{fffd}[2J"]);
    sandbox.hear("sh: cannot create /x: Read-only file system\u{1b}[2J");
    assert!(sandbox.take_refused().is_empty() && sandbox.first("a") && !sandbox.first("a"));
}

#[test]
fn in_a_user_namespace_the_walls_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::of(Way::Namespace);
    let room = Room { shown: vec![dir.path().to_owned()], ..Room::default() };
    let script = format!(
        "echo walls; echo x > {}/x; tail -n +3 /proc/net/dev | grep -vc ' *lo:'; env",
        dir.path().display()
    );
    let mut c = sandbox.command(&room, Path::new("/bin/sh"));
    let out = process::output_within(c.args(["-c", &script]), Duration::from_secs(120)).unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    if !said.starts_with("walls") {
        // This machine has none for its users; then `probe` must have found another way.
        assert_ne!(Sandbox::probe().unwrap().way, Way::Namespace);
        return;
    }
    assert!(said.starts_with("walls\n0\n") && !said.contains("CARGO"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
