//! Each ordering that is stronger than Relaxed says what it is for, and has a negative control: a weakened variant that a
//! model rejects. Lists them all: `cargo test --test orderings -- --nocapture`.

use std::fs;
use std::path::{Path, PathBuf};

/// A statement is no further below the word about it, which may be long.
const NEAR: usize = 14;
const STRONG: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];

/// An entry of `loom-tests/controls.txt`.
struct Control {
    name: String,
    file: String,
    /// The model: its file, and what its name begins with.
    model: (String, String),
    /// The lines that it replaces, at each place.
    old: Vec<Vec<String>>,
}

fn controls(text: &str) -> Vec<Control> {
    let (mut controls, mut before) = (Vec::<Control>::new(), "");
    for line in text.lines() {
        let last = std::mem::replace(&mut before, line);
        if let Some(entry) = line.strip_prefix("@ ") {
            let [name, file, model] = parts(entry, '|');
            let [folder, model] = parts(&model, ' ');
            controls.push(Control { name, file, model: (folder, model), old: Vec::new() });
        } else if let (Some(old), Some(control)) = (line.strip_prefix('-'), controls.last_mut()) {
            if !last.starts_with('-') {
                control.old.push(Vec::new());
            }
            let place = control.old.last_mut().expect("just made");
            place.push(old.trim().to_owned());
        }
    }
    controls
}

fn parts<const N: usize>(text: &str, by: char) -> [String; N] {
    let parts: Vec<_> = text.split(by).map(|part| part.trim().to_owned()).collect();
    parts.try_into().unwrap_or_else(|parts| panic!("{text} has not {N} parts: {parts:?}"))
}

/// Rows of a table in `docs/MEMORY-ORDERING.md`: of which file, and which words about it, there are no controls.
fn without(document: &str) -> Vec<(String, String)> {
    let table = document.split("## Without a control").nth(1).expect("no such chapter");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let [_, file, words, why, _] = parts(line, '|');
        assert!(!why.is_empty(), "{line}");
        (format!("src/{}", file.trim_matches('`')), words.trim_matches('"').to_owned())
    };
    rows.map(row).collect()
}

/// What has no control, or no word about it, and what is said to have none and has.
fn faults(
    sources: &[(String, String)],
    controls: &[Control],
    without: &[(String, String)],
) -> Vec<String> {
    let (mut faults, mut used) = (Vec::new(), vec![false; without.len()]);
    for (file, text) in sources {
        let end = text.find("#[cfg(all(test").or_else(|| text.find("#[cfg(test)]\nmod"));
        let lines: Vec<_> = text[..end.unwrap_or(text.len())].lines().map(str::trim).collect();
        let is_word = |line: &&str| line.starts_with("// ORDERING:");
        for (at, line) in lines.iter().enumerate() {
            let place = format!("{file}:{}", at + 1);
            let strong = |word: &&str| line.contains(&format!("Ordering::{word}"));
            let above = &lines[at.saturating_sub(NEAR)..at];
            let names = STRONG.iter().any(strong) && !line.starts_with("//");
            if names && !above.iter().any(is_word) {
                faults.push(format!("{place} doesn't say what its ordering is for"));
            }
            if !is_word(line) {
                continue;
            }
            let near = &lines[at + 1..lines.len().min(at + 1 + NEAR)];
            let weakens = |control: &&Control| {
                control.file == *file
                    && control.old.iter().flatten().any(|old| near.contains(&&**old))
            };
            let names: Vec<_> = controls.iter().filter(weakens).map(|c| &*c.name).collect();
            println!("{place} {}: {}", &line[3..], names.join(", "));
            let said = without.iter().position(|(in_file, words)| {
                in_file == file && (words == "all" || line.contains(&**words))
            });
            match said {
                Some(said) => used[said] = true,
                None if names.is_empty() => faults.push(format!("{place} has no control")),
                None => {}
            }
        }
    }
    let unused = without.iter().zip(used).filter(|(_, used)| !used);
    faults.extend(unused.map(|(row, _)| format!("{row:?} is said to have no control")));
    faults
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn sources(folder: PathBuf, all: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(path, all);
        } else {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            all.push((name, fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn each_ordering_has_a_control_or_a_reason() {
    let (controls, without) =
        (controls(&read("loom-tests/controls.txt")), without(&read("docs/MEMORY-ORDERING.md")));
    let mut all = Vec::new();
    sources(root().join("src"), &mut all);
    all.sort_unstable();
    assert!(controls.len() > 100 && all.len() > 100);
    let faults = faults(&all, &controls, &without);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_control_changes_one_place() {
    for Control { name, file, old, .. } in controls(&read("loom-tests/controls.txt")) {
        let source = read(&file);
        let lines: Vec<_> = source.lines().map(str::trim).collect();
        for old in old {
            let places = lines.windows(old.len()).filter(|window| **window == *old).count();
            assert_eq!(places, 1, "{name}: {old:?} in {file}");
        }
    }
}

#[test]
fn each_control_has_a_model() {
    for Control { name, model: (file, test), .. } in controls(&read("loom-tests/controls.txt")) {
        let models = read(&format!("loom-tests/tests/{file}.rs"));
        let tests = models.lines().filter_map(|line| line.trim().strip_prefix("fn "));
        assert!(tests.into_iter().any(|line| line.contains(&*test)), "{name}: {file} {test}");
    }
}

#[test]
fn each_fault_is_found() {
    let source = "
        // ORDERING: Release; pairs with b.
        a.store(1, Ordering::Release);
        // ORDERING: Acquire; pairs with a.
        b.load(Ordering::Acquire);
        // ORDERING: SeqCst; a reason.
        fence(Ordering::SeqCst);";
    let bare = format!("c.load(Ordering::Acquire);{source}");
    let control =
        "@ one | src/x.rs | model test\n- a.store(1, Ordering::Release);\n+ a.store(1, Relaxed);";
    let document = "## Without a control\n| where | what | why |\n| `x.rs` | \"a reason\" | it is so |\n\
        | `y.rs` | all | it is so |";
    let sources = [("src/x.rs".to_owned(), bare)];
    let faults = faults(&sources, &controls(control), &without(document));
    let expected = [
        "src/x.rs:1 doesn't say what its ordering is for",
        "src/x.rs:4 has no control",
        "(\"src/y.rs\", \"all\") is said to have no control",
    ];
    assert_eq!(faults, expected);
}
