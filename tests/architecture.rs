//! The house rules of docs/DESIGN.md, read off the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A file imports only from floors below its own, and from its own floor within its folder.
const FLOORS: [&[&str]; 11] = [
    &["sync", "error"],
    &["primitive", "job"],
    &["queue"],
    &["telemetry"],
    &["policy"],
    &["resources"],
    &["worker"],
    &["monitor", "export"],
    &["governor"],
    &["pool"],
    &["construct"],
];

/// The most lines of a file, its test module not counted.
const LONG: usize = 300;

/// Sources by path within src, without `.rs`; `mod` stands for its folder.
type House = BTreeMap<String, String>;

fn read(folder: &Path, prefix: &str, house: &mut House) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{prefix}{name}/"), house);
        } else if let Some(name) = name.strip_suffix(".rs") {
            let path = format!("{prefix}{name}").replace("/mod", "");
            house.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Words and punctuation; comments and literals are left out.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let after = |end: &str, from: usize| {
            rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
        };
        let hashes = rest[word..].chars().take_while(|&c| c == '#').count();
        let length = if ["r", "br", "cr"].contains(&&rest[..word])
            && rest[word + hashes..].starts_with('"')
        {
            after(&format!("\"{}", "#".repeat(hashes)), word + hashes + 1)
        } else if word > 0 {
            tokens.push(&rest[..word]);
            word
        } else if rest.starts_with("//") {
            after("\n", 0)
        } else if rest.starts_with("/*") {
            after("*/", 2)
        } else if first == '"' {
            let mut escaped = false;
            let mut ends = |c| {
                c == '"' && !escaped || {
                    escaped = c == '\\' && !escaped;
                    false
                }
            };
            1 + rest[1..].find(&mut ends).map_or(rest.len() - 1, |at| at + 1)
        } else if rest.starts_with("'\\") {
            after("'", 3)
        } else if first == '\'' && rest.chars().nth(2) == Some('\'') {
            after("'", 1)
        } else {
            if !first.is_whitespace() {
                tokens.push(&rest[..first.len_utf8()]);
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The paths that begin with one of `roots`, groups spelled out, each with the number of
/// inline modules around it.
fn paths<'t>(tokens: &[&'t str], roots: &[&str]) -> Vec<(Vec<&'t str>, usize)> {
    let (mut found, mut braces) = (Vec::new(), Vec::new());
    for (at, &token) in tokens.iter().enumerate() {
        match token {
            "{" => braces.push(at > 1 && tokens[at - 2] == "mod"),
            "}" => drop(braces.pop()),
            _ if !roots.contains(&token) || !tokens[at..].starts_with(&[token, ":", ":"]) => {}
            _ if at > 0 && tokens[at - 1] == ":" && tokens[at - 2] == ":" => {}
            _ => {
                let modules = braces.iter().filter(|&&module| module).count();
                let mut spelled = Vec::new();
                spell(&tokens[at..], Vec::new(), &mut spelled);
                found.extend(spelled.into_iter().map(|path| (path, modules)));
            }
        }
    }
    found
}

/// Spells out the path at the beginning of `tokens`; returns how many it has.
fn spell<'t>(tokens: &[&'t str], mut path: Vec<&'t str>, found: &mut Vec<Vec<&'t str>>) -> usize {
    let mut at = 0;
    loop {
        if tokens[at] == "{" {
            while tokens[at] != "}" {
                at += 1 + spell(&tokens[at + 1..], path.clone(), found);
                // Past `as name`.
                at += tokens[at..].iter().take_while(|token| !["}", ","].contains(token)).count();
            }
            return at + 1;
        }
        if !["}", ","].contains(&tokens[at]) {
            path.push(tokens[at]);
            at += 1;
        }
        if !tokens[at..].starts_with(&[":", ":"]) {
            found.push(path);
            return at;
        }
        at += 2;
    }
}

/// What stands before a file's test module.
fn without_tests(text: &str) -> &str {
    let is_test = |line: &str| line == "#[cfg(test)]" || line.starts_with("#[cfg(all(test,");
    let mut start = 0;
    for (line, next) in text.lines().zip(text.lines().skip(1)) {
        if is_test(line) && next.starts_with("mod ") {
            return &text[..start];
        }
        start += line.len() + 1;
    }
    text
}

fn floor(file: &str) -> Option<usize> {
    let place = file.split('/').next().unwrap();
    FLOORS.iter().position(|floor| floor.contains(&place))
}

/// The file of this house that a path leads into.
fn target(house: &House, file: &str, path: &[&str], modules: usize) -> Option<String> {
    let ups = path.iter().take_while(|&&name| name == "super").count();
    let mut place: Vec<_> = match ups.checked_sub(modules) {
        _ if path[0] == "crate" => Vec::new(),
        // In an inline module: still in this file.
        None | Some(0) => return None,
        Some(ups) => {
            file.split('/').rev().skip(ups).collect::<Vec<_>>().into_iter().rev().collect()
        }
    };
    place.extend(path.iter().skip(ups.max(1)));
    let prefixes = (1..=place.len()).rev().map(|length| place[..length].join("/"));
    let found = prefixes.into_iter().find(|prefix| house.contains_key(prefix));
    Some(found.unwrap_or("lib".into()))
}

/// The map of the house, and documentation tests.
const EXEMPT: [&str; 2] = ["lib", "compile_fail"];

/// Those that say when something was. Nothing else may depend on a clock that somebody can set.
const SHOW_WHEN: [&str; 2] = ["telemetry/snapshot", "telemetry/alert"];

