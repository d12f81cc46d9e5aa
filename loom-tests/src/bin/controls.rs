//! Negative controls: a model that can't fail proves nothing. For each entry of
//! `controls.txt` this weakens the sources, in a copy, and sees whether the model named
//! there rejects the result. Some copies share the entries, and each is built incrementally: one with the workers,
//! which takes long at first, and others of the floors below, which most models do with.
//!
//! usage: controls [shuttle] [WORD]    only entries with the word in their name; with `shuttle` those of
//! `shuttle.txt`, which the tests of whole pools must reject

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A model that lasts this long has gone astray; the sound ones take seconds, or minutes beside all else that CI does.
const TOO_LONG: Duration = Duration::from_secs(1200);

/// An entry: what is changed, and the test that must fail then.
struct Control<'a> {
    name: &'a str,
    test: &'a str,
    changes: Vec<Change<'a>>,
}

/// Which lines of which file become which.
#[derive(Default)]
struct Change<'a> {
    file: &'a str,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let (table, built) = match arguments.next_if_eq("shuttle") {
        Some(_) => ("loom-tests/shuttle.txt", ("filch", "shuttle")),
        None => ("loom-tests/controls.txt", ("loom-tests", "loom")),
    };
    let word = arguments.next().unwrap_or_default();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let table = fs::read_to_string(project.join(table)).unwrap();
    let controls = parse(&table);
    let chosen: Vec<_> = controls.iter().filter(|control| control.name.contains(&word)).collect();
    // One more than CPUs: cargo and the compiler wait for the disk now and then.
    let copies = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    let entries = || chosen.iter().copied().enumerate();
    // Each: how many copies, of which floors, for which entries.
    let groups = if built.1 == "shuttle" {
        vec![(copies, None, entries().collect())]
    } else {
        let (above, below): (Vec<_>, Vec<_>) =
            entries().partition(|(_, control)| needs_workers(project, control.test));
        vec![(1, Some(WITH_WORKERS), above), (copies - 1, Some(&[][..]), below)]
    };
    let groups = groups.into_iter().map(|(copies, floors, entries)| {
        (copies.min(entries.len()), floors, Mutex::new(entries.into_iter()))
    });
    let groups: Vec<_> = groups.collect();
    let chosen = chosen.len();
    // Returns how many weren't rejected.
    let work = |copy: Copy, left: &Mutex<std::vec::IntoIter<(usize, &Control<'_>)>>| {
        let mut failed = 0;
        loop {
            let Some((index, control)) = left.lock().unwrap().next() else { return failed };
            let start = Instant::now();
            let verdict = weakened(&copy.root, &control.changes, &|| copy.verdict(control.test));
            let (place, seconds) = (index + 1, start.elapsed().as_secs());
            println!("{place:>3}/{chosen} {:<34} {verdict} ({seconds} s)", control.name);
            failed += usize::from(verdict != Verdict::Rejected);
        }
    };
    let failed: usize = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (copies, floors, left) in &groups {
            for _ in 0..*copies {
                let number = threads.len();
                let copy = move || Copy::of(project, number, *floors, built);
                threads.push(scope.spawn(move || work(copy(), left)));
            }
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{} passed, {failed} failed", chosen - failed);
    ExitCode::from(u8::from(failed > 0 || chosen == 0))
}

/// `@ name | file | test file and filter`, then `- ` lines to find and `+ ` lines to put;
/// `& file` begins another change of the same entry.
fn parse(table: &str) -> Vec<Control<'_>> {
    let mut controls: Vec<Control<'_>> = Vec::new();
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, text) = line.split_at(1);
        let text = text.trim();
        if kind == "@" {
            let parts: Vec<_> = text.split(" | ").collect();
            let &[name, file, test] = &parts[..] else { panic!("not three parts: {line}") };
            let changes = vec![Change { file, ..Change::default() }];
            controls.push(Control { name, test, changes });
            continue;
        }
        let changes = &mut controls.last_mut().expect("an entry first").changes;
        let last = changes.last_mut().unwrap();
        match kind {
            "-" => last.old.push(text),
            "+" => last.new.push(text),
            "&" => changes.push(Change { file: text, ..Change::default() }),
            _ => panic!("not a line of controls.txt: {line}"),
        }
    }
    controls
}

#[derive(PartialEq)]
enum Verdict {
    Rejected,
    Survived,
    /// The entry is at fault: it doesn't compile, or names no test.
    Broken(String),
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rejected => f.write_str("rejected"),
            Self::Survived => f.write_str("SURVIVED"),
            Self::Broken(why) => write!(f, "BROKEN: {why}"),
        }
    }
}

/// Calls `f` while the sources in `tree` are weakened.
fn weakened(tree: &Path, changes: &[Change], f: &dyn Fn() -> Verdict) -> Verdict {
    let [change, others @ ..] = changes else { return f() };
    let path = tree.join(change.file);
    let sound = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = sound.lines().collect();
    let is_old =
        |window: &&[&str]| window.iter().map(|line| line.trim()).eq(change.old.iter().copied());
    let places: Vec<_> = (0..lines.len())
        .filter(|&at| lines[at..].get(..change.old.len()).as_ref().is_some_and(is_old))
        .collect();
    let &[place] = &places[..] else {
        return Verdict::Broken(format!("found {} times, not once", places.len()));
    };
    let (before, after) = (&lines[..place], &lines[place + change.old.len()..]);
    fs::write(&path, [before, &change.new, after].concat().join("\n") + "\n").unwrap();
    let verdict = weakened(tree, others, f);
    fs::write(&path, sound).unwrap();
    verdict
}