/// What breaks the rules, a line each.
fn faults(house: &House) -> BTreeSet<String> {
    let mut faults = BTreeSet::new();
    let mut neighbours: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in house.iter().filter(|(file, _)| !EXEMPT.contains(&&***file)) {
        let mut fault = |what: String| {
            faults.insert(format!("{file}: {what}"));
        };
        let text = without_tests(text);
        let tokens = tokens(text);
        let folder = |file: &str| file.split('/').next().unwrap().to_owned();
        let Some(own) = floor(file) else {
            fault("on no floor".into());
            continue;
        };
        for (path, modules) in paths(&tokens, &["crate", "super"]) {
            let Some(target) = target(house, file, &path, modules) else { continue };
            let allowed = match floor(&target) {
                Some(floor) if floor == own => {
                    folder(file) == folder(&target) || folder(file) == "job"
                }
                Some(floor) => floor < own,
                None => false,
            };
            if !allowed {
                fault(format!("imports from {target}"));
            }
            // What others touch names who runs jobs: as a type argument only.
            let halves =
                ["worker/shared", "worker/remote"].contains(&&**file) && target == "worker/local";
            if floor(&target) == Some(own) && target != *file && !halves {
                neighbours.entry(file).or_default().insert(target);
            }
        }
        for (path, _) in paths(&tokens, &["std", "core", "loom", "shuttle"]) {
            // `Result` is an alias that has nothing to do with a thread.
            let threads = path.get(1) == Some(&"thread") && path.get(2) != Some(&"Result");
            let model = ["loom", "shuttle"].contains(&path[0]);
            let atomics = !model && path.get(1..3) == Some(&["sync", "atomic"]);
            if file != "sync" && !file.starts_with("sync/") {
                let named = [(model, path[0]), (threads, "std::thread"), (atomics, "atomics")];
                named
                    .iter()
                    .filter(|named| named.0)
                    .for_each(|(_, name)| fault(format!("names {name}")));
            }
        }
        let asks = |path: &[&str]| path.get(1) == Some(&"now");
        let wall_clock = paths(&tokens, &["SystemTime"]).iter().any(|(path, _)| asks(path));
        if wall_clock && !SHOW_WHEN.contains(&&**file) {
            fault("asks the wall clock".into());
        }
        let header = text.lines().take_while(|line| line.starts_with("//!"));
        if tokens.contains(&"unsafe") && !header.collect::<String>().contains("`unsafe`") {
            fault("`unsafe` without a word about it in the header".into());
        }
        if text.lines().count() > LONG {
            fault(format!("{} lines", text.lines().count()));
        }
    }
    // Whoever is left when all that lead nowhere are taken away is in a cycle, or leads to one.
    let mut left = neighbours.clone();
    while let Some(done) = left.iter().find(|(_, to)| to.iter().all(|to| !left.contains_key(&**to)))
    {
        let done = *done.0;
        left.remove(done);
    }
    while let Some(last) =
        left.keys().copied().find(|file| !left.values().any(|to| to.contains(*file)))
    {
        left.remove(last);
    }
    if !left.is_empty() {
        faults.insert(format!("cycles among {:?}", left.keys()));
    }
    faults
}

#[test]
fn the_house_is_in_order() {
    let mut house = House::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut house);
    assert!(house.len() > 30);
    let faults = faults(&house);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn each_fault_is_found() {
    let long = "\n".repeat(LONG + 1);
    let house = [
        ("lib", "mod sync; use std::thread;"),
        ("sync", "//! Floor 0.\npub use std::{hint, sync::atomic::AtomicBool, thread};"),
        ("job", "use crate::{primitive::latch, sync::{self, X as Y}};"),
        ("primitive/latch", "use crate::primitive::parker::Parker;\nfn f() { crate::worker::g() }"),
        ("primitive/parker", "mod kernel { use super::X; use super::super::latch::Y; }"),
        (
            "queue",
            "// use crate::pool;\n/// crate::pool::X\nconst A: &str = \"crate::pool \\\" //\";",
        ),
        ("telemetry", "const A: &str = r#\"\" crate::pool::X\"#; fn f<'a>(_: &'a str, c: '\"') {}"),
        ("policy", "use std::sync::{Arc, atomic::Ordering};\ntype R = std::thread::Result<()>;"),
        ("worker", "pub mod local;"),
        ("worker/run", "use super::local; use loom::cell; use crate::Counters;"),
        ("worker/local", "use std::thread; use shuttle::rand; fn f() { SystemTime::now() }"),
        ("monitor", "fn f() { unsafe {} }"),
        ("governor", "//! `unsafe` for fun.\nfn f() { unsafe {} }"),
        ("pool", &long),
        ("construct", "use crate::pool::X;\n#[cfg(test)]\nmod tests { use std::thread; }"),
        ("export", "#[cfg(all(test, x))]\nmod tests { use std::thread; }"),
        ("attic", ""),
    ];
    let house: House = house.map(|(file, text)| (file.into(), text.into())).into();
    let expected = [
        "cycles among [\"primitive/latch\", \"primitive/parker\"]",
        "attic: on no floor",
        "monitor: `unsafe` without a word about it in the header",
        "policy: names atomics",
        "pool: 301 lines",
        "primitive/latch: imports from worker",
        "worker/local: asks the wall clock",
        "worker/local: names shuttle",
        "worker/local: names std::thread",
        "worker/run: imports from lib",
        "worker/run: names loom",
    ];
    assert_eq!(faults(&house), expected.map(str::to_owned).into());
}