/// Whether the model has workers: most look at a primitive, or at the lane.
fn needs_workers(project: &Path, test: &str) -> bool {
    let (file, _) = test.split_once(' ').expect("a file and a name");
    let path = project.join("loom-tests/tests").join(file).with_extension("rs");
    // All that do name one of these. A model that can't be read is found to be broken later.
    let names = |model: String| {
        ["shared", "alarm"].iter().any(|it| model.contains(&format!("protocols::{it}")))
    };
    fs::read_to_string(path).is_ok_and(names)
}

/// The modules above the queues that they need.
const WITH_WORKERS: &[&str] = &["telemetry", "policy", "resources", "worker"];

/// A copy of the sources, which may be spoilt, and which package of theirs is built with which `cfg`.
struct Copy {
    root: PathBuf,
    built: (&'static str, &'static str),
}

impl Copy {
    /// Of all the sources, or of the floors up to the queues and these modules.
    fn of(
        project: &Path,
        number: usize,
        floors: Option<&[&str]>,
        built: (&'static str, &'static str),
    ) -> Self {
        let name = format!("filch-controls-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let do_it = |command: &mut Command| assert!(command.status().unwrap().success());
        let copy = |what: &[&str], to: &Path| {
            fs::create_dir_all(to).unwrap();
            do_it(Command::new("cp").current_dir(project).arg("--archive").args(what).arg(to));
        };
        // What Cargo.toml names must be there, though only the library is built.
        copy(&["Cargo.toml", "Cargo.lock", "src", "benches", "examples"], &root);
        copy(&["loom-tests", "tests", "docs"], &root);
        // Libraries that the sound models have been built with already.
        let built_before = format!("target/{}/release", built.1);
        if project.join(&built_before).exists() {
            copy(&[&built_before], &root.join("target"));
        }
        if let Some(modules) = floors {
            do_it(Command::new(project.join("scripts/lower-floors")).arg(&root).args(modules));
        }
        Self { root, built }
    }

    /// `test`: the file of the test, and words of its name.
    fn verdict(&self, test: &str) -> Verdict {
        let (file, filter) = test.split_once(' ').expect("a file and a name");
        let built = self.build(file).output().unwrap();
        if !built.status.success() {
            return Verdict::Broken(String::from_utf8_lossy(&built.stderr).into_owned());
        }
        let messages = String::from_utf8_lossy(&built.stdout);
        // A line a program, or a warning: cargo builds this one, too, in any order.
        let program = messages.lines().find_map(|line| {
            let (_, of_test) = line.split_once(r#""kind":["test"]"#)?;
            of_test.split_once(r#""executable":""#)?.1.split('"').next()
        });
        let program = program.expect("a test is built");
        // What one preemption shows, two do too, but mostly later: most need no more than one.
        match self.run(program, filter, "1") {
            Verdict::Survived => self.run(program, filter, "2"),
            verdict => verdict,
        }
    }

    fn run(&self, program: &str, filter: &str, preemptions: &str) -> Verdict {
        let log = self.root.join("log");
        // Itself, not by cargo: who is killed is to be the model.
        let mut run = Command::new(program)
            .arg(filter)
            .current_dir(&self.root)
            .env("LOOM_MAX_PREEMPTIONS", preemptions)
            .env("LOOM_MAX_BRANCHES", "10000")
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let said = || String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        let status = loop {
            if let Some(status) = run.try_wait().unwrap() {
                break status;
            }
            let verdict = match start.elapsed() {
                // Others that still run may take minutes.
                _ if said().contains(" ... FAILED\n") => Verdict::Rejected,
                time if time > TOO_LONG => Verdict::Broken("the model doesn't end".into()),
                _ => {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
            };
            run.kill().unwrap();
            run.wait().unwrap();
            return verdict;
        };
        match (said().contains("\nrunning 0 tests"), status.success()) {
            (true, _) => Verdict::Broken("no such test".into()),
            (false, true) => Verdict::Survived,
            (false, false) => Verdict::Rejected,
        }
    }

    fn build(&self, test: &str) -> Command {
        let (package, cfg) = self.built;
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or("cargo".into()));
        cargo
            .args(["test", "--release", "--offline", "-p", package, "--test", test])
            .args(["--features", "filch/_models", "--no-run", "--message-format=json"])
            // Optimised, a change takes four times as long to build, and most models are over in no time.
            .args(["--config", "profile.release.package.filch.opt-level=0"])
            .args(["--config", "profile.release.package.loom-tests.opt-level=0"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("RUSTFLAGS", format!("--cfg {cfg} -C debug-assertions"));
        cargo
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // A folder left behind in the place for temporary files hurts nobody.
        let _ = fs::remove_dir_all(&self.root);
    }
}
